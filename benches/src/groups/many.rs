//! Very many groups of one member each: what they take in memory, and what their heartbeats cost, beside the least that the
//! kernel takes for as many requests on as many connections.

use anyhow::{Result, ensure};
use benches::asker::{Asker, Encoded};
use benches::cost::{Cpu, resident_megabytes};
use benches::echo;
use protocol::messages::{HeartbeatRequest, HeartbeatResponse, Message};

use super::joins::Joined;
use super::{Figure, Groups, Run, Side, timed};

/// Over so many connections.
const CONNECTIONS: usize = 1000;
const VERSION: i16 = 4;

pub fn run(groups: &Groups, side: &mut Side) -> Result<Run> {
    let mut askers = Asker::open_many(side.address(), CONNECTIONS)?;
    let before = resident_megabytes(side.broker.id())?;
    let mut beats = Vec::with_capacity(groups.groups);
    let prefix = side.fresh("many");
    for first in (0..groups.groups).step_by(CONNECTIONS) {
        let names: Vec<String> = (first..groups.groups.min(first + CONNECTIONS))
            .map(|group| format!("{prefix}-{group}"))
            .collect();
        askers = Joined::alone(&names, askers, |group, member, generation| {
            let request = HeartbeatRequest {
                group_id: group.to_owned().into(),
                generation_id: generation,
                member_id: member.to_owned().into(),
                ..HeartbeatRequest::default()
            };
            beats.push(Encoded::new(&request, VERSION)?);
            Ok(())
        })?;
    }
    let grown = resident_megabytes(side.broker.id())? - before;
    let ((), _, cpu) = timed(side, || beat(&mut askers, &beats, groups.beats))?;
    let beaten = f64::from(groups.beats) * beats.len() as f64;
    drop(askers);
    let alone = calls_alone(&beats, groups.beats)?;
    Ok(vec![
        Figure::least("MB more", grown),
        Figure::least("CPU us a heartbeat", cpu / beaten * 1e3),
        Figure::least("CPU us of the calls alone", alone / beaten * 1e3),
    ])
}

/// Each group is heard of so often: in turn a member on each connection, and then all are answered.
fn beat(askers: &mut [Asker], beats: &[Encoded], times: u32) -> Result<()> {
    for _ in 0..times {
        for beats in beats.chunks(CONNECTIONS) {
            for (asker, beat) in askers.iter_mut().zip(beats) {
                asker.send(beat)?;
            }
            for (asker, beat) in askers.iter_mut().zip(beats) {
                let response = HeartbeatResponse::decode(asker.receive(beat)?, VERSION)?;
                ensure!(response.error_code == 0, "a heartbeat: error {}", response.error_code);
            }
        }
    }
    Ok(())
}

/// What the same takes in milliseconds of who only receives and answers.
fn calls_alone(beats: &[Encoded], times: u32) -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let echo = echo::start(directory.path())?;
    let mut askers = Asker::open_many(echo.address(), CONNECTIONS)?;
    beat(&mut askers, beats, 1)?;
    let before = Cpu::of(echo.id())?;
    beat(&mut askers, beats, times)?;
    Ok(Cpu::of(echo.id())?.since(before).total() * 1e3)
}
