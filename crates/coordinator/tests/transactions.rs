//! Rules of transactions as conversations: every file under `transactions/` is played against the pure shard, and what
//! it answers is held against what stands there. After every step the log, replayed from its bytes, must give the
//! durable half of the live shard, and every record must be a lawful step from the one before.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod played;
mod transaction;

use transaction::Stage;

#[test]
fn every_transcript_is_what_the_shard_says() {
    played::all_of("transactions", || {
        let mut stage = Stage::default();
        move |line: &str| stage.step(line)
    });
}
