//! Moves replicas from one log directory to another, again and again (AlterReplicaLogDirs), while they are written and read
//! and the broker dies: copies under way, copies that take the place of their log, and moves given up for others.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use conformance::connection::Connection;
use protocol::api_key::ApiKey;
use serde_json::json;

use crate::players::Progress;

/// Between two moves.
const PACE: Duration = Duration::from_millis(40);

/// Begins moves until it is over. What becomes of them is the broker's affair: no answer is good for anything here.
pub fn run(
    address: SocketAddr,
    progress: &Progress,
    directories: &[PathBuf],
    partitions: &[(String, i32)],
) -> Result<()> {
    // Two lengths without a common divisor: every partition sees every directory.
    let wishes = partitions.iter().cycle().zip(directories.iter().cycle());
    for ((topic, index), directory) in wishes {
        if progress.is_over() {
            break;
        }
        std::thread::sleep(PACE);
        let Ok(mut connection) = Connection::open(address) else { continue };
        let topics = json!([{"Name": topic, "Partitions": [index]}]);
        let request = json!({"Dirs": [{"Path": directory.display().to_string(), "Topics": topics}]});
        // One that was killed in the middle may have begun it or not.
        let _killed = connection.ask(ApiKey::AlterReplicaLogDirs, 1, &request);
    }
    Ok(())
}
