//! Keys of our own. Kafka ignores them, so one `server.properties` serves both.

use crate::config::key::{Allowed, Key, int, long, string};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    int("headwater.batch.positions.bytes", "8388608").at_least(0).since("headwater").honoured()
        .doc("How much memory remembers where batches lie that are no longer among the latest of their partition, 12 bytes a batch, so that reading old records in order needs no look into the indexes."),
    string("headwater.compressed.validation", "full").one_of(&["full", "header"]).since("headwater").honoured()
        .doc("How a compressed batch is checked before it is appended: full looks at every record, as Kafka does; header checks the batch header and its checksum only, which saves the decompression."),
    int("headwater.connection.response.bytes.max", "262144").at_least(1024).since("headwater").honoured()
        .doc("How many bytes of answers may wait in memory for one slow reader. Beyond it the broker takes no further request of that connection until they have left."),
    int("headwater.controller.requests.max", "1024").between(1, 1_000_000).since("headwater").honoured()
        .doc("How many requests may wait for the controller to decide. Beyond it who asks waits for room."),
    long("headwater.decompressed.batch.bytes.max", "1073741824").at_least(1).since("headwater").honoured()
        .doc("Most bytes that all records of one compressed batch may take together. A larger batch is refused, as a bomb would be."),
    long("headwater.disk.reserve.bytes", "8388608").at_least(0).since("headwater").honoured()
        .doc("Room set aside in each log directory, in the file headwater.reserve, at most a sixty-fourth of the file system. When the disk is full, records are refused until there is room again, and metadata, checkpoints, deletion and retention go on with it. 0 for none."),
    int("headwater.directory.slow.ms", "5").at_least(0).since("headwater").honoured()
        .doc("A write that takes longer, and as much again for every 256 KiB of it, marks its log directory slow: for eight times as long as it took, a second at most, what touches the directory runs on a thread of its own, so that it holds up nobody else. 0 for never."),
    string("headwater.durability", "replica").one_of(&["replica", "fsync"]).high().since("headwater").honoured()
        .doc("What an acknowledged record is safe from: replica is Kafka's promise (in the memory of the in-sync replicas), fsync puts it on stable storage first, by group commit. Topics ask for the same with flush.messages=1."),
    string("headwater.fetch.check", "cold").one_of(&["off", "cold", "always"]).since("headwater").honoured()
        .doc("When records are held against their checksums before they are sent: cold when they come from the disk, and when they are first read after a start; always; or off, as Kafka does. What is corrupt is not sent: its reader is told CORRUPT_MESSAGE, and the log and the metric headwater_corrupt_batches name the place."),
    long("headwater.fetch.hot.bytes", "67108864").at_least(0).since("headwater").honoured()
        .doc("How much of the end of a partition is taken to be in memory, as far as it was written within the last seconds. A fetch of other records that are not is read by a thread of their log directory first, so that the disk holds up nobody else."),
    int("headwater.fetch.partitions.max", "100000").at_least(1).since("headwater").honoured()
        .doc("How many partitions one fetch may name. A fetch that names more ends its connection, so that its memory stays a small multiple of its bytes."),
    int("headwater.fetch.sessions.partitions.max", "250000").at_least(0).since("headwater").honoured()
        .doc("How many partitions all fetch sessions may follow together. A reader for whom there is no room is served without a session."),
    int("headwater.group.consumer.gather.ms", "10").between(0, 1000).since("headwater").honoured()
        .doc("How long the first members of a consumer group wait for others to join before the group assigns: anew with each that comes, twenty times as long at most. Members that come together then have their parts at once, and none waits until group.consumer.assignment.interval.ms has passed. 0 for not at all, as in Kafka."),
    string("headwater.http.listen", "127.0.0.1:8082").allow(Allowed::AddressOrEmpty).since("headwater").honoured()
        .doc("Address of the HTTP port with metrics and health, as host:port. Empty for none. It is never part of listeners."),
    int("headwater.network.pool.bytes", "8388608").at_least(0).since("headwater").honoured()
        .doc("How many bytes of unused read buffers are kept for the next requests."),
    int("headwater.open.files.max", "10000").at_least(64).since("headwater").honoured()
        .doc("How many files of logs may be open at once. Files beyond it are closed, the longest unused first, and opened again when needed."),
    int("headwater.producer.ids.max", "100000").at_least(1).since("headwater").honoured()
        .doc("How many producers a partition remembers. Beyond it those whose last batch lies furthest back are forgotten, as if they had expired (producer.id.expiration.ms), never one with an open transaction: anybody may send under any number of ids. Kafka has no bound."),
    int("headwater.recovery.bytes", "67108864").at_least(0).since("headwater").honoured()
        .doc("A partition that has grown by so many bytes gets another place for recovery to begin at after a crash, brought to stable storage in the background: no more than three times as much is read of it then, whatever the size of its segments. One that grows slowly, or not any more, gets a place too once more than a 64th of this would be read of it. 0 for none: recovery begins at the front of a segment, as in Kafka."),
    int("headwater.request.memory.bytes", "134217728").at_least(1048576).since("headwater").honoured()
        .doc("How much memory requests of very many elements may take together, beyond four times their bytes. A request that finds too little left waits; one that would need more than this ends its connection."),
];
