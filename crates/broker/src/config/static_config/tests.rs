use std::path::PathBuf;

use super::super::cross_checks::check_alone;
use super::*;

fn texts(pairs: &[(&str, &str)]) -> Texts {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// The settings that Apache Kafka 4.4 ships in `config/server.properties`.
const SHIPPED: &str = "\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
#log.flush.interval.messages=10000
log.retention.hours=168
#log.retention.bytes=1073741824
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
";

/// A smallest combined node; the tests put one line on top of it.
const COMBINED: &str = "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093
controller.listener.names=CONTROLLER
log.dirs=/data/a,/data/b
";

fn refused(more: &str) -> String {
    NodeConfig::from_properties(&format!("{COMBINED}{more}"), &Texts::new()).unwrap_err().to_string()
}

#[test]
fn the_file_that_kafka_ships_is_accepted() {
    let config = NodeConfig::from_properties(SHIPPED, &Texts::new()).unwrap();
    assert_eq!(config.node_id, NodeId(1));
    assert_eq!(config.roles, Roles { broker: true, controller: true });
    assert_eq!(config.listeners.broker.len(), 1);
    assert_eq!(config.listeners.broker[0].to_string(), "PLAINTEXT://:9092");
    assert_eq!(config.listeners.advertised_controller[0].to_string(), "CONTROLLER://localhost:9093");
    assert_eq!(config.log_dirs.metadata_directory, PathBuf::from("/tmp/kraft-combined-logs"));
    let open = config.warnings.iter().filter(|warning| warning.contains("without encryption")).count();
    assert_eq!(open, 2, "{:?}", config.warnings);
}

#[test]
fn without_a_file_a_node_stays_on_loopback() {
    let config = NodeConfig::without_file(&Texts::new()).unwrap();
    assert_eq!(config.listeners.advertised_broker[0].to_string(), "PLAINTEXT://localhost:9092");
    assert_eq!(config.listeners.controller[0].to_string(), "CONTROLLER://localhost:9093");
    assert_eq!(config.listeners.open_to_the_network().count(), 0);
    assert_eq!(config.log_dirs.directories, [PathBuf::from("headwater-data")]);
    assert_eq!(config.http_listen.as_deref(), Some("127.0.0.1:8082"));
    assert!(config.topics.automatic);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn flags_win_over_the_file() {
    let config = NodeConfig::from_properties(COMBINED, &texts(&[("log.dirs", "/elsewhere")])).unwrap();
    assert_eq!(config.log_dirs.directories, [PathBuf::from("/elsewhere")]);
    assert_eq!(config.quorum.voters.len(), 1);
}

#[test]
fn ipv6_addresses_go_in_brackets() {
    let more = "listeners=PLAINTEXT://[::1]:9092,CONTROLLER://127.0.0.1:9093\n";
    let config = NodeConfig::from_properties(&format!("{COMBINED}{more}"), &Texts::new()).unwrap();
    assert_eq!((config.listeners.broker[0].host.as_str(), config.listeners.broker[0].port), ("::1", 9092));
    assert_eq!(config.listeners.broker[0].to_string(), "PLAINTEXT://[::1]:9092");
    assert!(config.listeners.broker[0].is_loopback());
}

#[test]
fn settings_that_do_not_go_together_are_refused_with_a_way_out() {
    for (more, part) in [
        ("advertised.listeners=PLAINTEXT://0.0.0.0:9092", "an address nobody can reach"),
        ("advertised.listeners=EXTERNAL://h:9092", "EXTERNAL, which has no security protocol"),
        ("listeners=PLAINTEXT://:9092", "listeners has no CONTROLLER of controller.listener.names"),
        ("listeners=PLAINTEXT://:9092,CONTROLLER://:9092", "port 9092 twice"),
        ("listeners=PLAINTEXT://:9092,PLAINTEXT://:9094,CONTROLLER://:9093", "PLAINTEXT twice"),
        ("listeners=localhost:9092", "must have the form NAME://host:port"),
        ("listeners=CONTROLLER://:9093", "a broker needs a listener for clients"),
        ("listener.security.protocol.map=PLAINTEXT:PLAINTEXT", "CONTROLLER, which has no security protocol"),
        ("listener.security.protocol.map=PLAINTEXT:TLS", "PLAINTEXT:TLS"),
        ("inter.broker.listener.name=INTERNAL", "which listener.security.protocol.map does not have"),
        ("inter.broker.listener.name=SSL", "SSL, which is not advertised"),
        (
            "inter.broker.listener.name=PLAINTEXT\nsecurity.inter.broker.protocol=PLAINTEXT",
            "keep one of them",
        ),
        ("controller.quorum.voters=2@h:9093", "node.id 1 is not in controller.quorum.voters"),
        ("controller.quorum.voters=", "neither controller.quorum.bootstrap.servers nor"),
        ("controller.listener.names=", "it needs at least one entry"),
        ("process.roles=broker", "node.id 1 is in controller.quorum.voters"),
        ("process.roles=controller", "process.roles is controller, but listeners also has PLAINTEXT"),
        ("process.roles=zookeeper", "one of broker, controller"),
        ("broker.id=2", "node.id and broker.id are both set and differ"),
        (
            "listeners=SSL://:9092,CONTROLLER://127.0.0.1:9093\nlistener.security.protocol.map=SSL:SSL,CONTROLLER:PLAINTEXT\nsecurity.inter.broker.protocol=SSL",
            "which Headwater does not speak yet",
        ),
        (
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "does not enforce access control lists yet",
        ),
        ("log.retention.ms=0", "or -1 to keep records forever"),
        ("log.dirs=", "it needs at least one entry"),
        ("replica.fetch.wait.max.ms=40000", "more than replica.socket.timeout.ms with 30000"),
        ("queued.max.request.bytes=5", "less than socket.request.max.bytes"),
        ("max.connections.per.ip=0", "nobody could connect"),
        ("max.connections.per.ip.overrides=localhost", "host:number"),
        ("connections.max.idle.ms=50", "less than connections.max.idle.ms"),
        ("group.coordinator.rebalance.protocols=consumer,streams", "add classic"),
        ("cordoned.log.dirs=*,/data/a", "leave the others out"),
        ("log.cleaner.dedupe.buffer.size=1000", "above 1048576 for each thread"),
    ] {
        let text = refused(more);
        assert!(text.contains(part), "{more}: {text}");
    }
    let without_roles =
        NodeConfig::from_properties("node.id=1\nzookeeper.connect=h", &Texts::new()).unwrap_err();
    assert!(without_roles.to_string().contains("process.roles is required (ZooKeeper"), "{without_roles}");
}

#[test]
fn limits_of_listeners_and_addresses() {
    let more = "listener.name.plaintext.max.connections=7\nmax.connections.per.ip.overrides=10.0.0.1:3,[::1]:4\nconnections.max.idle.ms=-1\n";
    let config = NodeConfig::from_properties(&format!("{COMBINED}{more}"), &Texts::new()).unwrap();
    assert_eq!(config.network.connections_max_by_listener["PLAINTEXT"], 7);
    assert_eq!(config.network.connections_per_ip_overrides["10.0.0.1"], 3);
    assert_eq!(config.network.connections_per_ip_overrides["::1"], 4);
    assert_eq!(config.network.idle_max, None);
}

#[test]
fn recorded_settings_change_the_typed_ones() {
    let config = NodeConfig::from_properties(COMBINED, &Texts::new()).unwrap();
    let cluster = texts(&[("message.max.bytes", "5"), ("log.retention.ms", "7")]);
    let (config, left_out) = config.with_dynamic(&cluster, &Texts::new()).unwrap();
    assert_eq!(left_out, Vec::<String>::new());
    assert_eq!((config.topic_defaults.max_message_bytes, config.topic_defaults.retention_ms), (5, Some(7)));
    assert_eq!(config.topic_config(&Texts::new()).retention_ms, Some(7));
    assert_eq!(config.topic_config(&texts(&[("retention.ms", "8")])).retention_ms, Some(8));
    assert!(config.with_dynamic(&texts(&[("log.retention.ms", "0")]), &Texts::new()).is_err());
}

#[test]
fn company_is_refused_when_the_node_is_to_run() {
    let file = |more: &str| NodeConfig::from_properties(&format!("{COMBINED}{more}"), &Texts::new()).unwrap();
    assert_eq!(check_alone(&file("")), Ok(()));
    let two = check_alone(&file("controller.quorum.voters=1@a:9093,2@b:9093")).unwrap_err();
    assert!(two.to_string().contains("also names node 2"), "{two}");
    let broker = "process.roles=broker\ncontroller.quorum.voters=2@b:9093\nlisteners=PLAINTEXT://:9092\n";
    let broker = check_alone(&file(broker)).unwrap_err();
    assert!(broker.to_string().contains("process.roles is only broker"), "{broker}");
}

#[test]
fn a_broker_beside_a_quorum_of_others() {
    let file = "process.roles=broker\nnode.id=5\ncontroller.quorum.bootstrap.servers=c:9093\n\
                listeners=PLAINTEXT://:9092\ncontroller.listener.names=CONTROLLER\n";
    let config = NodeConfig::from_properties(file, &Texts::new()).unwrap();
    assert_eq!(config.roles, Roles { broker: true, controller: false });
    assert_eq!(config.listeners.controller, []);
    assert_eq!(config.quorum.bootstrap_servers, [("c".to_owned(), 9093)]);
    assert_eq!(config.log_dirs.directories, [PathBuf::from("/tmp/kafka-logs")]);
}
