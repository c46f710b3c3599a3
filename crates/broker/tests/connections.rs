//! The connection layer over real sockets, with a service that knows nothing of Kafka: what a frame asks for
//! stands in its first byte.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use broker::net::limits::ConnectionBounds;
use broker::net::listener::{BindError, Bound, Endpoint, Server, Settings};
use broker::net::{Answer, Close, FileRange, Outbound, Peer, Service, Step};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

/// Answers each frame by its first byte: `e` with the frame, `w` with the frame once `go` is told, `f` with the
/// file between brackets, `s` with nothing, `x` by closing, `b` with 64 KiB, `p` like `w` as a promise. What begins
/// with `p` or `P` may follow a promise; `P` is answered at once.
#[derive(Default)]
struct Echo {
    go: Arc<Notify>,
    waiting: AtomicUsize,
    open: AtomicUsize,
    file: Mutex<Option<FileRange>>,
}

fn answer(out: &mut Outbound, bytes: &[u8]) {
    let begun = out.begin();
    out.bytes().extend_from_slice(bytes);
    out.end(begun).unwrap();
}

impl Service for Echo {
    fn call(&self, _: &Arc<Peer>, _: Instant, frame: &mut [u8], out: &mut Outbound) -> Step {
        match frame[0] {
            b'e' | b'P' => answer(out, frame),
            b'w' | b'p' => {
                let promise = frame[0] == b'p';
                let (go, frame) = (self.go.clone(), frame.to_vec());
                self.waiting.fetch_add(1, Ordering::SeqCst);
                let pending: Answer = Box::pin(async move {
                    go.notified().await;
                    let mut out = Outbound::default();
                    answer(&mut out, &frame);
                    Ok(out)
                });
                return if promise { Step::Promise(pending.into()) } else { Step::Wait(pending.into()) };
            }
            b'f' => {
                let begun = out.begin();
                out.bytes().push(b'[');
                out.range(self.file.lock().unwrap().clone().unwrap());
                out.bytes().push(b']');
                out.end(begun).unwrap();
            }
            b'b' => answer(out, &[b'b'; 64 << 10]),
            b's' => {}
            _ => return Step::Close(Close::ApiKey { api_key: 99 }),
        }
        Step::Done
    }

    fn may_follow(&self, frame: &[u8]) -> bool {
        matches!(frame[0], b'p' | b'P')
    }

    fn connected(&self, _: &Peer) {
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    fn disconnected(&self, _: &Peer) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Node {
    runtime: Runtime,
    server: Server,
    service: Arc<Echo>,
    address: SocketAddr,
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint {
        name: "PLAINTEXT".into(),
        host: "127.0.0.1".into(),
        port,
        connections_max: usize::MAX,
        exempt: false,
    }
}

fn settings() -> Settings {
    Settings {
        endpoints: vec![endpoint(0)],
        backlog: 50,
        frame_bytes_max: 1 << 20,
        response_bytes_max: 256 << 10,
        idle_max: Some(Duration::from_secs(60)),
        send_buffer_bytes: None,
        receive_buffer_bytes: None,
        pool_bytes: 1 << 20,
        bounds: ConnectionBounds::default(),
    }
}

fn start(settings: &Settings) -> Node {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let bound = Bound::bind(&settings.endpoints, settings.backlog).unwrap();
    let address = bound.addresses()[0].1;
    let service = Arc::new(Echo::default());
    let server = Server::start(runtime.handle(), bound, settings, &service).unwrap();
    Node { runtime, server, service, address }
}

impl Node {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    fn until(&self, what: impl Fn(&Echo) -> bool) {
        let begun = Instant::now();
        while !what(&self.service) {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not come to that");
            std::thread::yield_now();
        }
    }
}

/// A frame of a kind: the kind, a number, and as many bytes as make it up to `length`.
fn frame(kind: u8, number: u8, length: usize) -> Vec<u8> {
    let mut bytes = (length as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&[kind, number]);
    bytes.resize(4 + length, number);
    bytes
}

fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).unwrap();
    body
}

