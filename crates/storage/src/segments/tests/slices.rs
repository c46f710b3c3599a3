//! What a slice of a segment holds, and what is said of it.

use super::*;

#[test]
fn a_first_batch_over_the_limit_comes_whole_or_not_at_all() {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    segments.append(&batch(0, 1, 1000)).unwrap();
    segments.append(&batch(1, 1, 10)).unwrap();
    let end = Offset(2);
    let mut length = |from, bytes_max, min_one| {
        let slice = segments.read(Offset(from), (end, end), bytes_max, min_one).unwrap();
        (slice.length, slice.first_batch)
    };
    let (large, small) = (batch(0, 1, 1000).len() as u32, batch(1, 1, 10).len() as u32);
    assert_eq!(length(0, 100, true), (large, large));
    assert_eq!(length(0, 100, false), (0, large));
    assert_eq!(length(0, large + 5, false), (large, large));
    assert_eq!(length(1, 0, true), (small, small));
    assert_eq!(length(2, 1000, true), (0, 0));
}

#[test]
fn a_bound_inside_the_log_ends_the_slice() {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    for base in 0..10 {
        segments.append(&batch(base, 1, 100)).unwrap();
    }
    segments.roll(Offset(10), NOW).unwrap();
    let size = batch(0, 1, 100).len() as u32;
    for end in 0..=10 {
        let slice = segments.read(Offset(0), (Offset(end), Offset(10)), 1 << 20, true).unwrap();
        assert_eq!(slice.length, end as u32 * size, "up to {end}");
    }
}

#[test]
fn a_slice_counts_as_checked_where_all_of_it_was() {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    let both = [batch(0, 1, 100), batch(1, 1, 100)].concat();
    segments.append(&both).unwrap();
    segments.finish().unwrap();
    drop(segments);
    let (first, all) = (both.len() as u32 / 2, both.len() as u32);
    let mut segments = dir.load(clean()).segments;
    for (known, checked) in [(0, [false, false]), (first, [true, false]), (all, [true, true])] {
        segments.note_checked(Offset(0), (0, known));
        let found = [first, all].map(|length| {
            let slice = segments.read(Offset(0), (Offset(2), Offset(2)), length, true).unwrap();
            assert_eq!(slice.length, length);
            slice.checked
        });
        assert_eq!(found, checked, "{known} of {all} bytes are");
    }
}
