use std::fs;

use protocol::id::Uuid;
use protocol::records::batches::Batches;

use super::*;
use crate::disk::RealDisk;

const STANDALONE: &[u8] = include_bytes!("../../tests/golden/standalone.checkpoint");
const FIXED: &[u8] = include_bytes!("../../tests/golden/fixed.checkpoint");

/// A file without what differs from run to run: timestamps, and the CRCs over them.
fn without_times(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut batches = Batches::new(bytes);
    while let Some(batch) = batches.next_batch().unwrap() {
        batch.verify_crc().unwrap();
        let mut copy = batch.bytes.to_vec();
        copy[17..21].fill(0);
        copy[27..43].fill(0);
        // The header record's value holds the time the snapshot goes up to.
        if out.is_empty() {
            copy[73..81].fill(0);
        }
        out.push(copy);
    }
    out
}

fn formatted(voters: FormatVoters) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("not/there/yet");
    let request = FormatRequest::new("4L6g3nShT-eMCtK--X86sw".into(), NodeId(1), path.clone(), voters);
    let done = format(&RealDisk, &request, Timestamp(1_795_249_296_000)).unwrap();
    assert!(matches!(done.as_slice(), [Formatted::Now(_, _)]));
    let properties = MetaProperties::read(&RealDisk, &path).unwrap().unwrap();
    assert_eq!(properties.cluster_id, request.cluster_id);
    fs::read(snapshots::path(&path.join(METADATA_DIRECTORY), snapshots::BOOTSTRAP)).unwrap()
}

#[test]
fn fixed_voters_leave_kafkas_bytes() {
    assert_eq!(without_times(&formatted(FormatVoters::Fixed)), without_times(FIXED));
}

#[test]
fn voters_in_the_log_leave_kafkas_bytes() {
    let directory = Uuid::parse("DSZeFAMHTvq0mhCOYVW6QQ").unwrap();
    let endpoint = Endpoint { listener: "CONTROLLER".into(), host: "localhost".into(), port: 19093 };
    let key = ReplicaKey { id: NodeId(1), directory };
    let voter = Voter { key, endpoints: vec![endpoint], kraft_versions: (0, 1) };
    let written = formatted(FormatVoters::Initial(vec![voter]));
    assert_eq!(without_times(&written), without_times(STANDALONE));
}

#[test]
fn standalone_node_votes_with_the_id_of_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let endpoint = Endpoint { listener: "CONTROLLER".into(), host: "localhost".into(), port: 9093 };
    let voters = FormatVoters::Standalone(vec![endpoint]);
    let request = FormatRequest::new("c".into(), NodeId(4), path.clone(), voters);
    format(&RealDisk, &request, Timestamp(0)).unwrap();
    let id = MetaProperties::read(&RealDisk, &path).unwrap().unwrap().directory_id.unwrap();
    let snapshot = snapshots::read(&RealDisk, &path.join(METADATA_DIRECTORY), snapshots::BOOTSTRAP).unwrap();
    let voters = snapshot.control.voters.unwrap();
    assert!(voters.is_only(ReplicaKey { id: NodeId(4), directory: id }));
    assert_eq!(snapshot.control.kraft_version, 1);
}

#[test]
fn formatting_twice_is_refused_or_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let mut request = FormatRequest::new("c".into(), NodeId(1), path.clone(), FormatVoters::Fixed);
    format(&RealDisk, &request, Timestamp(0)).unwrap();
    let refused = format(&RealDisk, &request, Timestamp(0)).unwrap_err().to_string();
    assert!(refused.contains("already formatted"), "{refused}");
    request.ignore_formatted = true;
    let other = directory.path().join("b");
    request.log_directories.push(other.clone());
    let done = format(&RealDisk, &request, Timestamp(0)).unwrap();
    assert!(
        matches!(done.as_slice(), [Formatted::Before(a), Formatted::Now(b, _)] if *a == path && *b == other)
    );
    assert!(!other.join(METADATA_DIRECTORY).exists());
}

#[test]
fn directories_of_another_cluster_or_node_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let first = FormatRequest::new("c".into(), NodeId(1), path.clone(), FormatVoters::Fixed);
    format(&RealDisk, &first, Timestamp(0)).unwrap();
    let other_cluster = FormatRequest { cluster_id: "d".into(), ignore_formatted: true, ..first.clone() };
    let refused = format(&RealDisk, &other_cluster, Timestamp(0)).unwrap_err().to_string();
    assert!(refused.contains("belongs to cluster c, not d"), "{refused}");
    let other_node = FormatRequest { node_id: NodeId(2), ignore_formatted: true, ..first };
    let refused = format(&RealDisk, &other_node, Timestamp(0)).unwrap_err().to_string();
    assert!(refused.contains("belongs to node.id=1, not 2"), "{refused}");
}
