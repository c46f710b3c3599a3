//! How long it takes until a coordinator answers that has very many offsets to load.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use benches::asker::{Asker, Encoded};
use benches::cost::{Cpu, resident_megabytes};
use conformance::broker_process::{Kind, Launch};
use protocol::messages::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::{Message, OffsetFetchRequest, OffsetFetchResponse};

use super::{Groups, Side, commits, find_coordinator};

/// Partitions of the topic whose offsets are committed.
const PARTITIONS: i32 = 1000;
const COMMIT: i16 = 8;
const FETCH: i16 = 8;

pub fn run(groups: &Groups, directory: &Path) -> Result<()> {
    // All in one log: it is loaded by one thread, the worst there is.
    let launch = Launch::new(Kind::Headwater, directory)?
        .set("offsets.topic.num.partitions", 1)
        .set("log.cleaner.enable", false);
    let side = Side { name: "headwater", broker: launch.start()?, made: 0 };
    let mut asker = Asker::open(side.address())?;
    find_coordinator(&mut asker, "g", 0)?;
    side.create_topic("load", PARTITIONS)?;
    let count = groups.offsets.div_ceil(PARTITIONS.unsigned_abs());
    let begin = Instant::now();
    for group in 0..count {
        let request = Encoded::new(&commits::request(&format!("load-{group}"), "load", PARTITIONS), COMMIT)?;
        asker.send(&request)?;
        commits::check(asker.receive(&request)?, COMMIT)?;
    }
    println!(
        "written     {} offsets of {count} groups in {:.1} s; {:.0} MB resident",
        count * PARTITIONS.unsigned_abs(),
        begin.elapsed().as_secs_f64(),
        resident_megabytes(side.broker.id())?
    );
    side.broker.end()?;
    let begin = Instant::now();
    let broker = launch.start()?;
    let mut asker = Asker::open(broker.address())?;
    let topic = OffsetFetchRequestTopics {
        name: "load".into(),
        partition_indexes: vec![0].into(),
        ..OffsetFetchRequestTopics::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: format!("load-{}", count - 1).into(),
        topics: Some(vec![topic].into()),
        ..OffsetFetchRequestGroup::default()
    };
    let request = OffsetFetchRequest { groups: vec![group].into(), ..OffsetFetchRequest::default() };
    let offset = asker.ask_until(&request, FETCH, |body| {
        let response = OffsetFetchResponse::decode(body, FETCH)?;
        let group = response.groups.iter().next().context("a group")?;
        if group.error_code != 0 {
            return Ok(None);
        }
        let topic = group.topics.iter().next().context("a topic")?;
        Ok(Some(topic.partitions.iter().next().context("a partition")?.committed_offset))
    })?;
    ensure!(offset == 1_000_000, "offset {offset} was not committed");
    println!(
        "loaded      in {:.2} s from the start; {:.1} s of CPU, {:.0} MB resident",
        begin.elapsed().as_secs_f64(),
        Cpu::of(broker.id())?.total(),
        resident_megabytes(broker.id())?
    );
    Ok(())
}
