import java.io.File;
import java.util.Properties;
import org.apache.zookeeper.server.ServerConfig;
import org.apache.zookeeper.server.ZooKeeperServerMain;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;

/** ZooKeeper and a broker of Apache Kafka in one process, so that one signal ends both: `Both PORT DATA SERVER.PROPERTIES`. */
public class Both {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("dataDir", new File(arguments[1]).getAbsolutePath());
        properties.put("clientPort", arguments[0]);
        properties.put("clientPortAddress", "127.0.0.1");
        properties.put("admin.enableServer", "false");
        QuorumPeerConfig parsed = new QuorumPeerConfig();
        parsed.parseProperties(properties);
        ServerConfig config = new ServerConfig();
        config.readFrom(parsed);
        Thread zookeeper = new Thread(() -> {
            try {
                new ZooKeeperServerMain().runFromConfig(config);
            } catch (Exception error) {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
            }
        });
        zookeeper.setDaemon(true);
        zookeeper.start();
        kafka.Kafka.main(new String[] {arguments[2]});
    }
}
