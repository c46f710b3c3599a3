//! Requests that wait for each other: members of a classic group join, the time for it ends, the leader assigns and the others
//! are told, once that is committed; or the shard is let go, and all of them are told that.

use coordinator::group::classic::{Join, JoinAnswer, Sync, SyncAnswer};
use coordinator::group::{Answer, GroupRefusal, GroupShard, Millis};
use coordinator::{Decision, Ground};
use protocol::id::LeaderEpoch;
use protocol::records::compression::Compression;
use shuttle::future::block_on;
use tokio::sync::oneshot;

use crate::log::{Log, Weather, replayed};
use crate::shared::{Answered, Led, Turn};
use crate::sync::{Arc, AtomicI64, Ordering};
use crate::{CoordinatorError, GROUP, MOST, World, again, holds, in_many_orders, led, settle, thread};

const MEMBERS: i64 = 3;

/// Asks as the runtime does, where the answer may have to wait for others.
async fn ask(
    world: &World,
    led: &Arc<Led<GroupShard, Log>>,
    asked: impl FnOnce(),
    decide: impl for<'g> FnOnce(
        &GroupShard,
        &Ground<'g, coordinator::group::GroupConfig>,
    ) -> Result<Decision<'static, GroupShard, Answer>, GroupRefusal>,
) -> Answered<GroupShard, Answer> {
    let (waiting, told) = oneshot::channel();
    let turn = Turn { waiting: Some(waiting), ..world.turn() };
    let taken = led.take(turn, decide);
    asked();
    let (reply, due) = taken?;
    led.committed(due, || MOST, |at| again(led, at)).await?;
    match reply {
        Some(reply) => Ok(reply),
        None => told.await.unwrap_or(Err(CoordinatorError::NotCoordinator)),
    }
}

fn join() -> Join {
    Join {
        group: Arc::from(GROUP),
        member: Arc::from(""),
        instance: None,
        client_id: Arc::from("c"),
        client_host: Arc::from("/127.0.0.1"),
        session_timeout: Millis(10_000),
        rebalance_timeout: Millis(60_000),
        protocol_type: Arc::from("consumer"),
        protocols: [(Arc::from("range"), Arc::from([0_u8]))].into_iter().collect(),
        promises_id: false,
        may_skip_assignment: false,
    }
}

/// A member: it joins, and the leader gives each the own name.
fn live(world: &World, led: &Arc<Led<GroupShard, Log>>, joined: &AtomicI64) -> Result<(), String> {
    let join = join();
    let asked = || {
        joined.fetch_add(1, Ordering::SeqCst);
    };
    let told = block_on(ask(world, led, asked, |shard, ground| shard.join(ground, &join)));
    let Answer::Join(JoinAnswer { refusal: None, generation, leader, member, members, .. }) =
        told.map_err(|error| error.to_string())?
    else {
        panic!("nobody is refused here");
    };
    assert!(leader != member || i64::try_from(members.len()) == Ok(MEMBERS), "{members:?}");
    let sync = Sync {
        group: Arc::from(GROUP),
        member: member.clone(),
        instance: None,
        generation,
        protocol_type: None,
        protocol: None,
        assignments: members.iter().map(|member| (member.id.clone(), member.id.as_bytes().into())).collect(),
    };
    let told = block_on(ask(world, led, || (), |shard, ground| shard.sync(ground, &sync)));
    let Answer::Sync(SyncAnswer { refusal: None, assignment, .. }) =
        told.map_err(|error| error.to_string())?
    else {
        panic!("nobody is refused here");
    };
    assert_eq!(&*assignment, member.as_bytes());
    // An assignment that is told is one that a coordinator after this one knows of.
    let counts: GroupShard = replayed(&led.replica.committed());
    let recorded = format!("{:?}", counts.durable());
    assert!(
        recorded.contains(&*member),
        "{member} was told of its part, and is committed nowhere: {recorded}"
    );
    Ok(())
}

fn play(weather: Weather, let_go: bool) {
    let (world, log) = (World::new(), Log::new(LeaderEpoch(0), weather));
    let (kept, led) = (log.kept(), led(&log, LeaderEpoch(0)));
    let joined = Arc::new(AtomicI64::new(0));
    let members: Vec<_> = (0..MEMBERS)
        .map(|_| {
            let (world, led, joined) = (world.clone(), led.clone(), joined.clone());
            thread(move || live(&world, &led, &joined))
        })
        .collect();
    let time = thread({
        let (world, led, joined) = (world.clone(), led.clone(), joined.clone());
        move || {
            while joined.load(Ordering::SeqCst) < MEMBERS {
                shuttle::thread::yield_now();
            }
            // The time for joining is over, a delay after the last newcomer at the latest.
            for now in (1..).map(|number| 4000 * number) {
                match led.wake(&world.ground(now), Compression::default()) {
                    Ok(Some(due)) => {
                        let is_over = !due.is_empty();
                        led.tell(due, || MOST);
                        if is_over {
                            return;
                        }
                    }
                    Ok(None) => {}
                    Err(_) => return,
                }
            }
        }
    });
    let goes = let_go.then(|| {
        let led = led.clone();
        thread(move || led.end())
    });
    let outcomes: Vec<_> = members.into_iter().map(|member| member.join().unwrap()).collect();
    time.join().unwrap();
    if let Some(goes) = goes {
        goes.join().unwrap();
    } else {
        assert!(weather.failing_syncs > 0 || outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        holds(&led);
    }
    settle(&led, |at| again(&led, at));
    log.end(kept);
}

#[test]
fn members_are_told_of_an_assignment_that_is_committed() {
    in_many_orders(|| play(Weather::FAIR, false));
    in_many_orders(|| play(Weather { fsync: true, ..Weather::FAIR }, false));
}

#[test]
fn members_are_told_when_their_coordinator_lets_go() {
    in_many_orders(|| play(Weather::FAIR, true));
}
