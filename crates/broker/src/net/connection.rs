//! One connection: reads, hands frames to the service, writes the answers.
//!
//! ```text
//!   readable -> receive -> frame, frame, frame -> one write -> readable ...
//!                             |
//!                             +- an answer that waits: what was answered before it leaves first,
//!                                what was sent after it stays unread
//! ```
//! What needs no waiting, nearly everything, is served and sent by plain calls.
//!
//! Nothing more is read while answers wait to be written, so a client that sends and does not read holds back
//! only itself, with at most one read and its answers in memory.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::task::coop::has_budget_remaining;
use tokio::time::Sleep;

use super::buffer::{BufferPool, ReadBuffer};
use super::foreign::Foreign;
use super::frame::{self, Front, PREFIX};
use super::pieces::Given;
use super::socket::Socket;
use super::{Answer, Close, Outbound, Peer, Pending, Service, Step};

/// How many answers of a connection may be promised at a time.
const PROMISED_MAX: usize = 64;

/// How long the other end may take nothing of an answer for which something is held that all connections share.
const HELD_PATIENCE: Duration = Duration::from_secs(30);

/// After so many frames without a wait the connections that share the thread get their turn.
const FRAMES_A_TURN: u32 = 128;

/// And after so many reads that found as much as they had room for: who sends without a pause is read without a wait.
const FULL_READS_A_TURN: u32 = 32;

/// What all connections of a server share.
#[derive(Debug)]
pub struct Shared {
    /// Where read buffers come from.
    pub pool: BufferPool,
    /// `socket.request.max.bytes`.
    pub frame_bytes_max: usize,
    /// `headwater.connection.response.bytes.max`: answers in memory over this are written before the next frame
    /// is served.
    pub response_bytes_max: usize,
    /// `connections.max.idle.ms`; `None` for never.
    pub idle_max: Option<Duration>,
    /// Set once the server stops: what was read is answered, nothing more is read.
    pub stopping: AtomicBool,
}

/// A connection being served.
pub struct Connection<S> {
    service: Arc<S>,
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    socket: Arc<Socket>,
    buffer: ReadBuffer,
    out: Outbound,
    /// Answers that are to come, in the order of their frames.
    promised: VecDeque<Pending>,
    /// Whether no frame has been served yet: another protocol shows at the very beginning.
    fresh: bool,
    heard: Instant,
    idle: Option<Idle>,
}

/// What became of the frames that were read, as far as nothing had to be waited for.
enum AtOnce {
    /// All were served.
    All {
        /// What the next one takes, as far as that is known.
        needed: usize,
    },
    /// So many were, and others, or their answers, have to be waited for.
    Rest {
        /// How many.
        served: u32,
        /// The answer to the last of them, if that is it.
        first: Option<Pending>,
    },
}

/// When to look whether the other side has been silent for too long.
struct Idle {
    sleep: Pin<Box<Sleep>>,
    until: Instant,
    /// Whether the connection's task is woken then.
    is_awaited: bool,
}

impl<S: Service> Connection<S> {
    /// A connection over a socket that has just been accepted.
    pub fn new(service: Arc<S>, shared: Arc<Shared>, peer: Arc<Peer>, socket: Arc<Socket>) -> Self {
        let (buffer, out) = (ReadBuffer::default(), Outbound::default());
        let heard = Instant::now();
        let idle = shared.idle_max.map(|idle_max| Idle::new(heard + idle_max));
        let promised = VecDeque::new();
        Self { service, shared, peer, socket, buffer, out, promised, fresh: true, heard, idle }
    }

    /// Serves until the other end has closed its side and everything is answered.
    pub async fn run(mut self) -> Result<(), Close> {
        let result = self.serve().await;
        // What was answered before the end is still owed.
        let broken = |close: &Close| {
            matches!(
                close,
                Close::Socket(_) | Close::FileEnded { .. } | Close::FileUnreadable { .. } | Close::Idle
            )
        };
        if !self.out.is_empty() && !result.as_ref().is_err_and(broken) {
            self.flush().await?;
        }
        self.buffer.discard(&self.shared.pool);
        result
    }

