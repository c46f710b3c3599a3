//! Messages with an array whose elements are made while they are written, so that they are never held together, and
//! that can be written piece by piece.
//!
//! ```text
//!   before | element 0 ... element k | element k+1 ... | ... last element | after
//!   '------- first piece ------------'                  '---- last piece ----'
//! ```
//! Where the elements have arrays that may be long themselves, a piece may end within one of them.
//!
//! The elements are the same whenever they are made: who does not know the length before has the pieces measured
//! first and made again to be sent.

use std::fmt;

use super::Message;
use crate::wire::{Array, EncodeError, Made, Unwritable, Value, WriteElement, Writer};

/// A message, whole or with elements to be made.
pub struct InPieces<'a, M> {
    message: M,
    long: Option<Long<'a, M>>,
}

struct Long<'a, M> {
    /// Where the array stands in the message, as an address.
    at: Box<dyn Fn(&M) -> usize + Send + Sync + 'a>,
    count: usize,
    parts: usize,
    write: Box<WriteElement<'a>>,
}

impl<'a, M: Message<'a> + 'a> InPieces<'a, M> {
    /// The message with `count` elements in the array of a field of its own, which `array` points out. `make` gives the
    /// element of a place, and the same one each time it is asked.
    pub fn new<T: Value<'a> + 'a>(
        message: M,
        array: for<'m> fn(&'m M) -> &'m Array<'a, T>,
        count: usize,
        make: impl Fn(usize) -> T + Send + Sync + 'a,
    ) -> Self {
        let at = Box::new(move |message: &M| std::ptr::from_ref(array(message)).addr());
        let write: Box<WriteElement<'a>> = Box::new(move |place, writer| make(place).write(writer));
        Self { message, long: Some(Long { at, count, parts: count, write }) }
    }

    /// As [`Self::new`], of elements that have a long array each: `lengths` says how long that of each place is, `inner` points it
    /// out in an element, which `make` gives without it, and `make_inner` gives what stands in it. Each part asks for its element
    /// anew; only for the first it matters what stands before the array, which `make` is told.
    pub fn nested<T: Value<'a> + 'a, U: Value<'a> + 'a>(
        message: M,
        array: for<'m> fn(&'m M) -> &'m Array<'a, T>,
        lengths: &[usize],
        make: impl Fn(usize, bool) -> T + Send + Sync + 'a,
        (inner, make_inner): (
            for<'t> fn(&'t T) -> &'t Array<'a, U>,
            impl Fn(usize, usize) -> U + Send + Sync + 'a,
        ),
    ) -> Self {
        let at = Box::new(move |message: &M| std::ptr::from_ref(array(message)).addr());
        // An element with nothing in it is a part of its own.
        let (count, mut parts) = (lengths.len(), 0);
        let mut places: Vec<(usize, usize)> = Vec::with_capacity(count);
        for length in lengths {
            places.push((parts, *length));
            parts += (*length).max(1);
        }
        let write: Box<WriteElement<'a>> = Box::new(move |part, writer| {
            let place = places.partition_point(|(first, _)| *first <= part) - 1;
            let (first, length) = places[place];
            let element = make(place, part == first);
            let inside = std::ptr::from_ref(inner(&element)).addr();
            let one = |index: usize, writer: &mut Writer<'_>| make_inner(place, index).write(writer);
            writer.part((inside, length, part - first), &one, |writer| element.write(writer))
        });
        Self { message, long: Some(Long { at, count, parts, write }) }
    }

    /// Appends the piece that begins with the part `from` and ends after the one that reaches `bytes` bytes; says which part
    /// the next piece begins with, if there is one. Each element is one, or each of those within it. Pieces follow one another without a gap.
    pub fn encode_piece(
        &self,
        version: i16,
        (from, bytes): (usize, usize),
        out: &mut Vec<u8>,
    ) -> Result<Option<usize>, EncodeError> {
        let refuse = |field, cause| EncodeError { message: M::NAME, version, field, cause };
        if !M::VERSIONS.contains(version) {
            return Err(refuse("", Unwritable::UnknownVersion(M::VERSIONS)));
        }
        let start = out.len();
        let mut writer = Writer::new(out, version, M::SCHEMA.flexible.contains(version));
        if let Some(Long { at, count, parts, write }) = &self.long {
            let (at, write): (_, &WriteElement<'_>) = (at(&self.message), write);
            writer = writer.with_made(Made { at, count: *count, parts: *parts, write, from, bytes, start });
        }
        if let Err(cause) = self.message.write(&mut writer) {
            let refusal = refuse(writer.field(), cause);
            out.truncate(start);
            return Err(refusal);
        }
        Ok(writer.end_piece())
    }

    /// Appends the message whole.
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.encode_piece(version, (0, usize::MAX), out).map(drop)
    }
}

