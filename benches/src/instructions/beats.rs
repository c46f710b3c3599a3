//! Heartbeats, of very many groups in turn: what a member that only is there costs.

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use benches::asker::{Asker, Encoded};
use benches::consumer_beat;
use benches::load::Connection;
use benches::node::InProcess;
use benches::workload::WORKLOADS;
use broker::handlers::Dispatch;
use broker::net::{Outbound, Service, Step};
use protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest, Message};
use protocol::records::compression::Decompressors;

use super::{Plant, peer};
use crate::groups::Joined;

/// The classic protocol, version 4.
pub const CLASSIC: &str = "heartbeat";
/// The consumer protocol, version 1.
pub const CONSUMER: &str = "consumer-heartbeat";
/// How many groups there are, of one member each.
const GROUPS: usize = 200;
const TOPIC: &str = "replayed";

/// Hands heartbeats to a broker so often, of each group in turn.
pub fn replay(shape: &str, times: u32, plant: Option<Plant>) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let node = InProcess::start(directory.path())?;
    let address = node.address()?;
    Connection::open(address)?.create_topic(TOPIC, 1, &[])?;
    let mut asker = Asker::open(address)?;
    let find = FindCoordinatorRequest { key: "group".into(), ..Default::default() };
    asker.ask_until(&find, 3, |body| {
        Ok((FindCoordinatorResponse::decode(body, 3)?.error_code == 0).then_some(()))
    })?;
    let names: Vec<String> = (0..GROUPS).map(|number| format!("group-{number}")).collect();
    let beats = match shape {
        CLASSIC => classic(&names, Asker::open_many(address, GROUPS)?)?,
        _ => names
            .iter()
            .map(|group| consumer_beat::settled(&mut asker, group, TOPIC))
            .collect::<Result<_>>()?,
    };
    let mut frames: Vec<Vec<u8>> = beats.iter().map(|beat| beat.frame().to_vec()).collect();
    let (batch, _) = WORKLOADS.into_iter().next().context("a workload")?.batch()?;
    let (dispatch, peer) = (Dispatch::new(node.broker()?.clone()), peer());
    let runtime = node.handle();
    let _entered = runtime.enter();
    let (mut out, mut unpack, mut waits) = (Outbound::default(), Decompressors::default(), 0);
    for number in 0..times as usize {
        if let Some(plant) = plant {
            plant.bear(&batch, &peer, &mut unpack)?;
        }
        match dispatch.call(&peer, Instant::now(), &mut frames[number % GROUPS], &mut out) {
            // Behind length, correlation id, tagged fields and throttle time.
            Step::Done => ensure!(out.bytes().get(13..15) == Some(&[0, 0]), "an error: {:?}", out.bytes()),
            // The node may have the shard in hand itself, for once.
            Step::Wait(_) | Step::Promise(_) => waits += 1,
            Step::Close(close) => bail!("refused: {close}"),
        }
        out.clear();
    }
    ensure!(waits <= 3, "{waits} of {times} heartbeats have to wait, which is not what is counted");
    Ok(())
}

/// The heartbeats of members of the classic protocol.
fn classic(names: &[String], askers: Vec<Asker>) -> Result<Vec<Encoded>> {
    let mut beats = Vec::with_capacity(names.len());
    Joined::alone(names, askers, |group, member, generation| {
        let beat = HeartbeatRequest {
            group_id: group.to_owned().into(),
            generation_id: generation,
            member_id: member.to_owned().into(),
            ..HeartbeatRequest::default()
        };
        beats.push(Encoded::new(&beat, 4)?);
        Ok(())
    })?;
    Ok(beats)
}
