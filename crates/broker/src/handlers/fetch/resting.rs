//! A session that has been told everything and asks again: it waits where it waited before, and no partition is looked
//! at unless something has come.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::FetchRequest;

use super::read::Reading;
use super::request::Limits;
use super::{Fetch, write};
use crate::Broker;
use crate::handlers::Asked;
use crate::net::{Close, Outbound, Peer};
use crate::runtime::fetch_sessions::{Context, Session};
use crate::runtime::request_memory::Claim;
use crate::runtime::resting::{Rest, Terms, Waiting};

/// What is asked for by terms that another request may wait on by; nothing where a request is answered at once.
fn terms(limits: &Limits, asked: &Asked) -> Option<Terms> {
    let waits = limits.bytes_min > 0 && limits.follower.is_none();
    waits.then_some(Terms { isolation: limits.isolation, lacking: limits.bytes_min, version: asked.version })
}

/// The rest that a request can go on with, and the next one after it: its session was told all there was, nothing has come
/// since, and it asks for nothing else. Whatever rest there was otherwise ends here.
pub fn untouched(
    (session, epoch): (&Session, i32),
    request: &FetchRequest<'_>,
    limits: &Limits,
    asked: &Asked,
) -> Option<Rest> {
    let rest = session.take_rest()?;
    let same = request.topics.is_empty() && request.forgotten_topics_data.is_empty();
    let goes_on = same && terms(limits, asked) == Some(rest.terms) && rest.waiting.waiter().is_untouched();
    goes_on.then_some(Rest { epoch, ..rest })
}

/// Waits on. What comes meanwhile is read as ever, once there is the memory for it that the request lays claim to.
pub async fn wait_on(
    (broker, peer): (Arc<Broker>, Arc<Peer>),
    asked: Asked,
    limits: Limits,
    (session, rest): (Arc<Session>, Rest),
    claim: Claim,
) -> Result<Outbound, Close> {
    if !limits.wait.is_zero() {
        let deadline = tokio::time::sleep_until((asked.at + limits.wait).into());
        tokio::pin!(deadline);
        // It may be woken once by what it was told of already.
        while rest.waiting.waiter().is_untouched() {
            tokio::select! {
                biased;
                () = rest.waiting.waiter().woken() => {}
                () = &mut deadline => break,
            }
        }
    }
    if rest.waiting.waiter().is_untouched() {
        let mut out = Outbound::default();
        write(&asked, (ErrorCode::None, session.id()), Vec::new(), &[], &mut out)?;
        session.put_rest(rest);
        broker.metrics.requests.note(asked.api as i16, asked.at.elapsed());
        return Ok(out);
    }
    let (wanted, context) = (session.wanted(), Context::Incremental(session, rest.epoch));
    drop(rest);
    let fetch = Fetch { broker, peer, asked, limits, context, wanted };
    let drawn = fetch.broker.request_memory.draw(claim).await;
    Arc::new(fetch).wait(drawn).await
}

/// The rest of a session after an answer that tells of nothing to come: every partition it follows was found, is sound, and
/// had no records.
pub fn after(fetch: &Fetch, reading: &Reading, waiting: Waiting) -> Option<(Arc<Session>, Rest)> {
    let Context::Incremental(session, epoch) = &fetch.context else { return None };
    let terms = terms(&fetch.limits, &fetch.asked)?;
    let told_all = !reading.urgent
        && reading.bytes == 0
        && waiting.lists() == fetch.wanted.len()
        && fetch.broker.is_serving()
        && reading.partitions.iter().all(|read| {
            let told = read.told();
            !read.unknown && !told.records && !told.always
        });
    told_all.then(|| (session.clone(), Rest { waiting, terms, epoch: *epoch }))
}
