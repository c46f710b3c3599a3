//! The house is tidy, and each rule finds what it is there for.

use xtask::house::{House, SourceFile};
use xtask::tidy::check;

#[test]
fn the_house_is_tidy() {
    let house = House::read().unwrap();
    assert!(house.sources.len() > 20 && !house.documents.is_empty(), "the walk finds no files");
    let problems: Vec<String> = check(&house).iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

fn problems(sources: Vec<SourceFile>, documents: Vec<SourceFile>) -> Vec<String> {
    check(&House { sources, documents, manifests: Vec::new() }).iter().map(ToString::to_string).collect()
}

fn of_source(path: &str, text: &str) -> Vec<String> {
    problems(vec![file(path, text)], Vec::new())
}

#[test]
fn impure_words_in_pure_crates_are_found_with_their_replacement() {
    for (code, part) in [
        ("use std::fs;", "storage crate"),
        ("let at = Instant::now();", "now: Timestamp"),
        ("use std::time::SystemTime;", "now: Timestamp"),
        ("let map: HashMap<u8, u8>;", "BTreeMap"),
        ("tokio::spawn(x);", "effect"),
        ("tracing::info!();", "driver"),
        ("use std::thread;", "caller's"),
        ("use std::net::IpAddr;", "bytes"),
    ] {
        let found = of_source("crates/raft/src/vote.rs", &format!("//! Doc.\n{code}\n"));
        assert_eq!(found.len(), 1, "{code}: {found:?}");
        assert!(found[0].starts_with("crates/raft/src/vote.rs:2: ") && found[0].contains(part), "{found:?}");
    }
    for innocent in [
        "//! Doc of std::fs and tokio.\n",
        "//! Doc.\nlet tokio_like = 1; // tokio\n",
        "//! Doc.\nlet name = \"tokio\";\n",
        "//! Doc.\n#[cfg(test)]\nmod tests { use std::fs; }\n",
    ] {
        assert_eq!(of_source("crates/raft/src/vote.rs", innocent), Vec::<String>::new(), "{innocent}");
    }
    assert_eq!(of_source("crates/broker/src/x.rs", "//! Doc.\nuse std::fs;\n"), Vec::<String>::new());
}

#[test]
fn long_nameless_and_undocumented_files_are_found() {
    let long = format!("//! Doc.\n{}", "\n".repeat(800));
    assert!(of_source("crates/broker/src/x.rs", &long)[0].contains("has 801 lines, more than 800"));
    for name in ["utils", "common", "log_manager", "helper", "impls", "topic_helpers"] {
        let found = of_source(&format!("crates/broker/src/{name}.rs"), "//! Doc.\n");
        assert!(found.len() == 1 && found[0].contains("says nothing"), "{name}: {found:?}");
    }
    assert!(of_source("crates/broker/src/x.rs", "use a::b;\n")[0].contains("has no module doc"));
    let keyword = concat!("un", "safe");
    let found = of_source("crates/broker/src/x.rs", &format!("//! Doc.\nlet a = {keyword} {{ b() }};\n"));
    assert!(found[0].contains("rustix"), "{found:?}");
}

#[test]
fn leftovers_are_found() {
    for marker in [
        concat!("// TO", "DO later"),
        concat!("// FIX", "ME"),
        concat!("#[ig", "nore]"),
        concat!("to", "do!()"),
    ] {
        let found = of_source("crates/broker/src/x.rs", &format!("//! Doc.\n{marker}\n"));
        assert!(found.len() == 1 && found[0].contains("left over"), "{marker}: {found:?}");
    }
}

#[test]
fn decisions_outside_the_index_are_found() {
    let record = file("docs/adr/0001-a.md", "# A\n");
    let index = |text: &str| file("docs/adr/README.md", text);
    assert!(problems(Vec::new(), vec![record.clone()])[0].contains("is missing"));
    assert!(problems(Vec::new(), vec![record.clone(), index("none")])[0].contains("is not in the index"));
    let found = problems(Vec::new(), vec![record, index("[1](0001-a.md) [2](0002-b.md)")]);
    assert!(found.iter().any(|problem| problem.contains("names 0002-b.md, which is not there")), "{found:?}");
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let found =
        problems(Vec::new(), vec![file("docs/x.md", "see [y](../no/such.rs) and [z](https://example.org)")]);
    assert!(found.len() == 1 && found[0].contains("no/such.rs is not there"), "{found:?}");
    let source = file("crates/protocol/src/id.rs", "//! Doc.\npub struct NodeId;\n");
    let glossary = |name: &str| file("GLOSSARY.md", &format!("- [`{name}`](crates/protocol/src/id.rs)"));
    assert_eq!(problems(vec![source.clone()], vec![glossary("NodeId")]), Vec::<String>::new());
    assert!(problems(vec![source], vec![glossary("Nobody")])[0].contains("does not have Nobody"));
}

#[test]
fn keys_that_break_their_word_are_found() {
    let table = file(
        "crates/broker/src/config/keys/a.rs",
        "//! Doc.\n    int(\"a.b\", \"1\").honoured()\n        .doc(\"Doc.\"),\n    int(\"c.d\", \"1\")\n        .doc(\"Doc.\"),\n",
    );
    let typed = file(
        "crates/broker/src/config/typed.rs",
        "//! Doc.\n    /// `a.b`.\n    pub bee: i32,\nread(\"a.b\")\n",
    );
    let user = file("crates/broker/src/net.rs", "//! Doc.\nlet x = config.bee;\n");
    let found = problems(vec![table.clone()], Vec::new());
    assert!(
        found.len() == 1 && found[0].contains("a.b is called honoured, but nothing reads it"),
        "{found:?}"
    );
    let found = problems(vec![table.clone(), typed.clone()], Vec::new());
    assert!(found.len() == 1 && found[0].contains("nobody uses bee"), "{found:?}");
    assert_eq!(problems(vec![table, typed, user], Vec::new()), Vec::<String>::new());
}

#[test]
fn a_deviation_stands_in_the_list_and_the_list_has_no_other() {
    let mark = concat!("devia", "tion:");
    let source = || file("crates/raft/src/lib.rs", &format!("//! Doc.\n//!\n//! {mark} votes.\n"));
    let listing = |rows: &str| file("docs/protocol/deviations.md", rows);
    let row = "| [lib.rs](../../crates/raft/src/lib.rs) | a | b | c |\n";
    let about = |found: Vec<String>| -> Vec<String> {
        found.into_iter().filter(|problem| problem.contains("deviation")).collect()
    };
    assert_eq!(about(problems(vec![source()], vec![listing(row)])), Vec::<String>::new());
    let missing = about(problems(vec![source()], vec![listing("no rows")]));
    assert!(missing.len() == 1 && missing[0].starts_with("crates/raft/src/lib.rs:3: "), "{missing:?}");
    let twice = about(problems(vec![source()], vec![listing(&row.repeat(2))]));
    assert!(twice.len() == 1 && twice[0].contains("take one out"), "{twice:?}");
    let stale = about(problems(Vec::new(), vec![listing(row)]));
    assert!(stale.len() == 1 && stale[0].contains("no deviation any more"), "{stale:?}");
}
