//! A node from its start to its end: the line it prints, the ports and directories it holds, the signals it obeys.

mod binary;

use binary::{Running, headwater, kafka_tool};
use rustix::process::Signal;

const QUIET: [&str; 4] = ["--listen", "127.0.0.1:0", "--override", "headwater.http.listen="];

fn with_data<'a>(data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--data", data], &QUIET[..], more].concat()
}

#[test]
fn a_node_says_where_it_is_and_ends_cleanly_by_either_signal() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data").display().to_string();
    let mut cluster = String::new();
    for signal in [Signal::TERM, Signal::INT] {
        let node = Running::start(&with_data(&data, &[]));
        let port = node.port().to_owned();
        let expected = format!(
            "headwater listens on localhost:{port}, data in {data}; try: kcat -b localhost:{port} -L\n"
        );
        assert_eq!(node.start_line, expected);
        std::net::TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
        let (code, out, err) = node.end(signal);
        assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
        assert!(home.path().join("data/.kafka_cleanshutdown").exists(), "{err}");
        // The same cluster at the second start: it is formatted once.
        let file = std::fs::read_to_string(home.path().join("data/meta.properties")).unwrap();
        let id = file.lines().find(|line| line.starts_with("cluster.id=")).unwrap().to_owned();
        assert!(cluster.is_empty() || cluster == id, "{cluster} became {id}");
        cluster = id;
    }
}

#[test]
fn a_taken_port_is_named_with_a_way_out() {
    let home = tempfile::tempdir().unwrap();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let data = home.path().join("data").display().to_string();
    let words = ["--data", &data, "--listen", &address, "--override", "headwater.http.listen="];
    let refused = headwater(&words);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains(&format!("cannot listen on {address}: the port is taken")), "{refused:?}");
    assert!(refused.err.contains("hint: ") && refused.err.contains("--listen"), "{refused:?}");
}

#[test]
fn a_taken_http_port_is_named_with_a_way_out() {
    let home = tempfile::tempdir().unwrap();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let data = home.path().join("data").display().to_string();
    let http = format!("headwater.http.listen={address}");
    let refused = headwater(&["--data", &data, "--listen", "127.0.0.1:0", "--override", &http]);
    assert!(refused.code == 1 && refused.err.contains(&address), "{refused:?}");
    assert!(refused.err.contains("hint: ") && refused.err.contains("headwater.http.listen"), "{refused:?}");
}

#[test]
fn a_directory_in_use_is_left_to_its_holder() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data").display().to_string();
    let node = Running::start(&with_data(&data, &[]));
    let second = headwater(&with_data(&data, &[]));
    assert!(second.code == 1 && second.err.contains("in use by another process"), "{second:?}");
    let (code, _, err) = node.end(Signal::TERM);
    assert_eq!(code, Some(0), "{err}");
}

#[test]
fn a_directory_of_another_node_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data").display().to_string();
    let (code, _, err) = Running::start(&with_data(&data, &[])).end(Signal::TERM);
    assert_eq!(code, Some(0), "{err}");
    let refused = headwater(&with_data(&data, &["--override", "node.id=2"]));
    assert!(refused.code == 1 && refused.err.contains("node"), "{refused:?}");
}

#[test]
fn a_node_that_lost_its_identity_does_not_become_another() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data").display().to_string();
    let (code, _, err) = Running::start(&with_data(&data, &[])).end(Signal::TERM);
    assert_eq!(code, Some(0), "{err}");
    let properties = home.path().join("data/meta.properties");
    std::fs::remove_file(&properties).unwrap();
    let refused = headwater(&with_data(&data, &[]));
    assert!(refused.code == 1 && refused.err.contains("its meta.properties is missing"), "{refused:?}");
    assert!(refused.err.contains("hint: put meta.properties back"), "{refused:?}");
    assert!(!properties.exists(), "nothing is written over what may be restored");
}

#[test]
fn a_formatted_directory_and_a_file_start_as_in_kafka() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("server.properties").display().to_string();
    let data = home.path().join("data").display().to_string();
    let text = format!(
        "process.roles=broker,controller\nnode.id=7\nlisteners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:0\ncontroller.listener.names=CONTROLLER\n\
         controller.quorum.voters=7@127.0.0.1:1\nlog.dirs={data}\nheadwater.http.listen=\nno.such.key=1\n"
    );
    std::fs::write(&file, text).unwrap();
    let formatted = headwater(&["storage", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", &file]);
    assert_eq!(formatted.code, 0, "{formatted:?}");
    let (code, _, err) = Running::start(&[&file]).end(Signal::TERM);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("no.such.key is not a setting"), "{err}");
}

#[test]
fn a_script_of_kafka_that_we_are_not_starts_no_node() {
    for name in ["kafka-server-stop.sh", "kafka-topics"] {
        let refused = kafka_tool(name, &[]);
        assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused:?}");
        assert!(refused.err.contains("is not one of the scripts that Headwater is"), "{refused:?}");
    }
}

/// Every thread that allocates would have an arena of its own, up to eight for each processor, and in each stays what was once free.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn threads_share_as_many_arenas_as_there_are_processors() {
    const ARENA_RESERVES: u64 = 64 << 20;
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data").display().to_string();
    let node = Running::start(&with_data(&data, &[]));
    let threads = std::fs::read_dir(format!("/proc/{}/task", node.id())).unwrap().count();
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", node.id())).unwrap();
    // An arena reserves so much at a place that is a multiple of it, and takes the front of that into use.
    let arenas = maps.lines().filter(|line| {
        let place = u64::from_str_radix(line.split('-').next().unwrap(), 16).unwrap();
        place % ARENA_RESERVES == 0 && line.contains(" rw-p ")
    });
    let (arenas, processors) = (arenas.count() + 1, std::thread::available_parallelism().unwrap().get());
    assert!(threads > processors.max(2), "{threads} threads tell nothing");
    assert!(arenas <= processors.max(2), "{arenas} arenas for {processors} processors:\n{maps}");
}