impl<'a, M: Message<'a>> From<M> for InPieces<'a, M> {
    fn from(message: M) -> Self {
        Self { message, long: None }
    }
}

impl<M: fmt::Debug> fmt::Debug for InPieces<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.long.as_ref().map(|long| long.count);
        f.debug_struct("InPieces").field("message", &self.message).field("count", &count).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::MetadataResponse;
    use crate::messages::metadata::{MetadataResponsePartition, MetadataResponseTopic};

    #[test]
    fn pieces_follow_one_another_without_a_gap_and_none_is_longer_than_it_has_to_be() {
        let topic = |place: usize| MetadataResponseTopic {
            name: Some(format!("topic-{place}").into()),
            partitions: vec![MetadataResponsePartition::default(); place % 3].into(),
            ..MetadataResponseTopic::default()
        };
        let largest = 200;
        for count in [0, 1, 50] {
            let bare = MetadataResponse {
                cluster_id: Some("c".into()),
                controller_id: 7,
                ..MetadataResponse::default()
            };
            let held = MetadataResponse { topics: (0..count).map(topic).collect(), ..bare.clone() };
            let made = InPieces::new(bare, |response| &response.topics, count, topic);
            for version in [1, 9, 13] {
                let mut whole = Vec::new();
                held.encode(version, &mut whole).unwrap();
                for bytes in [0, 1, 200, usize::MAX] {
                    let (mut all, mut from) = (b"before".to_vec(), Some(0));
                    while let Some(at) = from {
                        let before = all.len();
                        from = made.encode_piece(version, (at, bytes), &mut all).unwrap();
                        let longest = bytes.saturating_add(largest);
                        assert!(all.len() - before <= longest, "{count} {version} {bytes}");
                    }
                    assert_eq!(&all[6..], whole, "{count} {version} {bytes}");
                }
                let mut at_once = Vec::new();
                InPieces::from(held.clone()).encode(version, &mut at_once).unwrap();
                assert_eq!(at_once, whole);
            }
        }
    }

    #[test]
    fn a_piece_may_end_within_an_element() {
        let lengths = [0, 3, 1, 0, 7, 0];
        // Only with the first part of it the name is written.
        let topic = |place: usize, begins: bool| MetadataResponseTopic {
            name: Some(if begins { format!("topic-{place}").into() } else { "left out".into() }),
            ..MetadataResponseTopic::default()
        };
        let partition = |place: usize, index: usize| MetadataResponsePartition {
            partition_index: i32::try_from(100 * place + index).unwrap(),
            replica_nodes: vec![1, 2, 3].into(),
            ..MetadataResponsePartition::default()
        };
        let bare = MetadataResponse { controller_id: 7, ..MetadataResponse::default() };
        let whole_topic = |(place, length): (usize, &usize)| MetadataResponseTopic {
            partitions: (0..*length).map(|index| partition(place, index)).collect(),
            ..topic(place, true)
        };
        let held = MetadataResponse {
            topics: lengths.iter().enumerate().map(whole_topic).collect(),
            ..bare.clone()
        };
        let made = InPieces::nested(
            bare,
            |response| &response.topics,
            &lengths,
            topic,
            (|topic| &topic.partitions, partition),
        );
        for version in [1, 9, 13] {
            let mut whole = Vec::new();
            held.encode(version, &mut whole).unwrap();
            for bytes in [0, 1, 60, usize::MAX] {
                let (mut all, mut from, mut pieces) = (Vec::new(), Some(0), 0);
                while let Some(at) = from {
                    let before = all.len();
                    from = made.encode_piece(version, (at, bytes), &mut all).unwrap();
                    assert!(all.len() - before <= bytes.saturating_add(100), "{version} {bytes}");
                    pieces += 1;
                }
                assert_eq!(all, whole, "{version} {bytes}");
                // Each partition, and each topic without any.
                assert!(bytes > 1 || pieces == 14, "{pieces} pieces");
            }
        }
    }
}
