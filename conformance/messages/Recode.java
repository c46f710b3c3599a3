// Reads and writes messages with the classes of Apache Kafka's jars. Each line of standard input is
// `read NAME VERSION HEX`: the class must read the bytes whole and write the same; or `default NAME VERSION HEX`: a new
// object of the class must have these bytes, or none at all where the hex is `-`. Says what differs, then how many did not.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.HashMap;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageSizeAccumulator;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

public class Recode {
    private static final List<String> PACKAGES = List.of(
        "org.apache.kafka.common.message.",
        "org.apache.kafka.common.metadata.",
        "org.apache.kafka.raft.generated.",
        "org.apache.kafka.coordinator.group.generated.",
        "org.apache.kafka.coordinator.transaction.generated.",
        "org.apache.kafka.coordinator.share.generated.",
        "org.apache.kafka.server.log.remote.metadata.storage.generated.");

    private static final Map<String, Class<?>> CLASSES = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        int same = 0;
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ", -1);
            String problem;
            try {
                problem = check(words[0], words[1], Short.parseShort(words[2]), words[3]);
            } catch (Exception e) {
                problem = e.toString();
            }
            if (problem == null) {
                same++;
            } else {
                System.out.println(words[1] + " " + words[2] + " (" + words[0] + " " + words[3] + "): " + problem);
            }
        }
        System.out.println("same " + same);
    }

    private static String check(String what, String name, short version, String hex) throws Exception {
        Message message = (Message) find(name).getDeclaredConstructor().newInstance();
        if (what.equals("default")) {
            String bytes;
            try {
                bytes = write(message, version);
            } catch (Exception e) {
                bytes = "-";
            }
            return bytes.equals(hex) ? null : "a new object is written as " + bytes;
        }
        ByteBuffer bytes = ByteBuffer.wrap(HexFormat.of().parseHex(hex));
        message.read(new ByteBufferAccessor(bytes), version);
        if (bytes.hasRemaining()) {
            return bytes.remaining() + " bytes are not read";
        }
        String again = write(message, version);
        return again.equals(hex) ? null : "written as " + again;
    }

    private static String write(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        MessageSizeAccumulator size = new MessageSizeAccumulator();
        message.addSize(size, cache, version);
        ByteBuffer bytes = ByteBuffer.allocate(size.totalSize());
        message.write(new ByteBufferAccessor(bytes), cache, version);
        return HexFormat.of().formatHex(bytes.array());
    }

    private static Class<?> find(String name) throws ClassNotFoundException {
        Class<?> known = CLASSES.get(name);
        if (known != null) {
            return known;
        }
        for (String start : PACKAGES) {
            for (String end : List.of("Data", "")) {
                try {
                    Class<?> found = Class.forName(start + name + end);
                    CLASSES.put(name, found);
                    return found;
                } catch (ClassNotFoundException e) {
                    continue;
                }
            }
        }
        throw new ClassNotFoundException(name + " in none of the packages");
    }
}
