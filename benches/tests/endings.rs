//! A broker that ends in the midst of a run: its turn is thrown away, it is said how it ended, and the run goes on.
#![expect(clippy::unwrap_used, reason = "a test that cannot begin fails")]
#![cfg(target_os = "linux")]

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use benches::contender::Contender;
use benches::side::Side;
use benches::sides::Sides;
use benches::workload::LONE;

fn floor(name: &str) -> Contender {
    let program = env!("CARGO_BIN_EXE_headwater-benches");
    Contender::parse(&format!("{name}={program} floor --port {{port}} --directory {{directory}}")).unwrap()
}

fn kill(side: &Side) {
    let killed = Command::new("kill").args(["-9", &side.running().id().to_string()]).status().unwrap();
    assert!(killed.success());
}

#[test]
fn a_run_goes_on_without_the_turn_in_which_a_broker_ended() {
    let directory = tempfile::tempdir().unwrap();
    // Each begins in its turn: in the second one it is the steady one, which has run when the other ends.
    let contenders = [floor("weak"), floor("steady")];
    let mut sides = Sides::start(&contenders, directory.path(), Duration::ZERO).unwrap();
    let (mut runs, weak) = (0, |side: &Side| side.name == "weak");
    let mut warmed = std::cell::Cell::new(0);
    let turns = sides.in_turn(
        ("lone records", 3),
        |side| {
            warmed.set(warmed.get() + 1);
            assert!(weak(side));
            Ok(())
        },
        |side| -> Result<u32> {
            runs += 1;
            if runs == 4 {
                kill(side);
            }
            Ok(side.measure(LONE, 100, directory.path())?.moved.requests)
        },
    );
    assert_eq!(turns, [[100, 100], [100, 100], [100, 100]], "whole turns only");
    assert_eq!((runs, *warmed.get_mut()), (8, 1), "the one that it ended in was run again");
    let [lost] = sides.lost() else { panic!("{:?}", sides.lost()) };
    let told = ["a turn of lone records", "weak", "its process ended", "signal: 9"];
    assert!(told.iter().all(|told| lost.contains(told)), "{lost}");
}

#[test]
fn who_fails_again_and_again_is_given_up_and_the_others_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let contenders = [floor("steady"), floor("weak")];
    let mut sides = Sides::start(&contenders, directory.path(), Duration::ZERO).unwrap();
    let run = |side: &Side| -> Result<Vec<u32>> {
        if side.name == "weak" {
            bail!("no answer");
        }
        Ok(vec![side.running().id()])
    };
    let turns = sides.in_turn(("nothing", 2), |_| Ok(()), run);
    let steady = turns[0][0].clone();
    assert_eq!(turns, [[steady.clone(), vec![]], [steady.clone(), vec![]]]);
    assert_eq!(sides.each("once", run), [Some(steady), None]);
    let lost = sides.lost().join("\n");
    assert!(lost.contains("no answer; its process was still there"), "{lost}");
    assert!(lost.contains("weak was given up at nothing"), "{lost}");
}
