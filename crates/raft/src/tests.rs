//! Tables: one machine, one input, the effects expected.

use protocol::id::{LeaderEpoch, NodeId, Timestamp, Uuid};
use protocol::offset::Offset;

use crate::*;

fn key(id: i32) -> ReplicaKey {
    ReplicaKey { id: NodeId(id), directory: Uuid([id as u8; 16]) }
}

fn voters(ids: &[i32]) -> VoterSet {
    VoterSet::new(ids.iter().map(|&id| Voter { key: key(id), endpoints: Vec::new(), kraft_versions: (0, 1) }))
}

fn config(id: i32) -> Config {
    Config {
        id: NodeId(id),
        directory: key(id).directory,
        election_timeout_ms: 1000,
        election_backoff_ms_max: 1000,
        fetch_timeout_ms: 2000,
        request_timeout_ms: 1000,
        retry_backoff_ms: 20,
        fetch_wait_ms_max: 500,
        voters_unlogged: false,
        seed: 7,
    }
}

fn log(epochs: &[(i32, i64)], end: i64) -> LogModel {
    let epochs = epochs.iter().map(|&(epoch, first)| (LeaderEpoch(epoch), Offset(first))).collect();
    LogModel::new(OffsetAndEpoch::default(), epochs, Offset(end))
}

fn state(epoch: i32, leader: Option<i32>, voted: Option<i32>) -> QuorumState {
    QuorumState { epoch: LeaderEpoch(epoch), leader: leader.map(NodeId), voted: voted.map(key) }
}

fn at(epoch: i32, offset: i64) -> OffsetAndEpoch {
    OffsetAndEpoch { epoch: LeaderEpoch(epoch), offset: Offset(offset) }
}

fn node(ids: &[i32], log: LogModel, hard: QuorumState) -> Raft {
    Raft::new(Timestamp(0), config(ids[0]), voters(ids), log, hard)
}

fn step(raft: &mut Raft, now: i64, input: Input) -> Vec<Effect> {
    let mut out = Vec::new();
    raft.step(Timestamp(now), input, &mut out);
    out
}

fn ask(raft: &mut Raft, now: i64, request: Request) -> (Vec<Effect>, Response) {
    let effects = step(raft, now, Input::Request { ticket: Ticket(1), request });
    let response = effects.iter().find_map(|effect| match effect {
        Effect::Respond { response, .. } => Some(response.clone()),
        _ => None,
    });
    (effects, response.expect("an answer"))
}

fn vote(epoch: i32, candidate: i32, voter: i32, last: OffsetAndEpoch, pre_vote: bool) -> Request {
    Request::Vote { epoch: LeaderEpoch(epoch), candidate: key(candidate), voter: key(voter), last, pre_vote }
}

/// A lone voter that leads.
fn leader() -> Raft {
    let mut raft = node(&[1], log(&[], 0), state(0, None, None));
    step(&mut raft, 0, Input::Tick);
    step(&mut raft, 0, Input::Flushed { append: AppendId(0) });
    raft
}

#[test]
fn lone_voter_elects_itself_at_once_and_then_sleeps() {
    let mut raft = node(&[1], log(&[], 0), state(0, None, None));
    let effects = step(&mut raft, 5, Input::Tick);
    let append = AppendId(0);
    assert_eq!(
        effects,
        [
            Effect::PersistQuorumState(state(1, None, Some(1))),
            Effect::PersistQuorumState(state(1, Some(1), None)),
            Effect::AppendLeaderChange {
                append,
                base: Offset(0),
                epoch: LeaderEpoch(1),
                granting: vec![NodeId(1)],
                with_voters: false,
            },
            Effect::WakeAt(None),
        ]
    );
    assert_eq!(
        step(&mut raft, 6, Input::Flushed { append }),
        [
            Effect::CommittedUpTo(Offset(1)),
            Effect::BecameLeader { epoch: LeaderEpoch(1) },
            Effect::WakeAt(None),
        ]
    );
}

#[test]
fn lone_voter_waits_for_no_clock() {
    for hard in [state(0, None, None), state(4, Some(1), None), state(4, None, Some(1))] {
        let mut raft = node(&[1], log(&[], 0), hard);
        // The clock was set back since the node was loaded.
        step(&mut raft, -3_600_000, Input::Tick);
        assert_eq!(raft.status().role, RoleName::Leader, "{hard:?}");
    }
}

#[test]
fn restarted_leader_takes_a_new_epoch() {
    let mut raft = node(&[1], log(&[(4, 0)], 9), state(4, Some(1), None));
    assert_eq!(raft.status().role, RoleName::Resigned);
    step(&mut raft, 0, Input::Tick);
    assert_eq!((raft.status().role, raft.status().epoch), (RoleName::Leader, LeaderEpoch(5)));
}

