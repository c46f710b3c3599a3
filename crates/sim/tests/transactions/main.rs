//! Transactions over a network that keeps no order: the coordinator's shard and the machines of the partitions, both as
//! they run in a broker, with every message between them held back, doubled or overtaken by any other; clients that
//! die and leave their messages behind, coordinators and partitions that are loaded anew, epochs that run out.
//!
//! Whatever happens: a reader of committed data sees exactly the records of transactions that were decided to commit,
//! nothing of a fenced producer comes in behind its marker, and nothing hangs (KIP-890, Jepsen's findings). One seed
//! says all: `SEED=n` plays that one alone.

#![expect(clippy::unwrap_used, reason = "tests")]

mod client;
mod stored;
mod world;

use world::World;

/// How many worlds are tried, and how long each lasts.
const WORLDS: u64 = 200;
const STEPS: u32 = 2000;

#[test]
fn committed_records_are_read_and_no_others() {
    let seeds = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..WORLDS).collect(),
    };
    let (mut read, mut hidden, mut rotated) = (0, 0, 0);
    for seed in seeds {
        let told = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..STEPS {
                world.step();
            }
            world.settle();
            world.judge()
        });
        match told {
            Ok(told) => {
                read += told.read;
                hidden += told.hidden;
                rotated += told.rotated;
            }
            Err(panic) => {
                eprintln!("the world of SEED={seed} is not as it should be");
                std::panic::resume_unwind(panic);
            }
        }
    }
    // A world in which nothing happens would prove nothing.
    if std::env::var_os("SEED").is_none() {
        assert!(
            read > 2_500 && hidden > 2_000 && rotated > 200,
            "{read} read, {hidden} hidden, {rotated} rotated"
        );
    }
}
