//! What every target asks of a message.

use protocol::messages::catalogue::Entry;

/// Reads the bytes as the message. If they are one, what was read must have bytes again, these must mean the same,
/// and a copy must be equal.
pub fn check(entry: &Entry, version: i16, bytes: &[u8]) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let Ok(written) = (entry.recode)(bytes, version, &mut first) else { return };
    written.expect("what was read can be written");
    (entry.recode)(&first, version, &mut second)
        .expect("what was written can be read")
        .expect("and written again");
    assert_eq!(first, second, "{} {version} is not written as it was read", entry.schema.name);
    second.clear();
    (entry.copy)(&first, version, &mut second).expect("what was written can be read");
    assert_eq!(first, second, "the copy of {} {version} is written otherwise", entry.schema.name);
}