fn assert_closed(stream: &mut TcpStream) {
    match stream.read(&mut [0; 16]) {
        Ok(0) => {}
        Ok(count) => panic!("{count} bytes instead of the end"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn frames_split_at_every_byte_and_frames_in_one_packet_are_served() {
    let node = start(&settings());
    let mut stream = node.connect();
    stream.set_nodelay(true).unwrap();
    for byte in frame(b'e', 1, 20) {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(read_frame(&mut stream)[..2], [b'e', 1]);
    let many: Vec<u8> =
        (0..100).flat_map(|number| frame(b'e', number, 8 + usize::from(number) * 50)).collect();
    stream.write_all(&many).unwrap();
    for number in 0..100 {
        assert_eq!(read_frame(&mut stream), frame(b'e', number, 8 + usize::from(number) * 50)[4..]);
    }
}

#[test]
fn frames_larger_than_any_pooled_buffer_are_served() {
    let node = start(&Settings { frame_bytes_max: 8 << 20, ..settings() });
    let mut stream = node.connect();
    let large = frame(b'e', 7, 5 << 20);
    let mut reader = stream.try_clone().unwrap();
    let reading = std::thread::spawn(move || (read_frame(&mut reader), read_frame(&mut reader)));
    stream.write_all(&large).unwrap();
    stream.write_all(&frame(b'e', 8, 8)).unwrap();
    let (first, second) = reading.join().unwrap();
    assert!(first == large[4..]);
    assert_eq!(second[..2], [b'e', 8]);
}

#[test]
fn an_answer_that_waits_holds_back_its_own_connection_only() {
    let node = start(&settings());
    let (mut held, mut free) = (node.connect(), node.connect());
    let requests = [frame(b'e', 1, 8), frame(b'w', 2, 8), frame(b'e', 3, 8)].concat();
    held.write_all(&requests).unwrap();
    assert_eq!(read_frame(&mut held)[..2], [b'e', 1], "what was answered before the wait leaves first");
    node.until(|service| service.waiting.load(Ordering::SeqCst) == 1);
    free.write_all(&frame(b'e', 9, 8)).unwrap();
    assert_eq!(read_frame(&mut free)[..2], [b'e', 9]);
    held.set_nonblocking(true).unwrap();
    assert_eq!(held.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    held.set_nonblocking(false).unwrap();
    node.service.go.notify_one();
    assert_eq!(read_frame(&mut held)[..2], [b'w', 2]);
    assert_eq!(read_frame(&mut held)[..2], [b'e', 3]);
}

#[test]
fn what_may_follow_a_promise_is_served_meanwhile_and_answered_in_order() {
    let node = start(&settings());
    let mut stream = node.connect();
    let kinds = [(b'e', 0), (b'p', 1), (b'P', 2), (b'p', 3), (b'e', 4), (b'p', 5)];
    let frames: Vec<u8> = kinds.iter().flat_map(|(kind, number)| frame(*kind, *number, 8)).collect();
    stream.write_all(&frames).unwrap();
    assert_eq!(read_frame(&mut stream)[..2], [b'e', 0], "what was answered before the promises leaves first");
    node.until(|service| service.waiting.load(Ordering::SeqCst) == 2);
    node.service.go.notify_one();
    assert_eq!(read_frame(&mut stream)[..2], [b'p', 1]);
    assert_eq!(read_frame(&mut stream)[..2], [b'P', 2]);
    assert_eq!(node.service.waiting.load(Ordering::SeqCst), 2, "the fifth frame may not follow a promise");
    node.service.go.notify_one();
    assert_eq!(read_frame(&mut stream)[..2], [b'p', 3]);
    assert_eq!(read_frame(&mut stream)[..2], [b'e', 4]);
    node.until(|service| service.waiting.load(Ordering::SeqCst) == 3);
    node.service.go.notify_one();
    assert_eq!(read_frame(&mut stream)[..2], [b'p', 5]);
}

#[test]
fn promises_are_kept_before_a_refused_frame_ends_the_connection() {
    let node = start(&settings());
    let mut stream = node.connect();
    stream.write_all(&[frame(b'p', 1, 8), frame(b'x', 0, 8)].concat()).unwrap();
    node.until(|service| service.waiting.load(Ordering::SeqCst) == 1);
    node.service.go.notify_one();
    assert_eq!(read_frame(&mut stream)[..2], [b'p', 1]);
    assert_closed(&mut stream);
}

#[test]
fn file_ranges_stand_between_the_bytes() {
    let node = start(&settings());
    let mut file = tempfile::tempfile().unwrap();
    let content: Vec<u8> = (0..3_000_000u32).map(|index| (index % 251) as u8).collect();
    file.write_all(&content).unwrap();
    let range = FileRange { file: Arc::new(file), position: 5, length: 2_900_000 };
    *node.service.file.lock().unwrap() = Some(range);
    let mut stream = node.connect();
    stream.write_all(&[frame(b'f', 0, 8), frame(b'e', 1, 8), frame(b'f', 0, 8)].concat()).unwrap();
    let expected = [b"[", &content[5..2_900_005], b"]"].concat();
    assert!(read_frame(&mut stream) == expected);
    assert_eq!(read_frame(&mut stream)[..2], [b'e', 1]);
    assert!(read_frame(&mut stream) == expected);
}

#[test]
fn a_half_closed_connection_is_still_answered() {
    let node = start(&settings());
    let mut stream = node.connect();
    stream.write_all(&[frame(b'e', 1, 8), frame(b'w', 2, 8)].concat()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_frame(&mut stream)[..2], [b'e', 1]);
    node.until(|service| service.waiting.load(Ordering::SeqCst) == 1);
    node.service.go.notify_one();
    assert_eq!(read_frame(&mut stream)[..2], [b'w', 2]);
    assert_closed(&mut stream);
}

#[test]
fn a_slow_reader_is_not_read_from() {
    let node = start(&settings());
    let mut stream = node.connect();
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Each 12 bytes ask for 64 KiB. Unread answers must stop the reading long before 20 MB of requests.
    let asking = frame(b'b', 0, 8).repeat(10_000);
    let mut written = 0;
    while written < 20_000_000 {
        match stream.write(&asking) {
            Ok(count) => written += count,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
                break;
            }
        }
    }
    assert!(written < 20_000_000, "all of it was read");
    let mut other = node.connect();
    other.write_all(&frame(b'e', 1, 8)).unwrap();
    assert_eq!(read_frame(&mut other)[..2], [b'e', 1]);
}

#[test]
fn what_was_answered_before_a_refused_frame_is_written() {
    let node = start(&settings());
    for bad in
        [frame(b'x', 0, 8), (-1i32).to_be_bytes().to_vec(), i32::MAX.to_be_bytes().to_vec(), vec![0; 4]]
    {
        let mut stream = node.connect();
        stream.write_all(&[frame(b'e', 1, 8), bad].concat()).unwrap();
        assert_eq!(read_frame(&mut stream)[..2], [b'e', 1]);
        assert_closed(&mut stream);
    }
}

#[test]
fn other_protocols_are_closed() {
    let node = start(&settings());
    for hello in
        [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], b"PRI * HT"]
    {
        let mut stream = node.connect();
        stream.write_all(hello).unwrap();
        assert_closed(&mut stream);
    }
}

#[test]
fn a_connection_over_the_bound_of_its_address_is_closed_and_the_others_live() {
    let bounds = ConnectionBounds { per_address: 2, ..ConnectionBounds::default() };
    let node = start(&Settings { bounds, ..settings() });
    let mut kept = [node.connect(), node.connect()];
    node.until(|service| service.open.load(Ordering::SeqCst) == 2);
    assert_closed(&mut node.connect());
    for stream in &mut kept {
        stream.write_all(&frame(b'e', 1, 8)).unwrap();
        assert_eq!(read_frame(stream)[..2], [b'e', 1]);
    }
    drop(kept);
    node.until(|service| service.open.load(Ordering::SeqCst) == 0);
    let mut again = node.connect();
    again.write_all(&frame(b'e', 2, 8)).unwrap();
    assert_eq!(read_frame(&mut again)[..2], [b'e', 2]);
}

#[test]
fn a_listener_at_its_bound_serves_the_next_when_one_has_ended() {
    let mut one = endpoint(0);
    one.connections_max = 1;
    let node = start(&Settings { endpoints: vec![one], ..settings() });
    let mut first = node.connect();
    first.write_all(&frame(b'e', 1, 8)).unwrap();
    assert_eq!(read_frame(&mut first)[..2], [b'e', 1]);
    let mut second = node.connect();
    second.write_all(&frame(b'e', 2, 8)).unwrap();
    second.set_nonblocking(true).unwrap();
    assert_eq!(second.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    second.set_nonblocking(false).unwrap();
    drop(first);
    assert_eq!(read_frame(&mut second)[..2], [b'e', 2]);
}

#[test]
fn idle_connections_are_closed_and_busy_ones_are_not() {
    let node = start(&Settings { idle_max: Some(Duration::from_millis(300)), ..settings() });
    let (mut idle, mut partial, mut busy) = (node.connect(), node.connect(), node.connect());
    partial.write_all(&frame(b'e', 1, 100)[..50]).unwrap();
    let asking = std::thread::spawn(move || {
        for number in 0..12 {
            busy.write_all(&frame(b'e', number, 8)).unwrap();
            assert_eq!(read_frame(&mut busy)[..2], [b'e', number]);
            // The pace of a client, not a wait for something to happen.
            std::thread::sleep(Duration::from_millis(60));
        }
    });
    assert_closed(&mut idle);
    assert_closed(&mut partial);
    asking.join().unwrap();
}

#[test]
fn a_connection_that_only_waits_for_an_answer_is_idle_too() {
    let node = start(&Settings { idle_max: Some(Duration::from_millis(300)), ..settings() });
    let mut waiting = node.connect();
    waiting.write_all(&frame(b'w', 1, 8)).unwrap();
    assert_closed(&mut waiting);
    node.until(|service| service.open.load(Ordering::SeqCst) == 0);
}

#[test]
fn who_takes_nothing_of_its_answers_is_idle_too() {
    let idle_max = Some(Duration::from_millis(300));
    let node = start(&Settings { idle_max, send_buffer_bytes: Some(64 << 10), ..settings() });
    let mut stream = node.connect();
    // More than the system takes of answers that nobody reads.
    stream.write_all(&frame(b'b', 0, 8).repeat(400)).unwrap();
    node.until(|service| service.open.load(Ordering::SeqCst) == 0);
}

#[test]
fn a_reader_that_is_slow_and_gets_on_is_not_idle() {
    let idle_max = Some(Duration::from_secs(1));
    let response_bytes_max = 64 << 20;
    let send_buffer_bytes = Some(64 << 10);
    let node = start(&Settings { idle_max, response_bytes_max, send_buffer_bytes, ..settings() });
    let mut stream = node.connect();
    let answers = 400;
    stream.write_all(&frame(b'b', 0, 8).repeat(answers)).unwrap();
    for number in 0..answers {
        if number % 4 == 0 {
            // The pace of a client that takes several times as long as it may be idle.
            std::thread::sleep(Duration::from_millis(40));
        }
        assert_eq!(read_frame(&mut stream).len(), 64 << 10);
    }
    stream.write_all(&frame(b'e', 1, 8)).unwrap();
    assert_eq!(read_frame(&mut stream)[..2], [b'e', 1]);
}

#[test]
fn stopping_answers_what_was_taken() {
    let node = start(&settings());
    let mut waiting = node.connect();
    let mut idle = node.connect();
    waiting.write_all(&[frame(b'e', 1, 8), frame(b'w', 2, 8)].concat()).unwrap();
    assert_eq!(read_frame(&mut waiting)[..2], [b'e', 1]);
    node.until(|service| {
        service.waiting.load(Ordering::SeqCst) == 1 && service.open.load(Ordering::SeqCst) == 2
    });
    let Node { runtime, server, service, address } = node;
    let stopping = runtime.spawn(server.stop(Duration::from_secs(10)));
    assert_closed(&mut idle);
    service.go.notify_one();
    assert_eq!(read_frame(&mut waiting)[..2], [b'w', 2]);
    assert_closed(&mut waiting);
    assert!(runtime.block_on(stopping).unwrap(), "all connections ended by themselves");
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_taken_port_is_named() {
    let node = start(&settings());
    let port = node.address.port();
    let error = Bound::bind(&[endpoint(port)], 50).unwrap_err();
    assert!(matches!(error, BindError::PortTaken { .. }));
    assert!(error.to_string().contains(&format!("PLAINTEXT cannot listen on 127.0.0.1:{port}")), "{error}");
    let nowhere = Endpoint { host: "no-such-host.invalid".into(), ..endpoint(0) };
    let error = Bound::bind(&[nowhere], 50).unwrap_err();
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}

#[test]
fn ipv6_and_all_interfaces_are_listened_on() {
    let any = Endpoint { host: String::new(), ..endpoint(0) };
    let bound = Bound::bind(std::slice::from_ref(&any), 50).unwrap();
    let address = bound.addresses()[0].1;
    assert!(address.ip().is_unspecified());
    TcpStream::connect(("127.0.0.1", address.port())).unwrap();
    if address.is_ipv6() {
        TcpStream::connect(("::1", address.port())).unwrap();
        let six = Endpoint { host: "::1".into(), ..endpoint(0) };
        let bound = Bound::bind(&[six], 50).unwrap();
        TcpStream::connect(bound.addresses()[0].1).unwrap();
    }
}
