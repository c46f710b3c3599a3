//! Members of a consumer group come and beat, each on a thread of its own, over a log that fails and takes its time: what one is
//! given no other has, for nobody is given anything before who had it has said that it gave it up.

use std::collections::{BTreeMap, BTreeSet};

use coordinator::Decision;
use coordinator::group::consumer::{ConsumerHeartbeat, HeartbeatAnswer};
use coordinator::group::{Epoch, Group, GroupConfig, GroupRefusal, GroupShard, Millis};
use metadata::{Image, MetadataRecord};
use protocol::id::{LeaderEpoch, PartitionIndex, TopicId, Uuid};
use protocol::messages::record::partition_record::PartitionRecord;
use protocol::messages::record::topic_record::TopicRecord;
use protocol::offset::Offset;
use shuttle::future::block_on;

use crate::log::{Log, Weather, replayed};
use crate::shared::{Answered, Led};
use crate::sync::{Arc, Mutex};
use crate::{
    CoordinatorError, GROUP, MOST, TOPIC, World, again, holds, in_a_few_orders, in_many_orders, led, settle,
    thread,
};

const ID: TopicId = Uuid([7; 16]);
/// How many were answered on the spot, in all orders.
static AT_ONCE: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
/// How often each member beats.
const BEATS: usize = 5;

/// A world with a topic of so many partitions, and groups that assign whenever there is something to assign.
fn world(partitions: i32) -> Arc<World> {
    let mut image = Image::default();
    let mut records: Vec<MetadataRecord<'_>> = vec![TopicRecord { name: TOPIC.into(), topic_id: ID }.into()];
    records.extend((0..partitions).map(|partition_id| {
        let record = PartitionRecord {
            partition_id,
            topic_id: ID,
            replicas: vec![1].into(),
            isr: vec![1].into(),
            leader: 1,
            leader_epoch: 0,
            partition_epoch: 0,
            directories: vec![Uuid([8; 16])].into(),
            ..PartitionRecord::default()
        };
        MetadataRecord::from(record)
    }));
    for (offset, record) in (1..).zip(&records) {
        image.replay(Offset(offset), record);
    }
    let mut config = GroupConfig::default();
    config.consumer.gather = Millis(0);
    config.consumer.assignment_interval.default = Millis(0);
    Arc::new(World { image, config, tokens: std::sync::atomic::AtomicU64::new(1) })
}

/// A member, as it knows itself.
struct Member {
    id: Arc<str>,
    epoch: Epoch,
    has: BTreeSet<PartitionIndex>,
}

impl Member {
    fn says(&self) -> ConsumerHeartbeat {
        let joins = self.epoch == Epoch::JOINING;
        ConsumerHeartbeat {
            group: Arc::from(GROUP),
            member: self.id.clone(),
            epoch: self.epoch,
            instance: None,
            rack: None,
            rebalance_timeout: joins.then_some(Millis(60_000)),
            topics: joins.then(|| [Arc::from(TOPIC)].into_iter().collect()),
            regex: None,
            assignor: None,
            owned: Some(if self.has.is_empty() { BTreeMap::new() } else { [(ID, self.has.clone())].into() }),
            client_id: Arc::from("c"),
            client_host: Arc::from("/127.0.0.1"),
        }
    }

    /// Does as it is told: it gives up first, and says so with its next heartbeat only.
    fn hears(&mut self, told: &HeartbeatAnswer, owners: &Mutex<BTreeMap<PartitionIndex, Arc<str>>>) {
        self.epoch = told.epoch;
        let Some(part) = &told.assignment else { return };
        let now: BTreeSet<PartitionIndex> =
            part.get(&ID).into_iter().flat_map(|held| held.keys().copied()).collect();
        let mut owners = owners.lock().unwrap();
        owners.retain(|index, owner| *owner != self.id || now.contains(index));
        for index in &now {
            let other = owners.insert(*index, self.id.clone()).filter(|other| *other != self.id);
            assert!(other.is_none(), "{index} is {other:?}'s, and was given to {}", self.id);
        }
        self.has = now;
    }
}

async fn ask(
    world: &World,
    led: &Arc<Led<GroupShard, Log>>,
    says: &ConsumerHeartbeat,
) -> Answered<GroupShard, HeartbeatAnswer> {
    // As the handler does: on the spot, where the group has nothing to do.
    if says.epoch != Epoch::JOINING {
        let told = led.take_at_once(&world.ground(0), |shard, ground| {
            if shard.is_quiet(ground, GROUP) {
                shard.consumer_heartbeat(ground, says)
            } else {
                Ok(Decision::wait())
            }
        });
        if let Some(told) = told {
            AT_ONCE.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            return told;
        }
    }
    let (reply, due) = led.take(world.turn(), |shard, ground| shard.consumer_heartbeat(ground, says))?;
    led.committed(due, || MOST, |at| again(led, at)).await?;
    Ok(reply.unwrap())
}

/// The epoch that a member is at by that part of the log that counts.
fn committed_epoch(led: &Led<GroupShard, Log>, member: &str) -> Option<Epoch> {
    let counts: GroupShard = replayed(&led.replica.committed());
    match counts.group(GROUP)? {
        Group::Consumer(group) => group.members().get(member).map(|member| member.epoch),
        Group::Classic(_) | Group::Streams(_) => None,
    }
}

fn play(members: usize, partitions: i32, weather: Weather) {
    let (world, log) = (world(partitions), Log::new(LeaderEpoch(0), weather));
    let (kept, led) = (log.kept(), led(&log, LeaderEpoch(0)));
    let owners = Arc::new(Mutex::new(BTreeMap::new()));
    let members: Vec<_> = (0..members)
        .map(|number| {
            let (world, led, owners) = (world.clone(), led.clone(), owners.clone());
            let id = Arc::from(format!("member-{number}"));
            let mut member = Member { id, epoch: Epoch::JOINING, has: BTreeSet::new() };
            thread(move || {
                for _ in 0..BEATS {
                    match block_on(ask(&world, &led, &member.says())) {
                        Ok(told) => {
                            let counts = committed_epoch(&led, &member.id);
                            assert!(
                                counts >= Some(told.epoch),
                                "{:?} was told, {counts:?} counts",
                                told.epoch
                            );
                            member.hears(&told, &owners);
                        }
                        // Nothing is known of what became of it: it says the same again.
                        Err(CoordinatorError::NotAvailable(_)) => {}
                        Err(CoordinatorError::Refused(GroupRefusal::FencedMemberEpoch { .. })) => {
                            owners.lock().unwrap().retain(|_, owner| *owner != member.id);
                            (member.epoch, member.has) = (Epoch::JOINING, BTreeSet::new());
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    members.into_iter().for_each(|member| member.join().unwrap());
    settle(&led, |at| again(&led, at));
    log.end(kept);
    holds(&led);
}

#[test]
fn no_partition_has_two_owners() {
    in_many_orders(|| play(3, 4, Weather::FAIR));
    in_many_orders(|| play(3, 4, Weather { fsync: true, failing_syncs: 2, failing_appends: 1 }));
    assert!(AT_ONCE.load(std::sync::atomic::Ordering::Relaxed) > 0, "nobody was answered on the spot");
}

#[test]
fn no_partition_has_two_owners_among_a_hundred_members() {
    in_a_few_orders(|| play(100, 50, Weather { fsync: true, failing_syncs: 2, failing_appends: 1 }));
}
