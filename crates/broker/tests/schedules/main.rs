//! The runtime of the coordinators under shuttle: the files of `runtime/coordinators/shared`, compiled a second time over
//! shuttle's locks and tasks, drive the real shards over a log that takes its time, fails and changes hands, in very many
//! orders of what their threads do. Judged is what was promised:
//!
//! - who is answered is told of nothing that is not committed, and everybody is answered (shuttle finds who waits for ever);
//! - a reign is loaded once, and what a shard holds is what its log says;
//! - no committed offset goes back, and none of an aborted transaction is ever told;
//! - no partition of a consumer group has two owners;
//! - nothing of a fenced producer is accepted, and a marker ends the transaction it was written for, no other.
//!
//! `HEADWATER_SCHEDULES=100000` plays so many orders of each; what shuttle prints of one that fails is played again by
//! `shuttle::replay`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::drop_non_drop,
    reason = "a broker lets go of the handles of its tasks where these have none"
)]

mod committing;
mod ending;
mod joining;
mod log;
mod owning;
mod reigning;
#[path = "../../src/runtime/coordinators/shared/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the runtime does more with it than these tests")]
mod shared;
#[allow(dead_code, unused_imports, reason = "as the runtime has it")]
mod sync;

use std::time::Duration;

use broker::runtime::coordinators::{CoordinatorError, Figures};
use coordinator::group::offsets::commit::{Commit, Committer, NewOffset};
use coordinator::group::{Generation, GroupConfig, GroupShard, Millis};
use coordinator::{Ground, RandomIds, Token};
use metadata::Image;
use partition::Verification;
use protocol::id::{LeaderEpoch, PartitionIndex, Timestamp, Uuid};
use protocol::offset::Offset;
use protocol::records::compression::Compression;
use shuttle::future::block_on;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, MaxSteps, Runner};

use crate::log::{Entry, Log, replayed};
use crate::shared::{Answered, Asked, Led, Progress, Turn};
use crate::sync::{Arc, Handle};

/// The group of all tests, and the topic it reads.
const GROUP: &str = "g";
const TOPIC: &str = "t";
/// Nothing takes so long.
const MOST: Duration = Duration::from_secs(30);

/// Plays the same in many orders: at random, and with few changes of who runs at places that nobody would think of.
fn in_many_orders(play: impl Fn() + Clone + Send + Sync + 'static) {
    in_orders(orders(), play);
}

/// The same in a few orders: of a hundred threads, each of which takes long.
fn in_a_few_orders(play: impl Fn() + Clone + Send + Sync + 'static) {
    in_orders((orders() / 40).max(1), play);
}

fn orders() -> usize {
    std::env::var("HEADWATER_SCHEDULES").map_or(400, |count| count.parse().unwrap())
}

fn in_orders(count: usize, play: impl Fn() + Clone + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = 0x4_0000;
    config.max_steps = MaxSteps::FailAfter(2_000_000);
    config.silence_warnings = true;
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    let play = move || {
        sync::begin();
        play();
    };
    Runner::new(RandomScheduler::new(count), config.clone()).run(play.clone());
    Runner::new(PctScheduler::new(3, count), config).run(play);
}

/// Has a thread do it to its end.
fn thread<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> shuttle::thread::JoinHandle<R> {
    shuttle::thread::spawn(work)
}

/// What the decisions of one test rest on.
struct World {
    image: Image,
    config: GroupConfig,
    tokens: std::sync::atomic::AtomicU64,
}

/// The number of each request is its id.
#[derive(Debug)]
struct Numbers;

impl RandomIds for Numbers {
    fn id_of(&self, Token(number): Token) -> Uuid {
        Uuid(u128::from(number).to_be_bytes())
    }
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            image: Image::default(),
            config: GroupConfig { initial_delay: Millis(3000), ..GroupConfig::default() },
            tokens: std::sync::atomic::AtomicU64::new(1),
        })
    }

    fn ground(&self, now: i64) -> Ground<'_, GroupConfig> {
        let number = self.tokens.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (now, token) = (Timestamp(now), Token(number));
        Ground { now, image: &self.image, config: &self.config, token, random: &Numbers }
    }

    fn turn(&self) -> Turn<'_, GroupShard> {
        Turn {
            ground: self.ground(0),
            compression: Compression::default(),
            asked: Asked::By(Verification::NotRequired),
            waiting: None,
        }
    }
}

/// A shard over a log, loaded from it.
fn led(log: &Arc<Log>, epoch: LeaderEpoch) -> Arc<Led<GroupShard, Log>> {
    let entries = log.entries();
    let mut shard: GroupShard = replayed(&entries);
    coordinator::Shard::loaded(&mut shard, Timestamp(0), &GroupConfig::default());
    let end = Offset(i64::try_from(entries.len()).unwrap());
    let progress = Progress::of_loaded(log, end, Handle);
    Arc::new(Led::new(log.clone(), (epoch, 0), (shard, end), (progress, log::figures())))
}

/// One offset of one partition, by somebody who is no member.
fn commit_of(partition: i32, offset: i64) -> Commit {
    Commit {
        committer: Committer {
            group: Arc::from(GROUP),
            member: Arc::from(""),
            instance: None,
            generation: Generation(-1),
        },
        retention: None,
        offsets: vec![NewOffset {
            topic: Arc::from(TOPIC),
            topic_id: Uuid::ZERO,
            partition: PartitionIndex(partition),
            offset: Offset(offset),
            leader_epoch: LeaderEpoch(-1),
            metadata: String::new(),
            committed_at: None,
        }],
        transaction: None,
        knows_missing_groups: true,
    }
}

/// Commits it.
async fn commit(world: &World, led: &Arc<Led<GroupShard, Log>>, commit: &Commit) -> Answered<GroupShard, ()> {
    let (reply, due) = led.take(world.turn(), |shard, ground| shard.commit_offsets(ground, commit))?;
    led.committed(due, || MOST, |at| again(led, at)).await?;
    assert_eq!(reply, Some(vec![Ok(())]));
    Ok(())
}

/// What the coordinator's lane does.
fn again(led: &Arc<Led<GroupShard, Log>>, at: Offset) {
    let led = led.clone();
    thread(move || {
        if let Err(fault) = led.progress.appended(&led.replica, at) {
            led.progress.fail(at, &fault.to_string());
        }
    });
}

/// What is committed by a shard's word.
fn offset_in(shard: &GroupShard, partition: i32) -> i64 {
    shard.fetch_offset(GROUP, (TOPIC, Uuid::ZERO), PartitionIndex(partition), false).offset.0
}

/// What is committed by that part of the log that counts.
fn offset_by(entries: &[Entry], partition: i32) -> i64 {
    offset_in(&replayed(entries), partition)
}

/// Everything that lies in the log comes to safety.
fn settle<S: coordinator::Shard>(led: &Led<S, Log>, again: impl Fn(Offset) + Copy + Send) {
    let Ok(((), end)) = led.look(|_| ()) else { return };
    while block_on(led.safe(end, || MOST, again)).is_err() {}
}

/// The shard is what its log says.
fn holds(led: &Led<GroupShard, Log>) {
    let said: GroupShard = replayed(&led.replica.entries());
    led.look(|shard| assert_eq!(said.durable(), shard.durable())).map_err(|error| error.to_string()).unwrap();
}
