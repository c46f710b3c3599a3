//! Which segments are written into one: neighbours that together stay within the size of a segment and of its indexes, so
//! that a log of much-shrunken segments does not become a log of very many.

use protocol::offset::Offset;

use crate::segments::RollRules;

/// What decides of one segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentSize {
    /// Its base offset.
    pub base_offset: Offset,
    /// Bytes of its batches.
    pub bytes: u64,
    /// Bytes of its offset index.
    pub offset_index_bytes: u64,
    /// Bytes of its time index.
    pub time_index_bytes: u64,
}

/// The groups, by how many segments each takes from the front. Records up to before `first_uncleanable` lie in these
/// segments.
pub fn groups(rules: &RollRules, segments: &[SegmentSize], first_uncleanable: Offset) -> Vec<usize> {
    let mut groups = Vec::new();
    let mut rest = segments;
    while let Some((first, mut behind)) = rest.split_first() {
        let mut sum = *first;
        while let Some((next, further)) = behind.split_first() {
            let last = further.first().map_or(first_uncleanable, |segment| segment.base_offset).0 - 1;
            // An empty segment adds no offset, however far off its name is.
            let in_reach = next.bytes == 0 || last - first.base_offset.0 <= i64::from(i32::MAX);
            sum.bytes += next.bytes;
            sum.offset_index_bytes += next.offset_index_bytes;
            sum.time_index_bytes += next.time_index_bytes;
            let fits = sum.bytes <= u64::from(rules.segment_bytes)
                && sum.offset_index_bytes <= u64::from(rules.index_bytes)
                && sum.time_index_bytes <= u64::from(rules.index_bytes);
            if !(fits && in_reach) {
                break;
            }
            behind = further;
        }
        groups.push(rest.len() - behind.len());
        rest = behind;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Millis;

    const RULES: RollRules = RollRules { segment_bytes: 100, segment_age_max: Millis(1), index_bytes: 50 };

    fn of(segments: &[(i64, u64, u64, u64)], end: i64) -> Vec<usize> {
        let segment = |&(base, bytes, offsets, times): &(i64, u64, u64, u64)| SegmentSize {
            base_offset: Offset(base),
            bytes,
            offset_index_bytes: offsets,
            time_index_bytes: times,
        };
        groups(&RULES, &segments.iter().map(segment).collect::<Vec<_>>(), Offset(end))
    }

    #[test]
    fn neighbours_join_up_to_each_bound() {
        const FAR: i64 = i32::MAX as i64;
        type Table<'a> = [(&'a str, &'a [(i64, u64, u64, u64)], i64, &'a [usize]); 9];
        let table: Table<'_> = [
            ("nothing", &[], 0, &[]),
            ("one", &[(0, 500, 9, 9)], 10, &[1]),
            ("to the byte", &[(0, 40, 0, 0), (10, 30, 0, 0), (20, 30, 0, 0), (30, 1, 0, 0)], 40, &[3, 1]),
            ("one too large", &[(0, 500, 0, 0), (10, 30, 0, 0), (20, 30, 0, 0)], 30, &[1, 2]),
            ("offset index", &[(0, 1, 30, 0), (10, 1, 20, 0), (20, 1, 1, 0)], 30, &[2, 1]),
            ("time index", &[(0, 1, 0, 30), (10, 1, 0, 21), (20, 1, 0, 1)], 30, &[1, 2]),
            ("in reach", &[(5, 1, 0, 0), (10, 1, 0, 0)], 6 + FAR, &[2]),
            ("out of reach", &[(5, 1, 0, 0), (10, 1, 0, 0)], 7 + FAR, &[1, 1]),
            ("out of reach and empty", &[(5, 0, 0, 0), (10, 0, 0, 0)], 7 + FAR, &[2]),
        ];
        for (name, segments, end, expected) in table {
            assert_eq!(of(segments, end), expected, "{name}");
        }
    }
}