    async fn serve(&mut self) -> Result<(), Close> {
        let (mut needed, mut full_reads, mut speaks) = (PREFIX, 0_u32, false);
        loop {
            let (socket, idle_max, idle) = (&self.socket, self.shared.idle_max, &mut self.idle);
            let heard = (self.heard, std::mem::take(&mut speaks));
            let readable =
                unless_idle(heard, idle_max, idle, |context| socket.poll_readable(context)).await??;
            let room = self.buffer.room(&self.shared.pool, needed);
            let most = room.len();
            match readable.receive(room)? {
                None => {}
                Some(0) if self.buffer.filled().is_empty() => return Ok(()),
                Some(0) => return Err(self.foreign().map_or(Close::EndInFrame, Close::Foreign)),
                Some(count) => {
                    self.buffer.read(count);
                    self.heard = Instant::now();
                    speaks = true;
                    needed = match self.serve_at_once()? {
                        AtOnce::All { needed } => needed,
                        AtOnce::Rest { served, first } => self.serve_frames(served, first).await?,
                    };
                    if !self.send_at_once()? {
                        self.flush().await?;
                    }
                    if self.shared.stopping.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    full_reads = if count == most { full_reads + 1 } else { 0 };
                    if full_reads == FULL_READS_A_TURN {
                        full_reads = 0;
                        self.let_others_go_on().await;
                    }
                }
            }
            self.buffer.release(&self.shared.pool);
        }
    }

    /// Serves every whole frame that has been read, up to one whose answer has to be waited for: without the memory that waits
    /// take, which most connections have not touched lately.
    fn serve_at_once(&mut self) -> Result<AtOnce, Close> {
        let mut served = 0;
        while served < FRAMES_A_TURN
            && self.promised.is_empty()
            && self.out.bytes_in_memory() <= self.shared.response_bytes_max
        {
            let length = match frame::front(self.buffer.filled(), self.shared.frame_bytes_max) {
                Ok(Front::Frame(length)) => length,
                Ok(Front::Partial(needed)) => return Ok(AtOnce::All { needed }),
                Err(close) => return Err(self.foreign().map_or(close, Close::Foreign)),
            };
            served += 1;
            match self.call(length) {
                Step::Done => {}
                Step::Promise(pending) => self.promised.push_back(pending),
                Step::Wait(pending) => return Ok(AtOnce::Rest { served, first: Some(pending) }),
                Step::Close(close) => return Err(close),
            }
        }
        Ok(AtOnce::Rest { served, first: None })
    }

    /// Serves every whole frame that has been read, after so many of this turn and the answer to the last of these, where that has
    /// to be waited for; returns what the next one takes.
    async fn serve_frames(&mut self, mut served: u32, first: Option<Pending>) -> Result<usize, Close> {
        if let Some(pending) = first {
            self.wait(pending).await?;
        }
        loop {
            if served == FRAMES_A_TURN {
                served = 0;
                self.let_others_go_on().await;
            }
            if self.out.bytes_in_memory() > self.shared.response_bytes_max {
                self.flush().await?;
            }
            let length = match frame::front(self.buffer.filled(), self.shared.frame_bytes_max) {
                Ok(Front::Frame(length)) => length,
                Ok(Front::Partial(needed)) => {
                    self.keep_promises().await?;
                    return Ok(needed);
                }
                Err(close) => {
                    self.keep_promises().await?;
                    return Err(self.foreign().map_or(close, Close::Foreign));
                }
            };
            let next = &self.buffer.filled()[PREFIX..PREFIX + length];
            if self.promised.len() >= PROMISED_MAX
                || (!self.promised.is_empty() && !self.service.may_follow(next))
            {
                self.keep_promises().await?;
            }
            served += 1;
            match self.call(length) {
                Step::Done => {}
                Step::Promise(pending) => self.promised.push_back(pending),
                Step::Wait(pending) => {
                    self.keep_promises().await?;
                    self.wait(pending).await?;
                }
                Step::Close(close) => {
                    self.keep_promises().await?;
                    return Err(close);
                }
            }
        }
    }

    /// Lets the other connections of the thread have their turn. If the idle timer has gone off meanwhile, the task was woken for it here,
    /// and will not be again: so that it is looked at before the next wait, who was heard of before is taken to be heard of now.
    async fn let_others_go_on(&mut self) {
        tokio::task::yield_now().await;
        self.heard = Instant::now();
    }

    /// Has the service see to the frame at the front.
    fn call(&mut self, length: usize) -> Step {
        let frame = &mut self.buffer.front(PREFIX + length)[PREFIX..];
        // Behind a promise an answer cannot stand in line yet.
        let mut apart = Outbound::default();
        let out = if self.promised.is_empty() { &mut self.out } else { &mut apart };
        let step = self.service.call(&self.peer, self.heard, frame, out);
        self.buffer.consume(PREFIX + length);
        self.fresh = false;
        if !apart.is_empty() {
            let ready: Answer = Box::pin(std::future::ready(Ok(apart)));
            self.promised.push_back(ready.into());
        }
        step
    }

    /// Waits for the answers that were promised, in order.
    async fn keep_promises(&mut self) -> Result<(), Close> {
        while let Some(pending) = self.promised.pop_front() {
            self.wait(pending).await?;
        }
        Ok(())
    }

