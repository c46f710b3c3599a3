//! `headwater storage` and kafka-storage, as a person or a script meets them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;

use binary::{Ended, headwater, kafka_tool};

const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// A directory with a properties file of one combined node.
fn node(more: &str) -> (tempfile::TempDir, String, String) {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data").display().to_string();
    let file = home.path().join("server.properties").display().to_string();
    let text = format!(
        "process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\n\
         controller.listener.names=CONTROLLER\nlog.dirs={data}\n{more}"
    );
    std::fs::write(&file, text).unwrap();
    (home, file, data)
}

const DYNAMIC: &str = "controller.quorum.bootstrap.servers=127.0.0.1:1\n";
const FIXED: &str = "controller.quorum.voters=1@127.0.0.1:1\n";

#[test]
fn random_ids_are_22_characters_and_differ() {
    let one = headwater(&["storage", "random-uuid"]);
    let other = kafka_tool("kafka-storage.sh", &["random-uuid"]);
    assert_eq!((one.code, other.code), (0, 0));
    assert_eq!((one.out.trim().len(), other.out.trim().len()), (22, 22));
    assert_ne!(one.out, other.out);
}

#[test]
fn a_new_cluster_of_one_is_formatted_once() {
    let (_home, file, data) = node(DYNAMIC);
    let format = ["storage", "format", "-t", CLUSTER, "-c", &file, "--standalone"];
    let first = headwater(&format);
    assert_eq!(first.code, 0, "{first:?}");
    let expected =
        format!("Formatting dynamic metadata voter directory {data} with metadata.version 4.4-IV2.");
    assert!(first.out.starts_with("Bootstrap metadata: ") && first.out.contains(&expected), "{first:?}");

    let again = headwater(&format);
    assert!(again.code == 1 && again.err.contains("--ignore-formatted"), "{again:?}");
    let passed_over = headwater(&[&format[..], &["-g"]].concat());
    assert_eq!(passed_over.code, 0);
    assert_eq!(passed_over.out, "All of the log directories are already formatted.\n");

    let info = headwater(&["storage", "info", "-c", &file]);
    assert_eq!(info.code, 0, "{info:?}");
    let expected =
        format!("Found log directory:\n  {data}\n\nFound metadata: {{cluster.id={CLUSTER}, directory.id=");
    assert!(info.out.starts_with(&expected), "{info:?}");
    assert!(info.out.ends_with(", node.id=1, version=1}\n\n"), "{info:?}");
}

#[test]
fn a_directory_of_another_cluster_is_left_alone() {
    let (_home, file, data) = node(DYNAMIC);
    headwater(&["storage", "format", "-t", CLUSTER, "-c", &file, "--standalone"]);
    let before = std::fs::read(format!("{data}/meta.properties")).unwrap();
    let foreign = "AAAAAAAAAAAAAAAAAAAAAA";
    let refused = headwater(&["storage", "format", "-t", foreign, "-c", &file, "--standalone", "-g"]);
    assert!(
        refused.code == 1 && refused.err.contains(CLUSTER) && refused.err.contains(foreign),
        "{refused:?}"
    );
    assert_eq!(std::fs::read(format!("{data}/meta.properties")).unwrap(), before);
}

#[test]
fn problems_are_listed_and_end_with_one() {
    let (_home, file, data) = node(DYNAMIC);
    let missing = headwater(&["storage", "info", "-c", &file]);
    assert_eq!(missing.code, 1);
    assert_eq!(missing.out, format!("Found problem:\n  {data} does not exist\n\n"));
    std::fs::create_dir(&data).unwrap();
    let bare = headwater(&["storage", "info", "-c", &file]);
    assert_eq!(bare.code, 1);
    let expected =
        format!("Found log directory:\n  {data}\n\nFound problem:\n  {data} is not formatted.\n\n");
    assert_eq!(bare.out, expected);
}

#[test]
fn who_votes_must_be_said_once() {
    let (_home, file, _) = node(DYNAMIC);
    let unsaid = headwater(&["storage", "format", "-t", CLUSTER, "-c", &file]);
    assert!(unsaid.code == 1 && unsaid.err.contains("hint: add --standalone"), "{unsaid:?}");
    let twice = headwater(&[
        "storage",
        "format",
        "-t",
        CLUSTER,
        "-c",
        &file,
        "--standalone",
        "--no-initial-controllers",
    ]);
    assert_eq!(twice.code, 2, "{twice:?}");
    let (_home, file, data) = node(FIXED);
    let fixed = headwater(&["storage", "format", "-t", CLUSTER, "-c", &file, "--standalone"]);
    assert!(fixed.code == 1 && fixed.err.contains("controller.quorum.voters fixes the voters"), "{fixed:?}");
    let fixed = headwater(&["storage", "format", "-t", CLUSTER, "-c", &file]);
    assert!(fixed.out.contains(&format!("Formatting metadata directory {data} with")), "{fixed:?}");
}

#[test]
fn features_and_releases_that_are_not_there_are_refused() {
    let (_home, file, data) = node(DYNAMIC);
    let format = |more: &[&str]| -> Ended {
        headwater(&[&["storage", "format", "-t", CLUSTER, "-c", &file, "--standalone"][..], more].concat())
    };
    for (more, part) in [
        (&["-r", "3.9"][..], "cannot format for release 3.9"),
        (&["-f", "group.version"], "use FEATURE=LEVEL"),
        (&["-f", "nosuch=1"], "nosuch is not a feature"),
        (&["-f", "group.version=9"], "its levels are 0 to 1"),
        (&["-f", "metadata.version=20"], "use --release-version"),
        (&["-S", "SCRAM-SHA-256=[name=a,password=b]"], "--add-scram is not there yet"),
    ] {
        let refused = format(more);
        assert!(refused.code == 1 && refused.err.contains(part), "{more:?}: {refused:?}");
    }
    assert!(!std::path::Path::new(&data).exists(), "a refused format wrote something");
    let without_groups = format(&["-f", "group.version=0", "-r", "4.4"]);
    assert!(without_groups.code == 0 && !without_groups.out.contains("group.version"), "{without_groups:?}");
}

#[test]
fn wrong_usage_under_kafkas_name_ends_with_kafkas_code() {
    assert_eq!(kafka_tool("kafka-storage", &["nosuch"]).code, 1);
    assert_eq!(headwater(&["storage", "nosuch"]).code, 2);
    assert_eq!(kafka_tool("kafka-storage", &["--help"]).code, 0);
}