#[test]
fn a_lost_quorum_state_begins_with_the_epoch_of_the_log() {
    let mut raft = node(&[1], log(&[(1, 0), (7, 4)], 9), QuorumState::default());
    step(&mut raft, 0, Input::Tick);
    let status = raft.status();
    assert_eq!((status.role, status.epoch), (RoleName::Leader, LeaderEpoch(8)));
    let follower = node(&[1, 2, 3], log(&[(7, 0)], 9), state(3, Some(2), Some(2)));
    let status = follower.status();
    assert_eq!(
        (status.role, status.epoch),
        (RoleName::Unattached, LeaderEpoch(7)),
        "nobody leads it for sure"
    );
}

#[test]
fn proposal_is_refused_before_the_leader_change_is_flushed() {
    let mut raft = node(&[1], log(&[], 0), state(0, None, None));
    step(&mut raft, 0, Input::Tick);
    let refused = step(&mut raft, 0, Input::Propose { ticket: Ticket(3), records: 2 });
    let refusal = ProposalRefusal::NotLeader;
    assert_eq!(refused[0], Effect::RefuseProposal { ticket: Ticket(3), refusal });
}

#[test]
fn proposal_is_committed_once_flushed() {
    let mut raft = leader();
    let effects = step(&mut raft, 1, Input::Propose { ticket: Ticket(3), records: 2 });
    let append = AppendId(1);
    let base = Offset(1);
    assert_eq!(effects[0], Effect::Append { ticket: Ticket(3), append, base, epoch: LeaderEpoch(1) });
    assert_eq!(raft.high_watermark(), Some(Offset(1)));
    let effects = step(&mut raft, 2, Input::Flushed { append });
    assert_eq!(effects[0], Effect::CommittedUpTo(Offset(3)));
}

#[test]
fn votes_go_to_one_candidate_with_a_log_as_long() {
    let cases = [
        // voted, asked epoch, candidate's end, pre-vote, granted
        (None, 3, at(2, 10), false, true),
        (None, 3, at(2, 9), false, false),
        (None, 3, at(1, 99), false, false),
        (Some(2), 3, at(2, 10), false, true),
        (Some(3), 3, at(2, 10), false, false),
        (Some(3), 3, at(2, 10), true, true),
        (Some(3), 4, at(2, 10), false, true),
    ];
    for (voted, epoch, last, pre_vote, granted) in cases {
        let mut raft = node(&[1, 2, 3], log(&[(2, 0)], 10), state(3, None, voted));
        let (effects, response) = ask(&mut raft, 0, vote(epoch, 2, 1, last, pre_vote));
        let case = (voted, epoch, last, pre_vote);
        assert_eq!(response.body, ResponseBody::Vote { granted }, "{case:?}");
        let answered = effects.iter().position(|effect| matches!(effect, Effect::Respond { .. }));
        let persisted = effects
            .iter()
            .rposition(|effect| matches!(effect, Effect::PersistQuorumState(s) if s.voted.is_some()));
        let newly = granted && !pre_vote && (voted.is_none() || epoch > 3);
        assert_eq!(persisted.is_some(), newly, "{case:?}");
        assert!(persisted < answered, "the vote is on disk before the answer: {case:?}");
    }
}

#[test]
fn vote_for_another_directory_or_epoch_is_turned_down() {
    let cases = [
        (vote(2, 2, 1, at(9, 99), false), RequestError::FencedLeaderEpoch),
        (vote(3, 2, 2, at(9, 99), false), RequestError::InvalidVoterKey),
    ];
    for (request, error) in cases {
        let mut raft = node(&[1, 2, 3], log(&[], 0), state(3, None, None));
        assert_eq!(ask(&mut raft, 0, request).1.body, ResponseBody::Error(error));
    }
}

#[test]
fn follower_that_hears_its_leader_denies_a_pre_vote() {
    let mut raft = node(&[1, 2, 3], log(&[], 0), state(3, Some(2), None));
    let sent = step(&mut raft, 0, Input::Tick);
    let Effect::SendRequest { id, to: NodeId(2), request: Request::Fetch { .. } } = sent[0] else {
        panic!("{sent:?}")
    };
    let granted = |raft: &mut Raft| ask(raft, 1, vote(3, 3, 1, at(3, 5), true)).1.body;
    assert_eq!(granted(&mut raft), ResponseBody::Vote { granted: true });
    let outcome = FetchOutcome::Records { spans: Vec::new(), upto: Offset(0) };
    let body = ResponseBody::Fetch { high_watermark: None, outcome };
    let response = Response { epoch: LeaderEpoch(3), leader: Some(NodeId(2)), body };
    step(&mut raft, 2, Input::Response { id, response });
    assert_eq!(granted(&mut raft), ResponseBody::Vote { granted: false });
}

