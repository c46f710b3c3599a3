//! Very many groups of one member each: what they take in memory, and what their heartbeats cost.

use anyhow::{Result, ensure};
use benches::asker::{Asker, Encoded};
use benches::cost::resident_megabytes;
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
    let ((), _, cpu) = timed(side, || {
        for _ in 0..groups.beats {
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
    })?;
    let beaten = f64::from(groups.beats) * beats.len() as f64;
    Ok(vec![Figure::least("MB more", grown), Figure::least("CPU us a heartbeat", cpu / beaten * 1e3)])
}
