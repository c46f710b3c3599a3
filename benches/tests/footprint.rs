//! What a broker holds after a fixed script: memory of its own and open files. A process of its own runs it, so that
//! nothing of the load is counted.
#![expect(clippy::unwrap_used, reason = "a guard that cannot measure fails")]
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use benches::crowd::Crowd;
use benches::load::{Connection, Prepared, wait_for_partitions};
use benches::workload::{LONE, WORKLOADS};

/// Anonymous memory after the script, in KiB.
const ANONYMOUS_KIB_MAX: u64 = 12 * 1024;
/// What a second run of the script may add to that.
const ANONYMOUS_KIB_GROWN_MAX: u64 = 2 * 1024;
/// Open files once every connection is closed and every topic deleted.
const OPEN_MAX: usize = 24;
/// Open files of a partition with a record: its log. Its indexes are opened when they are read.
const OPEN_A_PARTITION_MAX: f64 = 1.05;
const PARTITIONS: i32 = 400;
const REQUESTS: u32 = 300;

/// A node in a process of its own.
struct Served(Child);

impl Served {
    fn start(directory: &std::path::Path) -> (Self, SocketAddr) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_headwater-benches"))
            .arg("serve")
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Self(child), line.trim().parse().unwrap())
    }

    fn anonymous_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// What it has open besides sockets.
    fn open_files(&self) -> usize {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", self.0.id())).unwrap();
        let is_socket = |path: &std::path::Path| {
            std::fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        };
        entries.filter(|entry| !is_socket(&entry.as_ref().unwrap().path())).count()
    }

    fn open_sockets(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.0.id())).unwrap().count() - self.open_files()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every shape of load once, on topics that are deleted after it.
fn script(address: SocketAddr) {
    for workload in WORKLOADS {
        let mut prepared = Prepared::new(address, workload, REQUESTS).unwrap();
        prepared.run(REQUESTS).unwrap();
        prepared.finish().unwrap();
    }
    for crowd in [Crowd::Tailing(50), Crowd::Producers(64), Crowd::WideFetch(100)] {
        let mut gathered = crowd.gather(address).unwrap();
        gathered.run(20).unwrap();
        gathered.finish().unwrap();
    }
}

/// What a broker's connections hold while so many of them are within a frame of 200 KiB: more than the guard lets pass.
fn unfinished(address: SocketAddr) -> Vec<TcpStream> {
    let begin = |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&(1_i32 << 20).to_be_bytes()).unwrap();
        stream.write_all(&vec![0; 200 << 10]).unwrap();
        stream
    };
    (0..64).map(begin).collect()
}

/// Waits until a figure is over what it may be at most; the figure by then.
fn grown(most: u64, figure: impl Fn() -> u64) -> u64 {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while figure() <= most && std::time::Instant::now() < end {
        std::thread::yield_now();
    }
    figure()
}

/// Waits until a figure is at most what it should be, for files of deleted topics close in their own time.
fn settled(most: usize, figure: impl Fn() -> usize) -> usize {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while figure() > most && std::time::Instant::now() < end {
        std::thread::yield_now();
    }
    figure()
}

#[test]
fn a_script_leaves_little_memory_and_few_open_files() {
    let directory = tempfile::tempdir().unwrap();
    let (served, address) = Served::start(directory.path());
    let (files, sockets) = (served.open_files(), served.open_sockets());
    script(address);
    let first = served.anonymous_kib();
    script(address);
    let second = served.anonymous_kib();
    println!("{first} KiB, then {second}; open before: {files} files, {sockets} sockets");
    assert!(first <= ANONYMOUS_KIB_MAX, "{first} KiB of memory after the script");
    assert!(second <= first + ANONYMOUS_KIB_GROWN_MAX, "{first} KiB of memory grew to {second}");
    let open = settled(OPEN_MAX, || served.open_files());
    println!("open after: {open} files");
    assert!(open <= OPEN_MAX, "{open} files are open after the script, {files} before");
    let left = settled(sockets, || served.open_sockets());
    // One that asked whether the broker serves may have been open still.
    assert!(
        left <= sockets,
        "{left} sockets after the script, when all connections are closed, and {sockets} before"
    );
    // As if connections kept their buffers, and deleted topics their files.
    let kept = unfinished(address);
    let most = ANONYMOUS_KIB_MAX.max(second + ANONYMOUS_KIB_GROWN_MAX);
    let kib = grown(most, || served.anonymous_kib());
    assert!(kib > most, "buffers that are kept go unnoticed: {second} KiB grew to {kib}");
    let open = served.open_sockets();
    assert!(open > sockets, "connections that stay go unnoticed: {open} sockets");
    drop(kept);
    let (batch, _) = LONE.batch().unwrap();
    let mut connection = Connection::open(address).unwrap();
    connection.create_topic("kept", PARTITIONS, &[]).unwrap();
    for _ in 0..2 {
        wait_for_partitions(&mut connection, "kept", &batch, PARTITIONS).unwrap();
    }
    let open = served.open_files();
    assert!(open > OPEN_MAX, "files that stay open go unnoticed: {open}");
}

#[test]
fn a_partition_keeps_one_file_open() {
    let directory = tempfile::tempdir().unwrap();
    let (served, address) = Served::start(directory.path());
    let mut connection = Connection::open(address).unwrap();
    let (batch, _) = LONE.batch().unwrap();
    let before = served.open_files();
    connection.create_topic("files", PARTITIONS, &[]).unwrap();
    // The first record of a partition makes no file; the second does.
    for _ in 0..2 {
        wait_for_partitions(&mut connection, "files", &batch, PARTITIONS).unwrap();
    }
    let each = (served.open_files() - before) as f64 / f64::from(PARTITIONS);
    println!("{each} open files a partition");
    assert!(each <= OPEN_A_PARTITION_MAX, "{each} open files a partition");
    assert!(each > 0.5, "{each} open files a partition: what is counted?");
    // Segments that are left open, as these are for as long as files may be open, are planted and must be noticed.
    let before = served.open_files();
    connection.create_topic("rolled", PARTITIONS, &[("segment.ms", "1")]).unwrap();
    for _ in 0..4 {
        let (batch, _) = LONE.batch().unwrap();
        wait_for_partitions(&mut connection, "rolled", &batch, PARTITIONS).unwrap();
    }
    let each = (served.open_files() - before) as f64 / f64::from(PARTITIONS);
    println!("{each} open files a partition that has rolled");
    assert!(each > OPEN_A_PARTITION_MAX, "files left open go unnoticed: {each} a partition");
}
