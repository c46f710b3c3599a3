//! DescribeLogDirs and AlterReplicaLogDirs: where partitions lie on disk.

use protocol::api_key::ApiKey::{AlterReplicaLogDirs, DescribeLogDirs};
use protocol::error_code::ErrorCode::LogDirNotFound;
use serde_json::json;

use super::batches::plain;
use super::case::{Case, case};

/// The table.
pub fn cases() -> Vec<Case> {
    vec![
        case(DescribeLogDirs, "partitions of a topic")
            .topic(2)
            .batch(plain())
            .ask(|s| json!({"Topics": [{"Topic": s.topic, "Partitions": [0, 1]}]})),
        case(DescribeLogDirs, "an unknown topic")
            .ask(|s| json!({"Topics": [{"Topic": s.topic, "Partitions": [0]}]})),
        case(DescribeLogDirs, "an unknown partition")
            .topic(1)
            .ask(|s| json!({"Topics": [{"Topic": s.topic, "Partitions": [9]}]})),
        case(DescribeLogDirs, "a negative partition")
            .topic(1)
            .ask(|s| json!({"Topics": [{"Topic": s.topic, "Partitions": [-1, i32::MAX]}]})),
        case(DescribeLogDirs, "the same partition twice")
            .topic(1)
            .ask(|s| json!({"Topics": [{"Topic": s.topic, "Partitions": [0, 0]}]})),
        case(DescribeLogDirs, "a topic without partitions")
            .topic(1)
            .ask(|s| json!({"Topics": [{"Topic": s.topic, "Partitions": []}]})),
        case(DescribeLogDirs, "nothing").ask(|_| json!({"Topics": []})),
        case(AlterReplicaLogDirs, "to a directory there is not").topic(1).errors(&[LogDirNotFound]).ask(|s| {
            json!({"Dirs": [{"Path": "/nowhere", "Topics": [{"Name": s.topic, "Partitions": [0]}]}]})
        }),
        case(AlterReplicaLogDirs, "an unknown topic to a directory there is not")
            .errors(&[LogDirNotFound])
            .ask(|s| json!({"Dirs": [{"Path": "/nowhere", "Topics": [{"Name": s.topic, "Partitions": [0, 1]}]}]})),
        case(AlterReplicaLogDirs, "nothing").ask(|_| json!({"Dirs": []})),
    ]
}
