//! `quorum-state` in the directory of the metadata log: the epoch, the leader and the vote a voter must not forget
//! (KIP-595, KIP-853). On stable storage before any answer that rests on it; driven by the quorum's runtime.
//!
//! Kafka's two forms: version 0 where the voters are fixed by configuration, version 1 where they are in the log.

use std::fmt::Write;
use std::path::Path;

use protocol::id::{DirectoryId, LeaderEpoch, NodeId};
use raft::{QuorumState, ReplicaKey, VoterSet};
use serde_json::Value;

use crate::disk::Disk;
use crate::fault::Fault;
use crate::whole_file;

/// The name of the file.
pub const QUORUM_STATE: &str = "quorum-state";

/// Reads the file; a directory without one has taken part in no election.
pub fn read<D: Disk>(disk: &D, directory: &Path) -> Result<QuorumState, Fault> {
    let path = directory.join(QUORUM_STATE);
    match whole_file::read_text(disk, &path)? {
        Some(text) => parse(&path, &text),
        None => Ok(QuorumState::default()),
    }
}

/// Replaces the file. `fixed_voters` are the voters of the configuration, `None` where the log has them.
pub fn write<D: Disk>(
    disk: &D,
    directory: &Path,
    state: QuorumState,
    fixed_voters: Option<&VoterSet>,
) -> Result<(), Fault> {
    whole_file::replace(disk, &directory.join(QUORUM_STATE), text(state, fixed_voters).as_bytes())
}

fn text(state: QuorumState, fixed_voters: Option<&VoterSet>) -> String {
    let leader = state.leader.map_or(-1, |leader| leader.0);
    let voted = state.voted.map_or(-1, |voted| voted.id.0);
    let epoch = state.epoch;
    let election = format!(r#""leaderId":{leader},"leaderEpoch":{epoch},"votedId":{voted}"#);
    match fixed_voters {
        None => {
            let directory = state.voted.map_or(DirectoryId::ZERO, |voted| voted.directory);
            format!(r#"{{{election},"votedDirectoryId":"{directory}","data_version":1}}"#)
        }
        Some(voters) => {
            let mut list = String::new();
            for id in voters.ids() {
                let comma = if list.is_empty() { "" } else { "," };
                let _ = write!(list, r#"{comma}{{"voterId":{id}}}"#);
            }
            format!(
                r#"{{"clusterId":"",{election},"appliedOffset":0,"currentVoters":[{list}],"data_version":0}}"#
            )
        }
    }
}

fn parse(path: &Path, text: &str) -> Result<QuorumState, Fault> {
    let wrong = |reason: String| {
        let way_out =
            "where this node is the only voter, remove the file: it is made again from the metadata log";
        Fault::corrupt(path, 0, format!("{reason}; {way_out}"))
    };
    let value: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let number = |key: &str| {
        let found = value.get(key).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
        found.ok_or_else(|| wrong(format!("the number `{key}` is missing")))
    };
    let version = number("data_version")?;
    if !(0..=1).contains(&version) {
        return Err(wrong(format!("data_version {version} where 0 or 1 is known")));
    }
    let node = |id: i32| (id >= 0).then_some(NodeId(id));
    let directory = match value.get("votedDirectoryId").and_then(Value::as_str) {
        None => DirectoryId::ZERO,
        Some(id) => {
            DirectoryId::parse(id).ok_or_else(|| wrong(format!("votedDirectoryId {id} is not a uuid")))?
        }
    };
    Ok(QuorumState {
        // Before any election Kafka writes -1 where we count from 0.
        epoch: LeaderEpoch(number("leaderEpoch")?.max(0)),
        leader: node(number("leaderId")?),
        voted: node(number("votedId")?).map(|id| ReplicaKey { id, directory }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use crate::scripted_disk::ScriptedDisk;

    const FIXED: &str = r#"{"clusterId":"","leaderId":1,"leaderEpoch":1,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}"#;
    const LOGGED: &str = r#"{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#;

    #[test]
    fn both_forms_are_kafkas_to_the_byte() {
        let key = ReplicaKey { id: NodeId(1), directory: DirectoryId::ZERO };
        let voters = VoterSet::new([raft::Voter { key, endpoints: Vec::new(), kraft_versions: (0, 1) }]);
        for (kafkas, fixed) in [(FIXED, Some(&voters)), (LOGGED, None)] {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join(QUORUM_STATE), kafkas).unwrap();
            let state = read(&RealDisk, directory.path()).unwrap();
            assert_eq!((state.epoch, state.leader), (LeaderEpoch(1), Some(NodeId(1))));
            write(&RealDisk, directory.path(), state, fixed).unwrap();
            let written = std::fs::read_to_string(directory.path().join(QUORUM_STATE)).unwrap();
            assert_eq!(written, kafkas);
        }
    }

    #[test]
    fn a_vote_is_remembered_with_its_directory() {
        let voted = Some(ReplicaKey { id: NodeId(7), directory: protocol::id::Uuid([9; 16]) });
        let state = QuorumState { epoch: LeaderEpoch(3), leader: None, voted };
        assert_eq!(parse(Path::new("q"), &text(state, None)).unwrap(), state);
    }

    #[test]
    fn a_vote_is_on_stable_storage_before_it_is_told() {
        let (directory, disk) = (tempfile::tempdir().unwrap(), ScriptedDisk::default());
        write(&disk, directory.path(), QuorumState::default(), None).unwrap();
        let calls = disk.lasting(|_, _| true);
        let verbs: Vec<_> = calls.iter().filter_map(|call| call.split(' ').next()).collect();
        assert_eq!(verbs, ["fdatasync", "rename", "fsync_dir"]);
    }

    #[test]
    fn broken_text_is_an_error() {
        for text in ["", "{}", "[1]", r#"{"data_version":2}"#, &LOGGED.replace("AAAA", "?"), &LOGGED[..40]] {
            assert!(parse(Path::new("q"), text).is_err(), "{text}");
        }
    }
}
