//! Rules of groups and offsets as conversations: every file under `transcripts/` is played against the pure shard, and
//! what it answers is held against what stands there. After every step the log, replayed from its bytes, must give
//! the durable half of the live shard.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod played;
mod transcript;

use transcript::Stage;

#[test]
fn every_transcript_is_what_the_shard_says() {
    played::all_of("transcripts", || {
        let mut stage = Stage::default();
        move |line: &str| stage.step(line)
    });
    // Each of these was held against what the same comes to in full.
    assert!(transcript::consumers::PRESENT.get() > 0, "no heartbeat only says that somebody is there");
}
