//! Answers too long to be held at once: they leave in pieces, each made when the one before it has left.
//!
//! A future makes the answer and puts piece after piece into its [`Outlet`]; the connection that polls it takes each
//! out, sends it, and polls again. So a peer that reads slowly holds one piece in memory, and a peer that does not
//! read at all holds up only itself.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use super::{Answer, Close, Outbound};

/// Where an answer in the making puts its pieces. It holds one at most.
#[derive(Debug, Default)]
pub struct Outlet {
    piece: Mutex<Option<Outbound>>,
}

impl Outlet {
    /// Hands over a piece, and comes back once it has been taken. To be awaited within the answer's own future only:
    /// whoever polls that takes the piece before polling again, and nobody else is woken.
    pub async fn put(&self, piece: Outbound) {
        let mut piece = Some(piece);
        poll_fn(|_| {
            let mut slot = self.piece.lock().unwrap_or_else(PoisonError::into_inner);
            match piece.take() {
                Some(piece) => *slot = Some(piece),
                None if slot.is_none() => return Poll::Ready(()),
                None => {}
            }
            Poll::Pending
        })
        .await;
    }

    fn take(&self) -> Option<Outbound> {
        self.piece.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// An answer that cannot be given at once.
pub struct Pending {
    answer: Answer,
    outlet: Option<Arc<Outlet>>,
}

/// What a pending answer has to send.
#[derive(Debug)]
pub enum Given {
    /// A piece; more follow.
    Piece(Outbound),
    /// The answer, or the last piece of it.
    Last(Result<Outbound, Close>),
}

impl Pending {
    /// An answer that puts what it has to send before its end into `outlet`.
    pub fn in_pieces(answer: Answer, outlet: Arc<Outlet>) -> Self {
        Self { answer, outlet: Some(outlet) }
    }

    /// The whole answer, for who has no connection to send pieces on.
    pub async fn whole(mut self) -> Result<Outbound, Close> {
        let mut whole = Outbound::default();
        loop {
            match poll_fn(|context| self.poll(context)).await {
                Given::Piece(piece) => whole.append(piece),
                Given::Last(last) => {
                    whole.append(last?);
                    return Ok(whole);
                }
            }
        }
    }

    /// What is to be sent next, if it is there.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Given> {
        if let Poll::Ready(last) = self.answer.as_mut().poll(context) {
            return Poll::Ready(Given::Last(last));
        }
        match self.outlet.as_ref().and_then(|outlet| outlet.take()) {
            Some(piece) => Poll::Ready(Given::Piece(piece)),
            None => Poll::Pending,
        }
    }
}

impl From<Answer> for Pending {
    fn from(answer: Answer) -> Self {
        Self { answer, outlet: None }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("outlet", &self.outlet).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn each_piece_is_made_once_the_one_before_has_been_taken() {
        let made = Arc::new(Mutex::new(0));
        let (outlet, counting) = (Arc::new(Outlet::default()), made.clone());
        let pieces = outlet.clone();
        let answer: Answer = Box::pin(async move {
            for piece in 1..=3_u8 {
                *counting.lock().unwrap() = piece;
                let mut out = Outbound::default();
                out.bytes().push(piece);
                pieces.put(out).await;
            }
            Ok(Outbound::default())
        });
        let mut pending = Pending::in_pieces(answer, outlet);
        let mut context = Context::from_waker(Waker::noop());
        for piece in 1..=3_u8 {
            let Poll::Ready(Given::Piece(mut out)) = pending.poll(&mut context) else {
                panic!("piece {piece} is due");
            };
            assert_eq!((out.bytes().as_slice(), *made.lock().unwrap()), (&[piece][..], piece));
        }
        assert!(matches!(pending.poll(&mut context), Poll::Ready(Given::Last(Ok(_)))));
    }
}
