//! The HTTP port (`headwater.http.listen`): `/metrics` for Prometheus, `/health` for whoever restarts things.
//!
//! It runs on the second runtime, so that a scrape of many partitions delays no produce. It changes nothing and
//! shows no records.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Broker;
use crate::metrics::exposition;

/// The HTTP port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "headwater.http.listen={listen} cannot be listened on: {source}; choose another address or leave it empty"
)]
pub struct HttpError {
    listen: String,
    source: io::Error,
}

/// A running HTTP server.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Where the HTTP port is to be.
#[derive(Debug, Clone, Copy)]
pub enum Listen<'a> {
    /// Here, as somebody has set it.
    Exactly(&'a str),
    /// Here by default. Nobody has asked for this port, so a taken one does not keep a second node on the same
    /// machine from starting: any free port of the same host is taken instead.
    Preferably(&'a str),
}

impl Listen<'_> {
    async fn bind(self) -> Result<TcpListener, HttpError> {
        let (Self::Exactly(listen) | Self::Preferably(listen)) = self;
        let refuse = |source| HttpError { listen: listen.into(), source };
        match (self, TcpListener::bind(listen).await) {
            (Self::Preferably(_), Err(error)) if error.kind() == io::ErrorKind::AddrInUse => {
                let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
                let listener = TcpListener::bind(format!("{host}:0")).await.map_err(refuse)?;
                let address = listener.local_addr().map_err(refuse)?;
                tracing::warn!(%listen, %address, "the default HTTP port is taken, another one serves");
                Ok(listener)
            }
            (_, bound) => bound.map_err(refuse),
        }
    }
}

impl HttpServer {
    /// Listens (host and port) and serves on the present runtime.
    pub async fn start(listen: Listen<'_>, broker: Arc<Broker>) -> Result<Self, HttpError> {
        let listener = listen.bind().await?;
        let (Listen::Exactly(listen) | Listen::Preferably(listen)) = listen;
        let refuse = |source| HttpError { listen: listen.into(), source };
        let address = listener.local_addr().map_err(refuse)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let served = axum::serve(listener, router(broker)).with_graceful_shutdown(async {
                // A dropped sender stops it as well.
                let _stopped = stopped.await;
            });
            if let Err(error) = served.await {
                tracing::error!(%error, "the HTTP port stopped");
            }
        });
        Ok(Self { address, stop, task })
    }

    /// Where it listens, with the port that was really taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it. Requests being answered, or never sent to their end, hold it up no longer than `patience`.
    pub async fn stop(mut self, patience: Duration) {
        // It may have stopped by itself.
        let _gone = self.stop.send(());
        if tokio::time::timeout(patience, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

fn router(broker: Arc<Broker>) -> Router {
    Router::new()
        .route("/", get(async || "Headwater: /metrics for Prometheus, /health for liveness.\n"))
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .with_state(broker)
}

async fn metrics(State(broker): State<Arc<Broker>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], exposition::text(&broker))
}

async fn health(State(broker): State<Arc<Broker>>) -> impl IntoResponse {
    let (status, word) = if broker.is_serving() {
        (StatusCode::OK, "serving")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    };
    let body = serde_json::json!({
        "status": word,
        "node.id": broker.node_id.0,
        "cluster.id": &*broker.cluster_id,
    });
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_given_up_only_where_nobody_asked_for_it() {
        let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = holder.local_addr().unwrap().to_string();
        let other = Listen::Preferably(&taken).bind().await.unwrap().local_addr().unwrap();
        assert!(other.ip().is_loopback() && other.to_string() != taken);
        let refused = Listen::Exactly(&taken).bind().await.unwrap_err();
        assert!(refused.to_string().contains(&taken), "{refused}");
    }
}
