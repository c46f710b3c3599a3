//! A node in this process, for the guards: what they count is of the build under test, whatever its profile.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use broker::config::{NodeConfig, Texts};
use broker::node::Node;
use protocol::id::Timestamp;
use storage::RealDisk;
use storage::format::{FormatRequest, FormatVoters, format, random_id};
use tokio::runtime::{Builder, Runtime};

/// A node that runs until this is dropped.
pub struct InProcess {
    runtime: Runtime,
    node: Option<Node>,
}

impl InProcess {
    /// Starts a node on a directory, which is formatted if it is empty, on a port of the system's choice.
    pub fn start(directory: &Path) -> Result<Self> {
        Self::start_with(directory, &[])
    }

    /// Starts one with these settings beside those that every guard's node has.
    pub fn start_with(directory: &Path, settings: &[(String, String)]) -> Result<Self> {
        let directory_text = directory.to_str().context("the directory's name is not UTF-8")?;
        let listeners = "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0";
        let texts = [
            ("node.id", "1"),
            ("process.roles", "broker,controller"),
            ("listeners", listeners),
            ("advertised.listeners", listeners),
            ("controller.listener.names", "CONTROLLER"),
            ("controller.quorum.bootstrap.servers", "127.0.0.1:19093"),
            ("log.dirs", directory_text),
            ("headwater.http.listen", ""),
            // Groups that are measured have the members they have.
            ("group.initial.rebalance.delay.ms", "0"),
            // On a busy machine any write may be interrupted for longer: what is counted must not depend on it.
            ("headwater.directory.slow.ms", "0"),
        ];
        let texts = texts.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let texts: Texts = texts.into_iter().chain(settings.iter().cloned()).collect();
        let config = NodeConfig::from_texts(texts)?;
        let endpoint =
            raft::Endpoint { listener: "CONTROLLER".into(), host: "127.0.0.1".into(), port: 19093 };
        let voters = FormatVoters::Standalone(vec![endpoint]);
        if !directory.join("meta.properties").exists() {
            let request =
                FormatRequest::new(random_id().to_string(), config.node_id, directory.to_owned(), voters);
            format(&RealDisk, &request, Timestamp(1))?;
        }
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let node = runtime.block_on(Node::start(config))?;
        Ok(Self { runtime, node: Some(node) })
    }

    /// Where clients connect.
    pub fn address(&self) -> Result<SocketAddr> {
        let node = self.node.as_ref().context("a node that runs")?;
        Ok(node.addresses().first().context("a listener")?.1)
    }

    /// The broker itself, for what needs no connection.
    pub fn broker(&self) -> Result<&Arc<broker::Broker>> {
        Ok(self.node.as_ref().context("a node that runs")?.broker())
    }

    /// The runtime that it runs on.
    pub fn handle(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            self.runtime.block_on(node.shutdown());
        }
    }
}
