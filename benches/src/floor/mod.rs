//! The least that a broker can do, to measure others by: frames read, checksums checked, batches appended, answers
//! written; records sent from the file to the socket.
//!
//! One blocking thread a connection, one file a partition, nothing kept over a restart. It speaks the few versions that
//! [`crate::frames`] sends and ends the connection at anything else. It never validates records, replicates,
//! authorises or frees what is deleted before it ends: whatever a broker costs beyond this, it pays for doing more.

mod answer;
mod log;
mod request;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::answer::Answer;
use self::log::Log;
use self::request::{Fetch, Header, Produce, TopicRequest};

/// How many bytes of requests are read at once: some of the largest that are sent.
const READ_BYTES: usize = 4 << 20;

/// Partitions by topic and index.
type Topics = BTreeMap<Vec<u8>, Vec<Arc<Log>>>;

/// What all connections share.
#[derive(Debug)]
struct Floor {
    directory: PathBuf,
    topics: Mutex<Topics>,
}

/// Serves connections to `address` for ever, with its files in `directory`.
pub fn serve(address: SocketAddr, directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    let listener = TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
    let floor = Arc::new(Floor { directory: directory.to_owned(), topics: Mutex::default() });
    for stream in listener.incoming() {
        let (stream, floor) = (stream?, Arc::clone(&floor));
        std::thread::spawn(move || {
            if let Err(error) = Connection::new(floor, stream).and_then(Connection::run) {
                eprintln!("a connection ended: {error:#}");
            }
        });
    }
    Ok(())
}

/// One client, served to its end by a thread of its own.
struct Connection {
    floor: Arc<Floor>,
    stream: TcpStream,
    /// Partitions this client has named, looked up once: the last topic only.
    topic: (Vec<u8>, Vec<Arc<Log>>),
    answer: Answer,
}

impl Connection {
    fn new(floor: Arc<Floor>, stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { floor, stream, topic: Default::default(), answer: Answer::default() })
    }

    /// Reads frames, as many as have come, until the client goes; answers what one read brought by one write.
    fn run(mut self) -> Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        let (mut begin, mut end) = (0, 0);
        loop {
            while let Some(length) = whole_frame(&buffer[begin..end])? {
                self.serve(&mut buffer[begin + 4..begin + 4 + length])?;
                begin += 4 + length;
            }
            self.answer.send(&mut self.stream)?;
            buffer.copy_within(begin..end, 0);
            (begin, end) = (0, end - begin);
            let read = self.stream.read(&mut buffer[end..])?;
            if read == 0 {
                return Ok(());
            }
            end += read;
        }
    }

    fn serve(&mut self, frame: &mut [u8]) -> Result<()> {
        let header = Header::read(frame)?;
        match (header.api_key, header.version) {
            (0, 11) => self.produce(header, frame),
            (1, 12) => self.fetch(header, frame),
            (19, 5) => self.create_topic(header, frame),
            (20, 4) => self.delete_topic(header, frame),
            (api_key, version) => bail!("version {version} of API {api_key} is not spoken on the floor"),
        }
    }

    fn produce(&mut self, header: Header, frame: &mut [u8]) -> Result<()> {
        let request = Produce::read(frame, header.body)?;
        let log = self.log(request.topic(frame), request.partition)?;
        let base_offset = log.append(&mut frame[request.batch.clone()])?;
        self.answer.produce(
            header.correlation,
            &frame[request.topic.clone()],
            request.partition,
            base_offset,
        );
        Ok(())
    }

    fn fetch(&mut self, header: Header, frame: &[u8]) -> Result<()> {
        let request = Fetch::read(frame, header.body)?;
        // A fetch of several partitions is answered at once: no load here waits for the first of many.
        let wait = if request.partitions.len() == 1 { request.wait } else { Duration::ZERO };
        if !wait.is_zero() {
            self.answer.send(&mut self.stream)?;
        }
        let mut slices = Vec::with_capacity(request.partitions.len());
        for wanted in &request.partitions {
            let log = self.log(&frame[wanted.topic.clone()], wanted.partition)?;
            let slice = log.slice(wanted.offset, wanted.bytes, wait)?;
            slices.push((wanted, log, slice));
        }
        self.answer.fetch(&mut self.stream, header.correlation, frame, &slices)
    }

    fn create_topic(&mut self, header: Header, frame: &[u8]) -> Result<()> {
        let request = TopicRequest::read_create(frame, header.body)?;
        let name = &frame[request.name];
        let logs = (0..request.partitions)
            .map(|index| Log::create(&self.floor.directory, name, index).map(Arc::new))
            .collect::<Result<Vec<_>>>()?;
        self.floor.topics().insert(name.to_vec(), logs);
        self.answer.topic_created(header.correlation, name, request.partitions);
        Ok(())
    }

    fn delete_topic(&mut self, header: Header, frame: &[u8]) -> Result<()> {
        let request = TopicRequest::read_delete(frame, header.body)?;
        let name = &frame[request.name];
        for log in self.floor.topics().remove(name).unwrap_or_default() {
            log.delete()?;
        }
        self.topic = Default::default();
        self.answer.topic_deleted(header.correlation, name);
        Ok(())
    }

    fn log(&mut self, topic: &[u8], partition: i32) -> Result<Arc<Log>> {
        if self.topic.0 != topic {
            let logs = self.floor.topics().get(topic).cloned().context("no such topic on the floor")?;
            self.topic = (topic.to_vec(), logs);
        }
        let log = self.topic.1.get(usize::try_from(partition)?);
        log.cloned().with_context(|| format!("no partition {partition}"))
    }
}

impl Floor {
    fn topics(&self) -> std::sync::MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The length of the first frame if all of it is there.
fn whole_frame(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(length) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = usize::try_from(i32::from_be_bytes(*length))?;
    anyhow::ensure!(length + 4 <= READ_BYTES, "a frame of {length} bytes is more than the floor reads");
    Ok((bytes.len() >= 4 + length).then_some(length))
}

impl Answer {
    /// Writes what has been gathered.
    fn send(&mut self, stream: &mut TcpStream) -> Result<()> {
        if !self.bytes.is_empty() {
            stream.write_all(&self.bytes)?;
            self.bytes.clear();
        }
        Ok(())
    }
}
