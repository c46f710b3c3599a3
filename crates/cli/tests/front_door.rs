//! The front door: what a person sees who starts a node, rightly or wrongly.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;

use binary::{headwater, kafka_tool};

fn written(text: &str) -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("server.properties").display().to_string();
    let data = home.path().join("data");
    std::fs::write(&file, format!("{text}\nlog.dirs={}\n", data.display())).unwrap();
    (home, file)
}

const NODE: &str = "process.roles=broker,controller\nnode.id=1\n\
    listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\n\
    controller.listener.names=CONTROLLER\ncontroller.quorum.bootstrap.servers=127.0.0.1:1";

#[test]
fn wrong_values_are_refused_with_key_value_and_what_is_allowed() {
    let (_home, file) = written(&format!("{NODE}\nnum.partitions=none"));
    let refused = headwater(&[&file]);
    assert_eq!(refused.code, 1);
    assert_eq!(
        refused.err,
        "error: invalid value \"none\" for num.partitions: it must be a whole number between 1 and 2147483647\n"
    );
    let refused = headwater(&["--override", "headwater.durability=maybe"]);
    assert!(refused.err.contains("it must be one of replica, fsync"), "{refused:?}");
    let refused = kafka_tool("kafka-server-start.sh", &[&file, "--override", "num.partitions=0"]);
    assert!(refused.err.contains("it must be at least 1"), "{refused:?}");
}

#[test]
fn unknown_keys_are_named_in_a_warning_and_kafkas_own_are_not() {
    let (_home, file) = written(&format!("{NODE}\nlog.retention.hour=5\noffsets.topic.num.partitions=4"));
    let ended = headwater(&[&file]);
    let warned = |part: &str| ended.err.lines().any(|line| line.contains("WARN") && line.contains(part));
    assert!(
        warned("log.retention.hour is not a setting") && warned("did you mean log.retention.hours?"),
        "{ended:?}"
    );
    assert!(!warned("listeners"), "{ended:?}");
}

#[test]
fn a_file_for_a_directory_that_is_not_formatted_says_how_to_format_it() {
    let (_home, file) = written(NODE);
    let refused = headwater(&[&file]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("data is not formatted\nhint: for a new cluster: headwater storage format -t "),
        "{refused:?}"
    );
    assert!(refused.err.trim_end().ends_with(&format!("-c {file} --standalone")), "{refused:?}");
}

#[test]
fn words_that_mean_nothing_end_with_a_hint_and_the_code_of_wrong_usage() {
    for (words, part) in [
        (&["--listen", "9092"][..], "HOST:PORT"),
        (&["--override", "num.partitions"], "KEY=VALUE"),
        (&["--log", "loud=shout"], "off, error, warn"),
        (&["--nosuch"], "unexpected argument"),
    ] {
        let refused = headwater(words);
        assert!(refused.code == 2 && refused.err.contains(part), "{words:?}: {refused:?}");
    }
    let refused = headwater(&["topics"]);
    assert!(
        refused.code == 1 && refused.err.contains("topics is neither a file nor a command"),
        "{refused:?}"
    );
    assert_eq!(kafka_tool("kafka-server-start.sh", &[]).code, 1);
}

#[test]
fn versions_name_the_kafka_that_is_spoken() {
    for version in [headwater(&["--version"]), kafka_tool("kafka-server-start.sh", &["--version"])] {
        assert!(version.code == 0 && version.out.contains("Apache Kafka 4.4"), "{version:?}");
    }
}
