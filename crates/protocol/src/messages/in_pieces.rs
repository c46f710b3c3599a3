//! Messages with an array whose elements are made while they are written, so that they are never held together, and
//! that can be written piece by piece.
//!
//! ```text
//!   before | element 0 ... element k | element k+1 ... | ... last element | after
//!   '------- first piece ------------'                  '---- last piece ----'
//! ```
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
        Self { message, long: Some(Long { at, count, write }) }
    }

    /// Appends the piece that begins with the element `from` and ends after the one that reaches `bytes` bytes; says
    /// which element the next piece begins with, if there is one. Pieces follow one another without a gap.
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
        if let Some(Long { at, count, write }) = &self.long {
            let (at, write): (_, &WriteElement<'_>) = (at(&self.message), write);
            writer = writer.with_made(Made { at, count: *count, write, from, bytes, start });
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
}
