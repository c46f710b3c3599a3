//! A node in this process, on a port and a directory of its own.

use std::net::SocketAddr;
use std::path::Path;

use broker::config::{NodeConfig, Texts};
use broker::node::Node;
use protocol::id::Timestamp;
use storage::RealDisk;
use storage::format::{FormatRequest, FormatVoters};

use super::Client;

/// A running node and the runtime that started it.
pub struct TestNode {
    runtime: tokio::runtime::Runtime,
    node: Option<Node>,
}

/// Starts a node on a directory, which is formatted if it is new.
pub fn start(directory: &Path, settings: &[(&str, &str)]) -> TestNode {
    let mut texts = Texts::new();
    let base = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("listeners", "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0"),
        ("advertised.listeners", "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0"),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "127.0.0.1:19093"),
        ("log.dirs", directory.to_str().unwrap()),
        ("headwater.http.listen", ""),
    ];
    for (key, value) in base.iter().chain(settings) {
        texts.insert((*key).to_owned(), (*value).to_owned());
    }
    let config = NodeConfig::from_texts(texts).unwrap();
    if !directory.join("meta.properties").exists() {
        let cluster = storage::format::random_id().to_string();
        let endpoint =
            raft::Endpoint { listener: "CONTROLLER".into(), host: "127.0.0.1".into(), port: 19093 };
        let voters = FormatVoters::Standalone(vec![endpoint]);
        let request = FormatRequest::new(cluster, config.node_id, directory.to_owned(), voters);
        storage::format::format(&RealDisk, &request, Timestamp(1)).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let node = runtime.block_on(Node::start(config)).unwrap();
    TestNode { runtime, node: Some(node) }
}

impl TestNode {
    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.node().addresses()[0].1
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// The node itself.
    pub fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    /// Ends the node cleanly.
    pub fn stop(mut self) {
        let node = self.node.take().unwrap();
        self.runtime.block_on(node.shutdown());
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            self.runtime.block_on(node.shutdown());
        }
    }
}