#[test]
fn fetch_is_told_where_logs_part() {
    let cases = [
        (at(2, 10), FetchOutcome::Records { spans: Vec::new(), upto: Offset(20) }),
        (at(2, 12), FetchOutcome::Diverging(at(2, 10))),
        (at(3, 12), FetchOutcome::Diverging(at(2, 10))),
        (at(1, 3), FetchOutcome::Diverging(at(0, 0))),
        (at(0, 0), FetchOutcome::Records { spans: Vec::new(), upto: Offset(20) }),
    ];
    for (from, outcome) in cases {
        let mut raft = node(&[1], log(&[(2, 0), (5, 10)], 19), state(5, None, None));
        step(&mut raft, 0, Input::Tick);
        step(&mut raft, 0, Input::Flushed { append: AppendId(0) });
        let epoch = raft.status().epoch;
        let request = Request::Fetch { epoch, replica: key(8), from };
        let (_, response) = ask(&mut raft, 0, request);
        let high_watermark = Some(Offset(20));
        assert_eq!(response.body, ResponseBody::Fetch { high_watermark, outcome }, "{from:?}");
    }
}

#[test]
fn fetch_at_the_end_waits_for_news() {
    let mut raft = leader();
    let request = Request::Fetch { epoch: LeaderEpoch(1), replica: key(8), from: at(1, 1) };
    let parked = step(&mut raft, 10, Input::Request { ticket: Ticket(5), request });
    assert_eq!(parked, [Effect::WakeAt(Some(Timestamp(510)))]);
    step(&mut raft, 20, Input::Propose { ticket: Ticket(6), records: 1 });
    let effects = step(&mut raft, 21, Input::Flushed { append: AppendId(1) });
    let answered = effects.iter().any(|effect| matches!(effect, Effect::Respond { ticket: Ticket(5), .. }));
    assert!(answered, "{effects:?}");
}

#[test]
fn position_before_the_log_needs_the_snapshot() {
    let start = at(2, 100);
    let model = LogModel::new(start, vec![(LeaderEpoch(2), Offset(100))], Offset(120));
    let mut raft = node(&[1], model, state(2, None, None));
    step(&mut raft, 0, Input::Tick);
    step(&mut raft, 0, Input::Flushed { append: AppendId(0) });
    let epoch = raft.status().epoch;
    for from in [at(0, 0), at(1, 100), at(2, 99)] {
        let (_, response) = ask(&mut raft, 0, Request::Fetch { epoch, replica: key(8), from });
        let outcome = FetchOutcome::Snapshot(start);
        let high_watermark = Some(Offset(121));
        assert_eq!(response.body, ResponseBody::Fetch { high_watermark, outcome }, "{from:?}");
    }
}

#[test]
fn snapshot_is_fetched_piece_by_piece_and_installed() {
    let mut raft = node(&[1, 2], log(&[], 0), state(3, Some(2), None));
    let answer = |raft: &mut Raft, effects: &[Effect], body: ResponseBody| {
        let Some(Effect::SendRequest { id, .. }) =
            effects.iter().find(|effect| matches!(effect, Effect::SendRequest { .. }))
        else {
            panic!("{effects:?}")
        };
        let response = Response { epoch: LeaderEpoch(3), leader: Some(NodeId(2)), body };
        step(raft, 1, Input::Response { id: *id, response })
    };
    let snapshot = at(3, 50);
    let piece = |position, length| ResponseBody::SnapshotPiece { snapshot, position, length, size: 30 };
    let effects = step(&mut raft, 0, Input::Tick);
    let outcome = FetchOutcome::Snapshot(snapshot);
    let effects = answer(&mut raft, &effects, ResponseBody::Fetch { high_watermark: None, outcome });
    let effects = answer(&mut raft, &effects, piece(0, 20));
    assert!(matches!(effects[0], Effect::WriteSnapshotPiece { position: 0, .. }), "{effects:?}");
    let effects = answer(&mut raft, &effects, piece(20, 10));
    assert!(effects.contains(&Effect::InstallSnapshot { snapshot }), "{effects:?}");
    let effects = step(&mut raft, 2, Input::SnapshotInstalled { snapshot });
    assert_eq!(effects[0], Effect::CommittedUpTo(Offset(50)));
    assert_eq!(raft.log().last(), snapshot);
}

#[test]
fn leader_without_a_majority_resigns() {
    let mut raft = node(&[1, 2, 3], log(&[], 0), state(3, None, None));
    let (mut now, mut since) = (0, 0);
    let mut inputs = vec![Input::Tick];
    while raft.status().role != RoleName::Leader {
        since = now;
        let input = inputs.pop().unwrap_or(Input::Tick);
        for effect in step(&mut raft, now, input) {
            match effect {
                Effect::SendRequest { id, to: NodeId(2), request: Request::Vote { epoch, .. } } => {
                    let body = ResponseBody::Vote { granted: true };
                    inputs.push(Input::Response { id, response: Response { epoch, leader: None, body } });
                }
                Effect::WakeAt(Some(at)) if inputs.is_empty() => now = at.0,
                _ => {}
            }
        }
    }
    step(&mut raft, since + 2999, Input::Tick);
    assert_eq!(raft.status().role, RoleName::Leader);
    let effects = step(&mut raft, since + 3000, Input::Tick);
    assert_eq!(raft.status().role, RoleName::Resigned);
    let told = effects
        .iter()
        .any(|effect| matches!(effect, Effect::SendRequest { request: Request::EndQuorumEpoch { .. }, .. }));
    assert!(told, "{effects:?}");
}
