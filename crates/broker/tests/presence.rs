//! Members of consumer groups on the wire: most of what they say is answered on the spot, and as it would be by the way that all
//! else takes.
//!
//! Two groups are led alike through what a member may say. One is asked as clients ask; of the other each request has so much
//! behind it that nobody understands, and must not, that it is no small one and goes the whole way.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::id::TopicId;
use protocol::messages::consumer_group_heartbeat::RequestTopicPartitions;
use protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, FindCoordinatorRequest, Message,
};
use raw::Client;
use raw::node::{TestNode, start};

/// More than a request may have that is answered on the spot.
const PADDING: usize = 8 << 10;

/// Sends a request with a tagged field that there is not.
fn ask_padded(client: &mut Client, request: &ConsumerGroupHeartbeatRequest<'_>, version: i16) -> Vec<u8> {
    let mut frame = client.frame(request, version);
    assert_eq!(frame.pop(), Some(0), "no tagged fields");
    // One field, its tag and its length, as unsigned varints.
    frame.extend([1, 0xff, 0x7f, (PADDING & 0x7f) as u8 | 0x80, (PADDING >> 7) as u8]);
    frame.extend([0; PADDING]);
    let length = u32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_be_bytes());
    client.send(&frame);
    client.answer::<ConsumerGroupHeartbeatRequest<'_>>(version)
}

const GROUPS: [&str; 2] = ["one", "two"];
/// What a member says.
type Beat = ConsumerGroupHeartbeatRequest<'static>;

/// The two groups.
struct Twins {
    node: TestNode,
    client: Client,
    /// Where their members are.
    epoch: i32,
}

impl Twins {
    /// How many records their coordinator has written.
    fn written(&self) -> i64 {
        let offsets = self.node.node().broker().partitions.by_name("__consumer_offsets").unwrap();
        offsets.replicas[0].as_ref().unwrap().log().unwrap().partition().watermarks().log_end.0
    }

    /// Has the member of each say the same; what both are told, and whether something was recorded of it.
    fn say(&mut self, what: &str, say: impl Fn(&mut Beat)) -> (ErrorCode, bool) {
        let said = GROUPS.map(|group| {
            let mut beat = Beat {
                group_id: group.into(),
                member_id: "a".into(),
                member_epoch: self.epoch,
                ..Beat::default()
            };
            say(&mut beat);
            let before = self.written();
            let body = match group == GROUPS[0] {
                true => self.client.ask(&beat, 1),
                false => ask_padded(&mut self.client, &beat, 1),
            };
            (body, self.written() - before)
        });
        let [(short, records), (whole, whole_records)] = &said;
        let [short, whole] =
            [short, whole].map(|body| ConsumerGroupHeartbeatResponse::decode(body, 1).unwrap());
        assert_eq!((&short, records), (&whole, whole_records), "{what}");
        if short.error_code == 0 {
            self.epoch = short.member_epoch;
        }
        (ErrorCode::from_i16(short.error_code).unwrap(), *records > 0)
    }
}

fn joins(beat: &mut Beat) {
    beat.member_epoch = 0;
    beat.rebalance_timeout_ms = 10_000;
    beat.subscribed_topic_names = Some(vec!["t".into()].into());
    beat.topic_partitions = Some(Vec::new().into());
}

/// What a member says, by what it is called, and what comes of it.
type Saying = (&'static str, (ErrorCode, bool), Box<dyn Fn(&mut Beat)>);

fn saying(what: &'static str, expected: (ErrorCode, bool), say: impl Fn(&mut Beat) + 'static) -> Saying {
    (what, expected, Box::new(say))
}

/// What a member says that changes nothing.
fn nothing_new([t, u]: [TopicId; 2]) -> Vec<Saying> {
    let holding = |topics: &[TopicId]| {
        let topics = topics.to_vec();
        move |beat: &mut Beat| {
            let held = |id: &TopicId| RequestTopicPartitions { topic_id: *id, partitions: vec![0].into() };
            beat.topic_partitions = Some(topics.iter().map(held).collect());
        }
    };
    let quiet = (ErrorCode::None, false);
    vec![
        saying("nothing", quiet, |_| ()),
        saying("what it holds", quiet, holding(&[t])),
        saying("less than it holds", quiet, holding(&[])),
        saying("what it does not hold", quiet, holding(&[t, u])),
        saying("the time it has", quiet, |beat| beat.rebalance_timeout_ms = 10_000),
        saying("the topics it reads", quiet, |beat| {
            beat.subscribed_topic_names = Some(vec!["t".into()].into());
        }),
    ]
}

/// What a member says that is recorded.
fn something_new() -> Vec<Saying> {
    let recorded = (ErrorCode::None, true);
    vec![
        saying("another time", recorded, |beat| beat.rebalance_timeout_ms = 20_000),
        saying("a rack", recorded, |beat| beat.rack_id = Some("r".into())),
        saying("an assignor", recorded, |beat| beat.server_assignor = Some("range".into())),
        saying("other topics", recorded, |beat| beat.subscribed_topic_names = Some(vec!["u".into()].into())),
    ]
}

/// What a member cannot say.
fn refused() -> Vec<Saying> {
    let row = |what, error, say: fn(&mut Beat)| saying(what, (error, false), say);
    vec![
        row("a name", ErrorCode::UnknownMemberId, |beat| beat.instance_id = Some("i".into())),
        row("an empty name", ErrorCode::InvalidRequest, |beat| beat.instance_id = Some("".into())),
        row("no assignor", ErrorCode::UnsupportedAssignor, |beat| beat.server_assignor = Some("x".into())),
        row("no expression", ErrorCode::InvalidRegularExpression, |beat| {
            beat.subscribed_topic_regex = Some("(".into());
        }),
        row("a later epoch", ErrorCode::FencedMemberEpoch, |beat| beat.member_epoch += 1),
        row("an epoch of long ago", ErrorCode::FencedMemberEpoch, |beat| beat.member_epoch = 1),
        row("an id that nobody has", ErrorCode::UnknownMemberId, |beat| beat.member_id = "b".into()),
        row("no id", ErrorCode::InvalidRequest, |beat| beat.member_id = "".into()),
    ]
}

#[test]
fn who_is_there_is_told_the_same_whichever_way_it_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [
        ("offsets.topic.num.partitions", "1"),
        ("headwater.group.consumer.gather.ms", "0"),
        ("group.consumer.assignment.interval.ms", "0"),
    ];
    let node = start(directory.path(), &settings);
    let mut client = node.connect();
    client.create(&["t", "u"]);
    let ids = ["t", "u"].map(|topic| node.node().broker().image().topics.id_of(topic).unwrap());
    client.ask(&FindCoordinatorRequest { key: "one".into(), ..FindCoordinatorRequest::default() }, 0);
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut first = Beat { group_id: "first".into(), member_id: "a".into(), ..Beat::default() };
    joins(&mut first);
    while ConsumerGroupHeartbeatResponse::decode(&client.ask(&first, 1), 1).unwrap().error_code != 0 {
        assert!(Instant::now() < deadline, "the coordinator is not loaded");
    }
    let mut twins = Twins { node, client, epoch: 0 };
    assert_eq!(twins.say("joins", joins), (ErrorCode::None, true));
    let gone = vec![
        saying("that it goes", (ErrorCode::None, true), |beat| beat.member_epoch = -1),
        saying("nothing, gone", (ErrorCode::UnknownMemberId, false), |_| ()),
    ];
    for (what, expected, say) in [nothing_new(ids), something_new(), refused(), gone].into_iter().flatten() {
        assert_eq!(twins.say(what, say), expected, "who says {what}");
    }
}
