//! The HTTP port (`headwater.http.listen`): `/metrics` for Prometheus, `/health` for whoever restarts things.
//!
//! It runs on the second runtime, so that a scrape of many partitions delays no produce. It changes nothing and
//! shows no records.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

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

impl HttpServer {
    /// Listens on `listen` (host and port) and serves on the present runtime.
    pub async fn start(listen: &str, broker: Arc<Broker>) -> Result<Self, HttpError> {
        let refuse = |source| HttpError { listen: listen.into(), source };
        let listener = TcpListener::bind(listen).await.map_err(refuse)?;
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

    /// Stops it; requests being answered may hold it up no longer than the caller waits.
    pub async fn stop(self) {
        // It may have stopped by itself.
        let _gone = self.stop.send(());
        let _ended = self.task.await;
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
