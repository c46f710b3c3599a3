//! Which partition of an internal topic a group or a transactional id belongs to: Java's hash of a string, as Kafka
//! has always taken it, so that the groups another broker left are found where it put them.

use protocol::id::PartitionIndex;

/// The partition of a key among `count` of them.
pub fn partition_of(key: &str, count: u32) -> PartitionIndex {
    let count = i64::from(count.max(1));
    let place = i64::from(java_hash(key)).abs();
    // Java's absolute value of its smallest number is taken as zero.
    let place = if place > i64::from(i32::MAX) { 0 } else { place };
    PartitionIndex(i32::try_from(place % count).expect("the rest of a division by a number of partitions"))
}

/// `String.hashCode`: over the UTF-16 units of the text.
fn java_hash(text: &str) -> i32 {
    let add = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    // Most keys are ASCII, each byte of which is a unit.
    if text.is_ascii() {
        return text.bytes().fold(0, |hash, byte| add(hash, byte.into()));
    }
    text.encode_utf16().fold(0, add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_javas() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("hello"), 99_162_322);
        // Beyond the basic plane Java sees two units.
        assert_eq!(java_hash("😀"), 1_772_899);
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
    }

    #[test]
    fn the_smallest_hash_goes_to_partition_zero() {
        assert_eq!(partition_of("polygenelubricants", 50), PartitionIndex(0));
        assert_eq!(partition_of("hello", 50), PartitionIndex(22));
        assert_eq!(partition_of("hello", 0), PartitionIndex(0));
    }
}
