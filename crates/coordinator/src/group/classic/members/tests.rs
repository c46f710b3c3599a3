use std::time::{Duration, Instant};

use protocol::id::{Timestamp, Uuid};
use protocol::offset::Offset;

use super::super::super::{Answer, GroupConfig, GroupDecision, GroupShard, Millis};
use super::super::{Join, Protocols};
use crate::shard::{Ground, Shard as _, Token, Written};

fn protocols(of: &str, count: usize) -> Protocols {
    let own = (0..count).map(|number| (format!("{of}{number}").into(), [].into()));
    own.chain([("shared".into(), [].into())]).collect()
}

fn carry_out<R>(shard: &mut GroupShard, decision: GroupDecision<R>) -> Vec<(Token, Answer)> {
    for record in &decision.records {
        let written = Written { offset: Offset(0), timestamp: Timestamp(0), transaction: None };
        shard.replay(written, record);
    }
    decision.transitions.into_iter().for_each(|transition| shard.transit(transition));
    decision.answers
}

/// Whether the group takes a member with these protocols.
fn joins(shard: &mut GroupShard, member: u8, protocols: Protocols) -> bool {
    let (config, image) = (GroupConfig::default(), metadata::Image::default());
    let (now, token) = (Timestamp(1_000_000), Token(u64::from(member)));
    let ground = Ground { now, image: &image, config: &config, token, random: &Uuid([member; 16]) };
    let join = Join {
        group: "g".into(),
        member: "".into(),
        instance: None,
        client_id: "c".into(),
        client_host: "/h".into(),
        session_timeout: Millis(10_000),
        rebalance_timeout: Millis(10_000),
        protocol_type: "consumer".into(),
        protocols,
        promises_id: false,
        may_skip_assignment: false,
    };
    let decided = shard.join(&ground, &join);
    decided.map(|decision| carry_out(shard, decision)).is_ok()
}

#[test]
fn very_many_protocols_take_no_more_than_their_share_of_time() {
    let begun = Instant::now();
    let mut shard = GroupShard::default();
    assert!(joins(&mut shard, 1, protocols("one", 100_000)));
    assert!(joins(&mut shard, 2, protocols("other", 100_000)));
    let stranger = (0..100_000).map(|number| (format!("nobody{number}").into(), [].into())).collect();
    assert!(!joins(&mut shard, 3, stranger), "nobody knows what it knows");
    let (config, image) = (GroupConfig::default(), metadata::Image::default());
    let mut answers = Vec::new();
    while answers.is_empty() {
        let now = shard.wake_at().unwrap();
        let ground = Ground { now, image: &image, config: &config, token: Token(9), random: &Uuid([9; 16]) };
        let decision = shard.wake(&ground).unwrap();
        answers = carry_out(&mut shard, decision);
    }
    let chosen = answers.into_iter().map(|(_, answer)| match answer {
        Answer::Join(answer) => answer.protocol,
        Answer::Sync(_) | Answer::Heartbeat(_) => None,
    });
    assert_eq!(chosen.collect::<Vec<_>>(), [Some("shared".into()), Some("shared".into())]);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
