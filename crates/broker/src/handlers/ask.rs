//! Asking the controller: within the time the client gives, answered by what was decided or by a code and a sentence.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use metadata::controller::Decision;
use metadata::{Image, Refusal};
use protocol::ErrorCode;
use protocol::id::Timestamp;

use super::Call;
use super::sentence::sentence;
use crate::runtime::quorum::QuorumError;
use crate::seldom::Seldom;

static UNKNOWN: Seldom = Seldom::new();

/// Why something was not done, as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Kafka's code.
    pub code: ErrorCode,
    /// What a person reads.
    pub message: Cow<'static, str>,
}

impl Refused {
    /// A refusal with this code and sentence.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: sentence(message) }
    }

    /// A request that contradicts itself.
    pub fn request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::new(ErrorCode::from(&refusal), refusal.to_string())
    }
}

/// The code and the message of an outcome, as answers carry them.
pub fn wire<T>(outcome: Result<T, Refused>) -> (i16, Option<Cow<'static, str>>) {
    match outcome {
        Ok(_) => (ErrorCode::None.into(), None),
        Err(refused) => (refused.code.into(), Some(refused.message)),
    }
}

/// Has the controller decide, and waits until the decision is committed and this broker has applied it.
///
/// # Errors
/// What the controller refused as a whole, or why it could not be asked in time.
pub async fn ask<R: Send + 'static>(
    call: &Call,
    timeout_ms: i32,
    decide: impl FnOnce(&Image, Timestamp) -> Result<Decision<R>, Refusal> + Send + 'static,
) -> Result<R, Refused> {
    // Kafka's controller gives a request without time up before it looks at it.
    let timeout = u64::try_from(timeout_ms).ok().filter(|ms| *ms > 0);
    let Some(timeout) = timeout else {
        return Err(timed_out("the request came with no time left: give timeout_ms a positive value"));
    };
    match tokio::time::timeout(Duration::from_millis(timeout), call.broker.quorum.submit(decide)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(QuorumError::Refused(refusal))) => Err(refusal.into()),
        Ok(Err(error @ QuorumError::NotController)) => {
            Err(Refused::new(ErrorCode::NotController, error.to_string()))
        }
        Ok(Err(error @ QuorumError::NoRoom(_))) => {
            Err(Refused::new(ErrorCode::KafkaStorageError, error.to_string()))
        }
        Ok(Err(error @ QuorumError::Closed(_))) => {
            if let Some(unsaid) = UNKNOWN.due(Instant::now()) {
                let api = call.asked.api.name();
                tracing::error!(api, %error, unsaid, "a change is not known to be made");
            }
            Err(Refused::new(ErrorCode::UnknownServerError, error.to_string()))
        }
        Err(_) => Err(timed_out(
            "the change was not committed in the time the request gave; it may still be: look before asking again",
        )),
    }
}

fn timed_out(message: &'static str) -> Refused {
    Refused::new(ErrorCode::RequestTimedOut, message)
}
