//! What every coordinator is: a shard of state over one partition of an internal topic.
//!
//! A shard has two halves. The durable half is what its log says; only [`Shard::replay`] and [`Shard::replay_end`]
//! change it, so that loading is not a second implementation. The soft half is what Kafka, too, keeps in memory
//! only: who waits for an answer, when members were heard of. It changes by [`Shard::transit`], with transitions that
//! a decision names, and is made anew after a load by [`Shard::loaded`]. What only says until when somebody is waited for
//! may be taken in one with what is decided about it, for nothing is appended.
//!
//! A decision is a value: records to append together or not at all, transitions to take once they are appended, the
//! reply to who asked, and the answers to others who waited. When the append fails nothing has changed.

use std::fmt::Debug;

use metadata::Image;
use protocol::ErrorCode;
use protocol::id::{ProducerEpoch, ProducerId, Timestamp, Uuid};
use protocol::offset::Offset;

use crate::record::RecordError;

/// A request that may wait for its answer. The runtime gives each request one that was never given before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Token(pub u64);

/// Who makes random ids. Few decisions need one, and none is made for the others.
pub trait RandomIds: Debug + Sync {
    /// The id of a request: no other has the same.
    fn id_of(&self, token: Token) -> Uuid;
}

/// One that was made before.
impl RandomIds for Uuid {
    fn id_of(&self, _: Token) -> Uuid {
        *self
    }
}

/// What a decision rests on beside the shard.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a, C> {
    /// The time.
    pub now: Timestamp,
    /// The metadata of the cluster, as this broker has applied it.
    pub image: &'a Image,
    /// The broker's settings for this kind of coordinator.
    pub config: &'a C,
    /// Who asks.
    pub token: Token,
    /// Who makes a fresh random id, for whoever needs one.
    pub random: &'a dyn RandomIds,
}

impl<C> Ground<'_, C> {
    /// A fresh random id; for one decision always the same.
    pub fn random_id(&self) -> Uuid {
        self.random.id_of(self.token)
    }
}

/// How a record came into the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// Its offset.
    pub offset: Offset,
    /// When.
    pub timestamp: Timestamp,
    /// The producer of the transaction that the record is part of: it pends until that ends.
    pub transaction: Option<(ProducerId, ProducerEpoch)>,
}

/// A shard of a coordinator.
pub trait Shard: Default + Send + 'static {
    /// What its log holds.
    type Record<'a>: Send;
    /// A change of the soft half.
    type Transition: Send;
    /// What may be told to a request that waited for others.
    type Answer: Send + 'static;
    /// Settings of the broker.
    type Config: Send + Sync + 'static;
    /// Its "no" to a request.
    type Refusal: std::error::Error + Into<ErrorCode> + Send + 'static;

    /// Reads a record; `None` for a kind that this version does not know, which is passed over as Kafka does.
    ///
    /// # Errors
    /// Bytes that are no record.
    fn decode<'a>(key: &'a [u8], value: Option<&'a [u8]>) -> Result<Option<Self::Record<'a>>, RecordError>;

    /// Writes a record's key, and its value unless it is a tombstone; says whether there is one.
    ///
    /// # Errors
    /// Text or bytes that are too long for their field.
    fn encode(record: &Self::Record<'_>, key: &mut Vec<u8>, value: &mut Vec<u8>)
    -> Result<bool, RecordError>;

    /// Takes a record of the log into the durable half. Cannot fail: it has happened.
    fn replay(&mut self, written: Written, record: &Self::Record<'_>);

    /// Takes the end of a transaction: what it wrote here counts, or never happened.
    fn replay_end(&mut self, offset: Offset, producer: ProducerId, committed: bool);

    /// Takes a change of the soft half.
    fn transit(&mut self, transition: Self::Transition);

    /// The log has been replayed to its end: makes the soft half.
    fn loaded(&mut self, now: Timestamp, config: &Self::Config);

    /// When the shard has to act by itself; what it says may be too early, never too late.
    fn wake_at(&self) -> Option<Timestamp>;

    /// The next thing that is due by `ground.now`; `None` once nothing is. Called until then. What may come to more
    /// records than the log takes says with [`Decision::unwritten`] what happens then, or it would be due for ever.
    fn wake(&self, ground: &Ground<'_, Self::Config>) -> Option<Decision<'static, Self, ()>>;
}

/// What is to be done about a request, whose words the records may borrow.
pub struct Decision<'r, S: Shard, R> {
    /// Records to append, together or not at all.
    pub records: Vec<S::Record<'r>>,
    /// Whether the records may be spread over several batches where one is too small for them all.
    pub divisible: bool,
    /// The transaction that the records are part of.
    pub transaction: Option<(ProducerId, ProducerEpoch)>,
    /// Changes of the soft half, to be made once the records are appended.
    pub transitions: Vec<S::Transition>,
    /// Changes of the soft half, to be made instead where the shard acts by itself and its log can never take the
    /// records: it puts off what it wanted, so that others have their turn.
    pub unwritten: Vec<S::Transition>,
    /// The answer; `None` where who asked waits under its token.
    pub reply: Option<R>,
    /// Answers to others who waited.
    pub answers: Vec<(Token, S::Answer)>,
}

impl<'r, S: Shard, R> Decision<'r, S, R> {
    /// Says this and changes nothing.
    pub fn reply(reply: R) -> Self {
        Self { reply: Some(reply), ..Self::wait() }
    }

    /// Changes nothing, and has who asked wait under its token.
    pub fn wait() -> Self {
        Self {
            records: Vec::new(),
            divisible: false,
            transaction: None,
            transitions: Vec::new(),
            unwritten: Vec::new(),
            reply: None,
            answers: Vec::new(),
        }
    }

    /// With these records.
    #[must_use]
    pub fn records(mut self, records: Vec<S::Record<'r>>) -> Self {
        self.records = records;
        self
    }

    /// With this change of the soft half.
    #[must_use]
    pub fn transition(mut self, transition: S::Transition) -> Self {
        self.transitions.push(transition);
        self
    }

    /// With this change of the soft half where the log can never take the records.
    #[must_use]
    pub fn or_unwritten(mut self, transition: S::Transition) -> Self {
        self.unwritten.push(transition);
        self
    }

    /// The same with another reply.
    pub fn map<T>(self, change: impl FnOnce(R) -> T) -> Decision<'r, S, T> {
        Decision {
            records: self.records,
            divisible: self.divisible,
            transaction: self.transaction,
            transitions: self.transitions,
            unwritten: self.unwritten,
            reply: self.reply.map(change),
            answers: self.answers,
        }
    }
}
