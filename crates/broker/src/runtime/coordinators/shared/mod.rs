//! What the threads of coordinators share: a shard and who waits for its answers (`led`), its log (`shard_log`), how far its log may be answered for
//! (`progress`), which shards there are (`slots`), and which transactions are being ended (`endings`).
//!
//! Here is decided who has what, in which order, and who is told when; what is done about it is not here: the log is a trait,
//! and locks, tasks and time come from `sync`. `tests/schedules` compiles these very files over shuttle's and plays them in
//! very many orders.

pub mod endings;
pub mod led;
pub mod progress;
pub mod shard_log;
pub mod slots;

pub use led::{Asked, Led, Taken, Turn};
pub use progress::{Followed, Follower, Progress, Standing};
pub use shard_log::{Answered, Batch, Marker, MarkerInLog, Writer, Writes};
pub use slots::{Begun, Counted, Slots};

use super::{CoordinatorError, Figures, sync};
