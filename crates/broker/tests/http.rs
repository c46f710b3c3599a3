//! The HTTP port of a node.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use raw::batch::batch;
use raw::node::{TestNode, start};

fn get(node: &TestNode, path: &str) -> String {
    let mut stream = TcpStream::connect(node.node().http_address().unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_have_the_names_of_kafkas_dashboards() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("headwater.http.listen", "127.0.0.1:0")]);
    let mut client = node.connect();
    client.create(&["t"]);
    client.produce("t", 0, batch(&["a", "b"]));
    client.fetch("t", 0, 0);
    let text = get(&node, "/metrics");
    for sample in [
        "kafka_server_brokertopicmetrics_messagesin_total 2",
        "kafka_server_brokertopicmetrics_messagesin_total{topic=\"t\"} 2",
        "kafka_server_brokertopicmetrics_totalfetchrequests_total{topic=\"t\"} 1",
        "kafka_network_requestmetrics_requests_total{request=\"Produce\"} 1",
        "kafka_network_requestmetrics_totaltimems{request=\"Produce\",quantile=\"0.99\"}",
        "kafka_server_replicamanager_partitioncount 1",
        "kafka_server_replicamanager_leadercount 1",
        "kafka_server_replicamanager_underreplicatedpartitions 0",
        "kafka_log_log_size{topic=\"t\",partition=\"0\"}",
        "kafka_log_log_logendoffset{topic=\"t\",partition=\"0\"} 2",
        "kafka_controller_kafkacontroller_activecontrollercount 1",
        "kafka_server_raftmetrics_current_state{state=\"leader\"} 1",
        "kafka_server_socket_server_metrics_connection_count{listener=\"PLAINTEXT\"} 1",
    ] {
        assert!(text.contains(sample), "{sample} in\n{text}");
    }
}

#[test]
fn health_says_that_the_node_serves() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("headwater.http.listen", "127.0.0.1:0")]);
    let answer = get(&node, "/health");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"status\":\"serving\"") && answer.contains("\"node.id\":1"), "{answer}");
    node.node().broker().stop_waiting();
    assert!(get(&node, "/health").starts_with("HTTP/1.1 503"));
}

#[test]
fn a_request_that_never_ends_holds_up_no_stop() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("headwater.http.listen", "127.0.0.1:0")]);
    let mut served = TcpStream::connect(node.node().http_address().unwrap()).unwrap();
    let mut half = TcpStream::connect(node.node().http_address().unwrap()).unwrap();
    half.write_all(b"GET /hea").unwrap();
    // Accepted in order: once this one is answered, the one before it is being read.
    served.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(served.read(&mut [0; 512]).unwrap() > 0);
    assert!(get(&node, "/health").contains("serving"));
    let (ended, is_ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let begun = Instant::now();
        node.stop();
        ended.send(begun.elapsed()).unwrap();
    });
    assert!(is_ended.recv_timeout(Duration::from_secs(9)).is_ok(), "the node does not stop");
}
