//! Commits, reads and what brings the log to safety: who is answered is told of what counts, and everybody is answered.

use coordinator::group::GroupShard;
use protocol::id::LeaderEpoch;
use shuttle::future::block_on;

use crate::log::{Log, Weather};
use crate::shared::Led;
use crate::sync::Arc;
use crate::{
    MOST, World, again, commit, commit_of, holds, in_a_few_orders, in_many_orders, led, offset_by, offset_in,
    settle, thread,
};

const CLIENTS: i32 = 3;
const OFFSETS: i64 = 3;

/// What is told of a client's offset once it is safe; nothing where that fails.
fn told(led: &Arc<Led<GroupShard, Log>>, client: i32) -> Option<i64> {
    let looked = led.look(|shard| offset_in(shard, client));
    let (told, end) = looked.map_err(|error| error.to_string()).unwrap();
    block_on(led.safe(end, || MOST, |at| again(led, at))).ok()?;
    let counts = offset_by(&led.replica.committed(), client);
    assert!(counts >= told, "{told} was told, and {counts} is committed");
    Some(told)
}

fn play(weather: Weather) {
    play_of(CLIENTS, OFFSETS, weather);
}

/// So many clients commit so many offsets each.
fn play_of(clients: i32, offsets: i64, weather: Weather) {
    let (world, log) = (World::new(), Log::new(LeaderEpoch(0), weather));
    let (kept, led) = (log.kept(), led(&log, LeaderEpoch(0)));
    let mut clients: Vec<_> = (0..clients)
        .map(|client| {
            let (world, led) = (world.clone(), led.clone());
            thread(move || {
                for offset in 1..=offsets {
                    // What fails is tried again, as often as something fails.
                    let asked = commit_of(client, offset);
                    while block_on(commit(&world, &led, &asked)).is_err() {}
                    let counts = offset_by(&led.replica.committed(), client);
                    assert!(counts >= offset, "{offset} was answered, and {counts} is committed");
                }
            })
        })
        .collect();
    clients.push(thread({
        let led = led.clone();
        move || {
            let mut seen = -1;
            for told in (0..offsets).filter_map(|_| told(&led, 0)) {
                assert!(told >= seen, "an offset went back from {seen} to {told}");
                seen = told;
            }
        }
    }));
    clients.into_iter().for_each(|client| client.join().unwrap());
    settle(&led, |at| again(&led, at));
    log.end(kept);
    holds(&led);
}

/// What lies in a log and is not committed yet is loaded by the next reign: it is told to nobody before it counts.
fn reload(weather: Weather) {
    let (world, log) = (World::new(), Log::new(LeaderEpoch(0), weather));
    let before = led(&log, LeaderEpoch(0));
    for client in 0..CLIENTS {
        let asked = commit_of(client, OFFSETS);
        // Nobody waits for it.
        drop(before.take(world.turn(), |shard, ground| shard.commit_offsets(ground, &asked)));
    }
    before.end();
    log.led(Some(LeaderEpoch(1)));
    let kept = log.kept();
    let led = led(&log, LeaderEpoch(1));
    let readers: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let led = led.clone();
            thread(move || while told(&led, client).is_none() {})
        })
        .collect();
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    log.end(kept);
    holds(&led);
}

/// The log did not come to stable storage, once, and nobody is at it: whoever comes then has it tried again, and is answered.
fn come_back() {
    let weather = Weather { fsync: true, failing_syncs: 1, failing_appends: 0 };
    let (world, log) = (World::new(), Log::new(LeaderEpoch(0), weather));
    let (kept, led) = (log.kept(), led(&log, LeaderEpoch(0)));
    // Who commits may come for it after the sync has failed, and is then the one who has it tried again.
    let failed = (0..20).find(|offset| block_on(commit(&world, &led, &commit_of(0, *offset))).is_err());
    let last = failed.unwrap_or(19);
    let readers: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let led = led.clone();
            thread(move || assert_eq!(told(&led, 0), Some(last)))
        })
        .collect();
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    log.end(kept);
    holds(&led);
}

#[test]
fn what_a_load_finds_is_told_once_it_is_committed() {
    in_many_orders(|| reload(Weather::FAIR));
    in_many_orders(|| reload(Weather { fsync: true, failing_syncs: 1, failing_appends: 0 }));
}

#[test]
fn a_failure_is_told_to_who_waited_and_to_nobody_who_comes_after() {
    in_many_orders(come_back);
}

#[test]
fn what_replicas_have_to_follow_is_answered_once_they_have() {
    in_many_orders(|| play(Weather::FAIR));
}

#[test]
fn what_has_to_be_on_stable_storage_is_answered_once_it_is() {
    in_many_orders(|| play(Weather { fsync: true, ..Weather::FAIR }));
}

#[test]
fn what_did_not_come_to_stable_storage_is_told_to_nobody_and_holds_up_nobody() {
    in_many_orders(|| play(Weather { fsync: true, failing_syncs: 2, failing_appends: 0 }));
}

#[test]
fn a_hundred_clients_are_each_answered_once_what_they_committed_counts() {
    in_a_few_orders(|| play_of(100, 2, Weather { fsync: true, failing_syncs: 2, failing_appends: 2 }));
}

#[test]
fn what_cannot_be_appended_has_not_happened() {
    in_many_orders(|| play(Weather { fsync: true, failing_syncs: 1, failing_appends: 2 }));
}
