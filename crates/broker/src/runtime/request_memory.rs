//! Memory for requests of very many elements, which all connections share.
//!
//! Decoding borrows, so that a request usually takes little more than its bytes. But a request of a hundred thousand
//! empty partitions takes many times its bytes to look up, decide and answer. What a request may take beyond a small
//! multiple of its bytes it draws from here first; who finds nothing left waits until others have let go, and a request
//! that would need more than there is at all is refused. So whatever is sent over however many connections, memory stays
//! within four times the bytes received, 64 KiB a connection, and `headwater.request.memory.bytes`.
//!
//! What is drawn is let go when the answer has left (see [`crate::net::Outbound::hold`]). Nothing here knows an API;
//! what an element may take is said by who asks.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What every request may take beside its own bytes: as many times those, and this.
const FREE_TIMES: usize = 3;
const FREE_BYTES: usize = 64 << 10;

/// Memory is handed out in units of this.
const UNIT: usize = 1 << 10;

/// The memory.
#[derive(Debug)]
pub struct RequestMemory {
    units: Arc<Semaphore>,
    units_max: usize,
}

/// Memory that was drawn; let go when dropped. `None` for a request that needed none.
pub type Drawn = Option<OwnedSemaphorePermit>;

/// A request that would need more than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "its {elements} elements may take {bytes} bytes, over headwater.request.memory.bytes={bytes_max}: ask for \
     fewer at a time"
)]
pub struct TooMuch {
    elements: usize,
    bytes: usize,
    bytes_max: usize,
}

/// What a request has to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim(u32);

impl RequestMemory {
    /// So many bytes in all.
    pub fn new(bytes: usize) -> Self {
        let units_max = bytes.div_ceil(UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { units: Arc::new(Semaphore::new(units_max)), units_max }
    }

    /// What a request of `received` bytes has to draw for `elements` that take `element_bytes` each.
    ///
    /// # Errors
    /// If it needs more than there is at all.
    pub fn claim(&self, received: usize, elements: usize, element_bytes: usize) -> Result<Claim, TooMuch> {
        let bytes = elements.saturating_mul(element_bytes);
        let free = received.saturating_mul(FREE_TIMES).saturating_add(FREE_BYTES);
        if bytes <= free {
            return Ok(Claim(0));
        }
        let units = (bytes - free).div_ceil(UNIT);
        if units > self.units_max {
            return Err(TooMuch { elements, bytes, bytes_max: self.units_max * UNIT });
        }
        Ok(Claim(u32::try_from(units).expect("it is at most units_max, which is a u32")))
    }

    /// Draws what is claimed, if it is there and nobody waits for it.
    pub fn try_draw(&self, Claim(units): Claim) -> Option<Drawn> {
        if units == 0 {
            return Some(None);
        }
        self.units.clone().try_acquire_many_owned(units).ok().map(Some)
    }

    /// Draws what is claimed; waits for it in line.
    pub async fn draw(&self, Claim(units): Claim) -> Drawn {
        if units == 0 {
            return None;
        }
        // It is never closed.
        self.units.clone().acquire_many_owned(units).await.ok()
    }

    /// How many bytes can be drawn at this moment.
    pub fn bytes_left(&self) -> usize {
        self.units.available_permits() * UNIT
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn only_what_goes_beyond_a_multiple_of_the_bytes_is_drawn() {
        let memory = RequestMemory::new(1 << 20);
        for (received, elements, units) in
            [(100, 1, 0), (0, 256, 0), (0, 257, 1), (10_000, 300, 0), (10_000, 400, 7), (0, 256 + 4096, 1024)]
        {
            assert_eq!(memory.claim(received, elements, 256), Ok(Claim(units)), "{received} {elements}");
        }
        let refusal = memory.claim(0, 256 + 4097, 256).unwrap_err();
        assert!(refusal.to_string().contains("4353 elements"), "{refusal}");
        assert!(memory.claim(usize::MAX, usize::MAX, 256).is_ok());
    }

    #[test]
    fn who_finds_too_little_waits_until_others_let_go() {
        let memory = RequestMemory::new(10 << 10);
        let held = memory.try_draw(Claim(7)).unwrap();
        assert_eq!(memory.bytes_left(), 3 << 10);
        assert!(memory.try_draw(Claim(4)).is_none());
        assert!(memory.try_draw(Claim(0)).is_some());
        let mut waiting = pin!(memory.draw(Claim(4)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert!(memory.try_draw(Claim(1)).is_none(), "nobody steps before who waits");
        drop(held);
        assert!(matches!(waiting.as_mut().poll(&mut context), Poll::Ready(Some(_))));
    }
}
