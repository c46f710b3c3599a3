//! The floors hold, and the check can fail.

use xtask::floors::{Arrow, arrows, arrows_of, check};

#[test]
fn every_dependency_looks_down() {
    let arrows = arrows().unwrap();
    assert!(arrows.len() > 10, "cargo metadata shows only {} arrows", arrows.len());
    let problems: Vec<String> = check(&arrows).iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn arrows_up_sideways_and_from_nowhere_are_found() {
    let arrow = |from: &str, to: &str| Arrow { from: from.to_owned(), to: to.to_owned() };
    for (from, to, part) in [
        ("protocol", "raft", "it may use protocol-derive"),
        ("partition", "raft", "it may use protocol;"),
        ("storage", "broker", "not below it"),
        ("client", "partition", "it may use protocol;"),
        ("streams", "broker", "it may use protocol, client"),
        ("broker", "conformance", "make it a dev-dependency"),
        ("newcomer", "broker", "is on no floor"),
    ] {
        let problems = check(&[arrow(from, to)]);
        assert_eq!(problems.len(), 1, "{from} -> {to}");
        assert!(problems[0].to_string().contains(part), "{}", problems[0]);
    }
    assert_eq!(check(&[arrow("conformance", "broker"), arrow("coordinator", "metadata")]), []);
}

#[test]
fn dev_dependencies_may_look_further() {
    let metadata = serde_json::json!({"packages": [
        {"name": "headwater-protocol", "dependencies": [
            {"name": "headwater-storage", "kind": "dev"}, {"name": "headwater-raft", "kind": "build"}, {"name": "bytes", "kind": null}]},
        {"name": "headwater-storage", "dependencies": []},
        {"name": "headwater-raft", "dependencies": []},
        {"name": "headwater", "dependencies": [{"name": "headwater-storage", "kind": null}]},
    ]});
    let arrow = |from: &str, to: &str| Arrow { from: from.to_owned(), to: to.to_owned() };
    assert_eq!(arrows_of(&metadata), [arrow("protocol", "raft"), arrow("cli", "storage")]);
}