    /// Waits for an answer; what was answered before leaves first, unless there is nothing to wait for. Each piece of
    /// a long answer leaves before the next one is made.
    async fn wait(&mut self, mut pending: Pending) -> Result<(), Close> {
        loop {
            let at_once = poll_fn(|context| Poll::Ready(pending.poll(context))).await;
            let given = match at_once {
                Poll::Ready(given) => given,
                Poll::Pending => {
                    self.buffer.release(&self.shared.pool);
                    self.flush().await?;
                    // As in Kafka, who is not heard of for so long is not waited with.
                    let (heard, idle_max) = ((self.heard, false), self.shared.idle_max);
                    let given = |context: &mut Context<'_>| pending.poll(context);
                    let given = unless_idle(heard, idle_max, &mut self.idle, given).await?;
                    self.heard = Instant::now();
                    given
                }
            };
            match given {
                Given::Last(answer) => {
                    self.out.append(answer?);
                    return Ok(());
                }
                Given::Piece(piece) => {
                    self.out.append(piece);
                    self.buffer.release(&self.shared.pool);
                    self.flush().await?;
                }
            }
        }
    }

    /// Sends what there is where that needs no waiting. Says whether there is nothing left.
    fn send_at_once(&mut self) -> Result<bool, Close> {
        if self.out.is_empty() {
            // A produce without acknowledgement has no answer, and may have held something all the same.
            self.out.clear();
            return Ok(true);
        }
        self.socket.send_at_once(&mut self.out)
    }

    async fn flush(&mut self) -> Result<(), Close> {
        if self.out.is_empty() {
            // It may hold something all the same.
            self.out.clear();
            return Ok(());
        }
        let patience = match self.shared.idle_max {
            max if !self.out.holds() => max,
            max => Some(max.map_or(HELD_PATIENCE, |max| max.min(HELD_PATIENCE))),
        };
        if self.socket.send(&mut self.out, patience).await? {
            self.heard = Instant::now();
        }
        Ok(())
    }

    fn foreign(&self) -> Option<Foreign> {
        self.fresh.then(|| Foreign::recognise(self.buffer.filled())).flatten()
    }
}

/// Waits for something, which `poll` asks for, as long as the other side has been `heard` of lately.
fn unless_idle<T>(
    (heard, mut speaks): (Instant, bool),
    idle_max: Option<Duration>,
    idle: &mut Option<Idle>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> impl Future<Output = Result<T, Close>> {
    poll_fn(move |context| {
        if let Poll::Ready(done) = poll(context) {
            return Poll::Ready(Ok(done));
        }
        let (Some(idle_max), Some(idle)) = (idle_max, idle.as_mut()) else { return Poll::Pending };
        // If the timer has gone off since, this is asked once more.
        if std::mem::take(&mut speaks) && idle.is_set_beyond(heard) {
            return Poll::Pending;
        }
        idle.poll(heard + idle_max, context).map(|()| Err(Close::Idle))
    })
}

impl Idle {
    fn new(until: Instant) -> Self {
        let sleep = Box::pin(tokio::time::sleep_until(until.into()));
        Self { sleep, until, is_awaited: false }
    }

    /// Whether the connection's task is woken some time after this one, which is not long ago.
    fn is_set_beyond(&self, heard: Instant) -> bool {
        self.is_awaited && heard < self.until
    }

    /// Ready once it is past the deadline. The timer is not moved with every request; when it goes off early it is set anew.
    /// Nor is it looked at before: it lies in memory that nobody else has touched since the last request.
    fn poll(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        if self.is_awaited && Instant::now() < self.until {
            return Poll::Pending;
        }
        loop {
            if self.sleep.as_mut().poll(context).is_pending() {
                // A task that has had its share is told so whatever it asks, and nothing wakes it for this.
                self.is_awaited = has_budget_remaining();
                return Poll::Pending;
            }
            self.is_awaited = false;
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            self.until = deadline;
            self.sleep.as_mut().reset(deadline.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::coop::poll_proceed;

    use super::*;

    #[tokio::test]
    async fn a_task_that_has_had_its_share_does_not_take_its_timer_for_set() {
        let silence = async {
            let mut idle = Idle::new(Instant::now() + Duration::from_millis(5));
            let deadline = idle.until;
            poll_fn(|context| {
                while let Poll::Ready(share) = poll_proceed(context) {
                    share.made_progress();
                }
                assert!(idle.poll(deadline, context).is_pending());
                Poll::Ready(())
            })
            .await;
            assert!(!idle.is_awaited);
            tokio::task::yield_now().await;
            poll_fn(|context| idle.poll(deadline, context)).await;
        };
        tokio::time::timeout(Duration::from_secs(20), tokio::spawn(silence)).await.unwrap().unwrap();
    }
}
