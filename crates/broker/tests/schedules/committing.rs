//! Commits, reads and what brings the log to safety: who is answered is told of what counts, and everybody is answered.

use protocol::id::LeaderEpoch;
use shuttle::future::block_on;

use crate::log::{Log, Weather};
use crate::sync::all_are_through;
use crate::{
    MOST, World, again, commit, commit_of, holds, in_many_orders, led, offset_by, offset_in, settle, thread,
};

const CLIENTS: i32 = 3;
const OFFSETS: i64 = 3;

fn play(weather: Weather) {
    let (world, log) = (World::new(), Log::new(LeaderEpoch(0), weather));
    let (kept, led) = (log.kept(), led(&log, LeaderEpoch(0)));
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (world, led) = (world.clone(), led.clone());
            thread(move || {
                for offset in 1..=OFFSETS {
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
            for _ in 0..OFFSETS {
                let looked = led.look(|shard| offset_in(shard, 0));
                let (told, end) = looked.map_err(|error| error.to_string()).unwrap();
                if block_on(led.safe(end, || MOST, |at| again(&led, at))).is_err() {
                    continue;
                }
                assert!(told >= seen, "an offset went back from {seen} to {told}");
                let counts = offset_by(&led.replica.committed(), 0);
                assert!(counts >= told, "{told} was told, and {counts} is committed");
                seen = told;
            }
        }
    }));
    clients.into_iter().for_each(|client| client.join().unwrap());
    settle(&led, |at| again(&led, at));
    all_are_through();
    log.close();
    kept.join().unwrap();
    holds(&led);
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
fn what_cannot_be_appended_has_not_happened() {
    in_many_orders(|| play(Weather { fsync: true, failing_syncs: 1, failing_appends: 2 }));
}
