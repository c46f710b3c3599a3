//! The identities Kafka numbers its things by, each with a type of its own.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A node of the cluster, broker or controller (`node.id`). Never negative for a real node.
    NodeId(i32)
}
number! {
    /// One incarnation of a broker: the offset of its registration record. -1 where unknown (KIP-903).
    BrokerEpoch(i64)
}
number! {
    /// One reign of a partition's leader. -1 where unknown (KIP-101, KIP-320).
    LeaderEpoch(i32)
}
number! {
    /// The index of a partition within its topic, from 0.
    PartitionIndex(i32)
}
number! {
    /// An idempotent or transactional producer. -1 where a batch has none (KIP-98).
    ProducerId(i64)
}
number! {
    /// One incarnation of a producer id; a newer one fences the older. -1 where a batch has none.
    ProducerEpoch(i16)
}
number! {
    /// The number of a record within one producer epoch and partition, wrapping from `i32::MAX` to 0.
    /// -1 where a batch has none.
    Sequence(i32)
}
number! {
    /// Milliseconds since 1970 in UTC. -1 where a record or batch has none.
    Timestamp(i64)
}

impl LeaderEpoch {
    /// The epoch of a reader or batch that knows none.
    pub const NONE: Self = Self(-1);
}

impl ProducerId {
    /// The producer id of a batch without one.
    pub const NONE: Self = Self(-1);
}

impl ProducerEpoch {
    /// The producer epoch of a batch without one.
    pub const NONE: Self = Self(-1);
}

impl Timestamp {
    /// The timestamp of a record or batch without one.
    pub const NONE: Self = Self(-1);
}

impl Sequence {
    /// The sequence of a batch without one.
    pub const NONE: Self = Self(-1);

    /// This sequence moved on by `records`, wrapping past `i32::MAX` to 0 as Kafka's producers do.
    pub fn advanced(self, records: u32) -> Self {
        let wrapped = (i64::from(self.0) + i64::from(records)) % (i64::from(i32::MAX) + 1);
        Self(i32::try_from(wrapped).expect("a remainder of 2^31 fits"))
    }
}

/// A UUID as Kafka writes it: sixteen bytes on the wire, 22 characters of URL-safe base64 in text (KIP-516).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

/// The id of a topic, new with each creation of a name.
pub type TopicId = Uuid;

/// The id of a log directory (KIP-858).
pub type DirectoryId = Uuid;

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// All zero bytes: "none" wherever an id may be missing.
    pub const ZERO: Self = Self([0; 16]);

    /// Reads the 22-character form; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 22 {
            return None;
        }
        let mut bits: u128 = 0;
        for (index, &character) in text.iter().enumerate() {
            let digit = BASE64_URL.iter().position(|&known| known == character)? as u128;
            // 22 digits hold 132 bits: of the last digit only the two high bits belong to the id.
            bits = if index == 21 { (bits << 2) | (digit >> 4) } else { (bits << 6) | digit };
        }
        Some(Self(bits.to_be_bytes()))
    }

    /// Whether this is the all-zero id.
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        for place in 0..22u32 {
            let digit = if place == 21 { (bits << 4) & 63 } else { (bits >> (122 - 6 * place)) & 63 };
            write!(f, "{}", char::from(BASE64_URL[digit as usize]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_text_is_kafkas() {
        let metadata_topic = Uuid(u128::to_be_bytes(1));
        assert_eq!(metadata_topic.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(Uuid::parse("AAAAAAAAAAAAAAAAAAAAAQ"), Some(metadata_topic));
        assert_eq!(Uuid::parse("short"), None);
        assert_eq!(Uuid::parse("AAAAAAAAAAAAAAAAAAAA+Q"), None);
    }

    #[test]
    fn uuid_text_round_trips() {
        let id = Uuid([0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(Uuid::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn sequence_wraps_to_zero() {
        assert_eq!(Sequence(i32::MAX).advanced(1), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).advanced(3), Sequence(1));
        assert_eq!(Sequence(4).advanced(0), Sequence(4));
    }
}
