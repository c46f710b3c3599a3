//! Why a connection is ended, and how often that is said.
//!
//! Whoever sends bad bytes can send many: each reason is logged seldom, with how many were left unsaid in between.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use rustix::io::Errno;

use super::Peer;
use super::foreign::Foreign;
use crate::seldom::Seldom;

/// The reason a connection is ended by this side.
#[derive(Debug, thiserror::Error)]
pub enum Close {
    /// A length prefix that no request can have.
    #[error("a frame claims {length} bytes, which no request can have")]
    FrameLength {
        /// The length as read.
        length: i32,
    },
    /// A frame over `socket.request.max.bytes`.
    #[error("a frame claims {length} bytes, over socket.request.max.bytes={length_max}")]
    FrameTooLarge {
        /// The length as read.
        length: usize,
        /// The bound.
        length_max: usize,
    },
    /// Another protocol than Kafka's.
    #[error("{0}")]
    Foreign(Foreign),
    /// A request header that cannot be read.
    #[error("a request header cannot be read: {0}")]
    Header(String),
    /// An API key that this listener does not serve.
    #[error("API key {api_key} is not served here")]
    ApiKey {
        /// The key as read.
        api_key: i16,
    },
    /// A version of a known API that is not served.
    #[error("{api} version {version} is not served here")]
    Version {
        /// The name of the API.
        api: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A request body that cannot be read.
    #[error("a {api} request of version {version} cannot be read: {reason}")]
    Body {
        /// The name of the API.
        api: &'static str,
        /// The version of the request.
        version: i16,
        /// What is wrong with it.
        reason: String,
    },
    /// A produce without acknowledgement that failed: ending the connection is the only way to say so.
    #[error("a Produce with acks=0 failed: {0}")]
    Unacknowledged(String),
    /// An answer that cannot be written in the version asked for.
    #[error("an answer to {api} version {version} cannot be written: {reason}")]
    Answer {
        /// The name of the API.
        api: &'static str,
        /// The version of the request.
        version: i16,
        /// What is wrong with it.
        reason: String,
    },
    /// A request whose handling panicked.
    #[error("a request did not end as it should: the log of the process says why")]
    Unfinished,
    /// A range of a log file that ended before it was sent whole: the frame on the wire cannot be completed.
    #[error("a log file ended {missing} bytes before the range being sent")]
    FileEnded {
        /// How much of the range is missing.
        missing: u64,
    },
    /// A range of a log file that could not be read while it was sent: the frame on the wire cannot be completed.
    #[error("a log file cannot be read: {errno}")]
    FileUnreadable {
        /// The file.
        file: Arc<File>,
        /// What the system said.
        errno: Errno,
    },
    /// The other end is gone or the socket failed.
    #[error("the connection failed: {0}")]
    Socket(#[from] io::Error),
    /// Nothing came, or nothing could be written, for `connections.max.idle.ms`.
    #[error("idle for longer than connections.max.idle.ms")]
    Idle,
    /// The other end closed its side in the middle of a frame.
    #[error("the other end closed in the middle of a frame")]
    EndInFrame,
}

/// The names of the reasons, as metrics and logs carry them.
pub const KINDS: [&str; 16] = [
    "frame_length",
    "frame_too_large",
    "http",
    "tls",
    "header",
    "api_key",
    "version",
    "body",
    "unacknowledged",
    "answer",
    "file_ended",
    "socket",
    "idle",
    "end_in_frame",
    "unfinished",
    "file_unreadable",
];

impl Close {
    /// The name of the reason.
    pub fn kind(&self) -> &'static str {
        KINDS[self.index()]
    }

    /// The place of the reason in [`KINDS`].
    pub fn index(&self) -> usize {
        match self {
            Self::FrameLength { .. } => 0,
            Self::FrameTooLarge { .. } => 1,
            Self::Foreign(Foreign::Http) => 2,
            Self::Foreign(Foreign::Tls) => 3,
            Self::Header(_) => 4,
            Self::ApiKey { .. } => 5,
            Self::Version { .. } => 6,
            Self::Body { .. } => 7,
            Self::Unacknowledged(_) => 8,
            Self::Answer { .. } => 9,
            Self::FileEnded { .. } => 10,
            Self::Socket(_) => 11,
            Self::Idle => 12,
            Self::EndInFrame => 13,
            Self::Unfinished => 14,
            Self::FileUnreadable { .. } => 15,
        }
    }
}

/// Says why connections end, each reason seldom enough.
#[derive(Debug, Default)]
pub struct CloseLog {
    said: [Seldom; KINDS.len()],
}

impl CloseLog {
    /// Logs the end of a connection, or counts it for the next line.
    pub fn note(&self, peer: &Peer, close: &Close, now: Instant) {
        let Some(unsaid) = self.said[close.index()].due(now) else {
            return;
        };
        let (address, listener, kind) = (peer.address, &peer.listener, close.kind());
        match close {
            Close::Socket(_) | Close::Idle | Close::EndInFrame => {
                tracing::debug!(peer = %address, %listener, kind, unsaid, "connection closed: {close}");
            }
            Close::FileEnded { .. }
            | Close::FileUnreadable { .. }
            | Close::Answer { .. }
            | Close::Unfinished => {
                tracing::error!(peer = %address, %listener, kind, unsaid, "connection closed: {close}");
            }
            _ => tracing::warn!(peer = %address, %listener, kind, unsaid, "connection closed: {close}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_reason_is_said_once_in_ten_seconds_with_the_count_of_the_others() {
        let log = CloseLog::default();
        let due = |close: &Close, now| log.said[close.index()].due(now);
        let start = Instant::now();
        assert_eq!(due(&Close::Foreign(Foreign::Tls), start), Some(0));
        assert_eq!(due(&Close::Foreign(Foreign::Tls), start + Duration::from_secs(1)), None);
        assert_eq!(due(&Close::Foreign(Foreign::Tls), start + Duration::from_secs(9)), None);
        assert_eq!(due(&Close::Foreign(Foreign::Http), start), Some(0), "another kind has its own line");
        assert_eq!(due(&Close::Foreign(Foreign::Tls), start + Duration::from_secs(10)), Some(2));
        assert_eq!(due(&Close::Foreign(Foreign::Tls), start + Duration::from_secs(20)), Some(0));
    }
}
