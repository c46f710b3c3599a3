//! The least that the kernel takes of who serves very many connections that each ask little: one wait for all that have something to
//! say, and for each of them one receive and one send.
//!
//! Nothing is read of what was asked: everybody is told the same. What a broker costs beyond this under the same load, it pays for
//! its own work.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use protocol::messages::header::ResponseHeader;
use protocol::messages::{HeartbeatResponse, Message};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::contender::{Contender, Running};

/// So many that have something to say are told of by one wait, as tokio asks for.
const EVENTS: usize = 1024;
/// How much is received at a time, as by a broker.
const RECEIVED: usize = 16 << 10;
/// Stands for the listener among the connections.
const LISTENER: u64 = u64::MAX;

/// Starts one on the broker's core.
pub fn start(directory: &Path) -> Result<Running> {
    let program = std::env::current_exe()?;
    let program = program.to_str().context("a program whose name is UTF-8")?;
    let echo = Contender::parse(&format!("echo={program} echo --port {{port}}"))?.spawn(directory)?;
    echo.wait_until_listening(Duration::from_secs(10))?;
    Ok(echo)
}

/// Answers whoever connects to `address`, for ever.
pub fn serve(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
    let (poll, answer) = (epoll::create(CreateFlags::CLOEXEC)?, answer()?);
    epoll::add(&poll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut connections: Vec<TcpStream> = Vec::new();
    let mut events = vec![Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; EVENTS];
    let mut received = vec![0; RECEIVED];
    loop {
        let count = match epoll::wait(&poll, &mut events[..], None) {
            Err(Errno::INTR) => continue,
            waited => waited?,
        };
        for event in &events[..count] {
            let number = event.data.u64();
            let Some(connection) = usize::try_from(number).ok().and_then(|number| connections.get(number))
            else {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
                epoll::add(&poll, &stream, EventData::new_u64(connections.len() as u64), flags)?;
                connections.push(stream);
                continue;
            };
            match recv(connection, &mut received[..], RecvFlags::empty()) {
                // Whoever has gone is told nothing any more.
                Ok((_, 0)) | Err(Errno::AGAIN | Errno::CONNRESET) => {}
                Ok(_) => {
                    send(connection, &answer, SendFlags::NOSIGNAL)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// That all is well, in answer to a heartbeat.
fn answer() -> Result<Vec<u8>> {
    let mut answer = vec![0; 4];
    ResponseHeader { correlation_id: 7 }.encode(1, &mut answer)?;
    HeartbeatResponse::default().encode(4, &mut answer)?;
    let length = i32::try_from(answer.len() - 4)?;
    answer[..4].copy_from_slice(&length.to_be_bytes());
    Ok(answer)
}
