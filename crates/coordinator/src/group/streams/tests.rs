use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metadata::Image;
use protocol::id::PartitionIndex;

use super::assignor::{AssignmentGround, assign};
use super::configured::{Configured, ConfiguredSubtopology};
use super::holders::Holders;
use super::partition_counts::Counting;
use super::reconcile::Reconciliation;
use super::*;
use crate::group::GroupRefusal;

fn tasks(words: &[&str]) -> Tasks {
    let of = |word: &&str| {
        let (id, tasks) = word.split_once(':').unwrap();
        let tasks: BTreeSet<_> = tasks.split(',').map(|task| PartitionIndex(task.parse().unwrap())).collect();
        (Arc::from(id), tasks)
    };
    words.iter().map(of).collect()
}

fn held(tasks: Tasks, epoch: i32) -> HeldTasks {
    let with_epoch = |tasks: BTreeSet<_>| tasks.into_iter().map(|task| (task, Epoch(epoch))).collect();
    tasks.into_iter().map(|(id, tasks)| (id, with_epoch(tasks))).collect()
}

/// The words between two others.
fn between<'w>(words: &'w [&'w str], from: &str, to: &str) -> &'w [&'w str] {
    let at = |word: &str| words.iter().position(|known| *known == word).unwrap_or(words.len());
    &words[at(from) + 1..at(to)]
}

/// What Kafka 4.4's own class answered when it saw members, processes and subtopologies in this order, each group over
/// several rounds of members coming and going.
#[test]
fn task_assignments_are_kafkas() {
    let golden = include_str!("../../../tests/golden/task-assignor.txt");
    let mut cases = 0;
    for case in golden.split("case ").skip(1) {
        let mut parts = BTreeMap::new();
        let mut members: BTreeMap<MemberId, (Member, TaskOffsets)> = BTreeMap::new();
        let mut expected: BTreeMap<MemberId, Part> = BTreeMap::new();
        for line in case.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let id: Arc<str> = Arc::from(words[1]);
            let said = Part {
                active: if words[0] == "part" {
                    Tasks::new()
                } else {
                    tasks(between(&words, "active", "standby"))
                },
                standby: if words[0] == "part" {
                    Tasks::new()
                } else {
                    tasks(between(&words, "standby", "offsets"))
                },
                warmup: Tasks::new(),
            };
            match words[0] {
                "part" => {
                    parts.insert(id, part(words[2].parse().unwrap(), words[3] == "stateful"));
                }
                "member" => {
                    let assigned =
                        Held { active: held(said.active, 1), standby: said.standby, warmup: Tasks::new() };
                    let member = Member {
                        process: Arc::from(words[2]),
                        assigned: Arc::new(assigned),
                        ..Member::default()
                    };
                    let mut told = TaskOffsets::default();
                    for word in between(&words, "offsets", "") {
                        let (task, sum) = word.split_once('=').unwrap();
                        let (id, task) = task.split_once(':').unwrap();
                        let of_part = told.offsets.entry(Arc::from(id)).or_default();
                        of_part.insert(PartitionIndex(task.parse().unwrap()), sum.parse().unwrap());
                    }
                    members.insert(id, (member, told));
                }
                _ => {
                    expected.insert(id, said);
                }
            }
        }
        let standby_replicas = case.lines().next().unwrap().parse().unwrap();
        let members = members.iter().map(|(id, (member, told))| (id, (member, Some(told)))).collect();
        let ground = AssignmentGround { parts: &parts, standby_replicas, members };
        assert_eq!(assign(&ground), expected, "{case}");
        cases += 1;
    }
    assert!(cases > 100, "only {cases} cases");
}

fn part(tasks: i32, stateful: bool) -> ConfiguredSubtopology {
    let changelog = InternalTopic {
        name: Arc::from("changelog"),
        partitions: tasks,
        replication_factor: None,
        configs: BTreeMap::new(),
    };
    ConfiguredSubtopology {
        tasks,
        sources: BTreeSet::new(),
        repartition_sinks: BTreeSet::new(),
        repartition_sources: BTreeMap::new(),
        changelogs: if stateful { [(changelog.name.clone(), changelog)].into() } else { BTreeMap::new() },
    }
}

/// A member at an epoch with what it has, by words such as `0:1,2`.
fn member(epoch: i32, active: &[&str], standby: &[&str]) -> Arc<Member> {
    let assigned = Held { active: held(tasks(active), epoch), standby: tasks(standby), warmup: Tasks::new() };
    Arc::new(Member {
        process: Arc::from("p"),
        epoch: Epoch(epoch),
        assigned: Arc::new(assigned),
        ..Member::default()
    })
}

fn next(
    member: &Arc<Member>,
    others: &[(&str, &Arc<Member>)],
    target: &Part,
    owned: Option<&Part>,
) -> Arc<Member> {
    let mut holders = Holders::default();
    holders.add(member);
    for (process, other) in others {
        holders.add(&Member { process: Arc::from(*process), ..Member::clone(other) });
    }
    Reconciliation { holders: &holders, target_epoch: Epoch(9), target, owned }.next(member).unwrap()
}

fn target(active: &[&str], standby: &[&str]) -> Part {
    Part { active: tasks(active), standby: tasks(standby), warmup: Tasks::new() }
}

#[test]
fn a_task_is_given_up_before_another_is_given() {
    let (first, wanted) = (member(5, &["0:1,2"], &[]), target(&["0:2,3"], &[]));
    let second = next(&first, &[], &wanted, None);
    assert_eq!((second.state, second.epoch), (MemberState::Unrevoked, Epoch(5)));
    assert_eq!(second.assigned.active, held(tasks(&["0:2"]), 5));
    assert_eq!(second.revoking.active, held(tasks(&["0:1"]), 5));
    // It does not say what it has, then that it has it still, then that it has not.
    for owned in [None, Some(target(&["0:1,2"], &[]))] {
        assert!(Arc::ptr_eq(&next(&second, &[], &wanted, owned.as_ref()), &second));
    }
    let third = next(&second, &[], &wanted, Some(&target(&["0:2"], &[])));
    assert_eq!((third.state, third.epoch, third.previous_epoch), (MemberState::Stable, Epoch(9), Epoch(5)));
    assert_eq!(third.assigned.active[&*Arc::<str>::from("0")][&PartitionIndex(3)], Epoch(9));
    assert!(third.revoking.is_empty());
}

#[test]
fn a_task_that_another_has_is_waited_for() {
    let (own, wanted) = (member(5, &["0:1"], &[]), target(&["0:1,2"], &[]));
    let other = member(5, &["0:2"], &[]);
    let waiting = next(&own, &[("q", &other)], &wanted, None);
    assert_eq!((waiting.state, waiting.epoch), (MemberState::Unreleased, Epoch(9)));
    assert_eq!(waiting.assigned, own.assigned);
    let done = next(&waiting, &[], &wanted, None);
    assert_eq!(done.state, MemberState::Stable);
    assert_eq!(done.assigned.active.values().map(BTreeMap::len).sum::<usize>(), 2);
}

#[test]
fn a_process_has_the_state_of_a_task_once() {
    // Another thread of the process has the standby: neither the task nor a second copy is given to this one.
    let (own, other) = (member(5, &[], &[]), member(5, &[], &["0:1"]));
    for wanted in [target(&["0:1"], &[]), target(&[], &["0:1"])] {
        let waiting = next(&own, &[("p", &other)], &wanted, None);
        assert_eq!(waiting.state, MemberState::Unreleased);
        assert!(waiting.assigned.is_empty());
    }
    // In another process it is no hindrance.
    assert_eq!(next(&own, &[("q", &other)], &target(&["0:1"], &[]), None).state, MemberState::Stable);
}

#[test]
fn a_standby_becomes_active_without_being_given_up() {
    let (own, wanted) = (member(5, &[], &["0:1"]), target(&["0:1"], &[]));
    let active = next(&own, &[], &wanted, None);
    assert_eq!(active.state, MemberState::Stable);
    assert_eq!((active.assigned.active.len(), active.assigned.standby.len()), (1, 0));
    // While another runs it the copy stays.
    let other = member(5, &["0:1"], &[]);
    let waiting = next(&own, &[("q", &other)], &wanted, None);
    assert_eq!(waiting.state, MemberState::Unreleased);
    assert_eq!((waiting.assigned.active.len(), waiting.assigned.standby.len()), (0, 1));
}

#[test]
fn an_active_task_becomes_a_standby_once_it_is_given_up() {
    let (own, wanted) = (member(5, &["0:1"], &[]), target(&[], &["0:1"]));
    let giving_up = next(&own, &[], &wanted, Some(&target(&["0:1"], &[])));
    assert_eq!(giving_up.state, MemberState::Unrevoked);
    assert_eq!(giving_up.assigned.standby, tasks(&["0:1"]));
    let done = next(&giving_up, &[], &wanted, Some(&target(&[], &["0:1"])));
    assert_eq!((done.state, done.assigned.standby.len()), (MemberState::Stable, 1));
}

#[test]
fn a_state_of_a_later_kafka_begins_anew() {
    let lost = Arc::new(Member { state: MemberState::Unknown, ..Member::clone(&member(5, &["0:1"], &[])) });
    let (holders, wanted) = (Holders::default(), target(&["0:1"], &[]));
    let with = |owned: Option<&Part>| {
        Reconciliation { holders: &holders, target_epoch: Epoch(9), target: &wanted, owned }.next(&lost)
    };
    assert_eq!(with(None), Err(GroupRefusal::UnknownMemberState));
    assert_eq!(with(Some(&target(&["0:1"], &[]))), Err(GroupRefusal::UnknownMemberState));
    assert_eq!(with(Some(&Part::default())).unwrap().epoch, Epoch(9));
}

fn topic(name: &str, partitions: i32) -> TopicInfo {
    TopicInfo { name: Arc::from(name), partitions, replication_factor: 0, configs: Vec::new() }
}

/// A part by what it reads, writes, reads of its own, and keeps its state in.
fn subtopology(
    id: &str,
    sources: &[&str],
    sinks: &[&str],
    repartitions: &[(&str, i32)],
    changelogs: &[&str],
) -> Subtopology {
    let names = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
    let all = i16::try_from(sources.len()).unwrap();
    let own = i16::try_from(repartitions.len()).unwrap();
    Subtopology {
        id: Arc::from(id),
        sources: names(sources),
        source_regexes: Vec::new(),
        changelogs: changelogs.iter().map(|name| topic(name, 0)).collect(),
        repartition_sinks: names(sinks),
        repartition_sources: repartitions.iter().map(|(name, count)| topic(name, *count)).collect(),
        copartition_groups: vec![CopartitionGroup {
            sources: (0..all).collect(),
            source_regexes: Vec::new(),
            repartition_sources: (0..own).collect(),
        }],
    }
}

/// A cluster with these topics.
fn image(topics: &[(&str, i32)]) -> Image {
    use metadata::record::MetadataRecord;
    use protocol::id::Uuid;
    use protocol::messages::record::{PartitionRecord, TopicRecord};

    let mut image = Image::default();
    for (number, (name, partitions)) in (1..).zip(topics) {
        let topic_id = Uuid([number; 16]);
        let record = TopicRecord { name: (*name).to_owned().into(), topic_id };
        image.replay(image.end(), &MetadataRecord::Topic(record));
        for partition_id in 0..*partitions {
            let record = PartitionRecord { partition_id, topic_id, ..PartitionRecord::default() };
            image.replay(image.end(), &MetadataRecord::Partition(record));
        }
    }
    image
}

fn configure(parts: Vec<Subtopology>, topics: &[(&str, i32)]) -> Result<Configured, GroupRefusal> {
    Configured::new(&Topology::new(1, parts), &image(topics))
}

/// What is missing, as `name=partitions`, or what is wrong.
fn outcome(configured: &Configured) -> String {
    let missing: Vec<String> =
        configured.missing.iter().map(|topic| format!("{}={}", topic.name, topic.partitions)).collect();
    match &configured.problem {
        Some(problem) if missing.is_empty() => format!("{:?}", problem.code),
        _ => missing.join(" "),
    }
}

#[test]
fn topics_of_the_applications_own_are_sized() {
    let word_count = || {
        vec![
            subtopology("0", &["lines"], &["words"], &[], &[]),
            subtopology("1", &[], &[], &[("words", 0)], &["counts"]),
        ]
    };
    for (parts, topics, expected) in [
        // As many as flow in, and as many changelogs as tasks.
        (word_count(), vec![("lines", 3)], "counts=3 words=3"),
        (word_count(), vec![("lines", 3), ("words", 3)], "counts=3"),
        (word_count(), vec![("lines", 3), ("words", 3), ("counts", 3)], ""),
        (word_count(), vec![], "MissingSourceTopics"),
        // One that is there counts as it is.
        (word_count(), vec![("lines", 3), ("words", 2)], "counts=2"),
        (word_count(), vec![("lines", 3), ("words", 3), ("counts", 2)], "IncorrectlyPartitionedTopics"),
        // The application may say how many.
        (
            vec![
                subtopology("0", &["lines"], &["words"], &[], &[]),
                subtopology("1", &[], &[], &[("words", 5)], &["counts"]),
            ],
            vec![("lines", 3)],
            "counts=5 words=5",
        ),
        // What is joined has one size.
        (
            vec![
                subtopology("0", &["a"], &["r"], &[], &[]),
                subtopology("1", &["b"], &[], &[("r", 0)], &["c"]),
            ],
            vec![("a", 2), ("b", 4)],
            "c=4 r=4",
        ),
        (
            vec![
                subtopology("0", &["a"], &["r"], &[], &[]),
                subtopology("1", &["b"], &[], &[("r", 3)], &["c"]),
            ],
            vec![("a", 2), ("b", 4)],
            "IncorrectlyPartitionedTopics",
        ),
        (
            vec![subtopology("0", &["a", "b"], &[], &[], &[])],
            vec![("a", 2), ("b", 4)],
            "IncorrectlyPartitionedTopics",
        ),
        (vec![subtopology("0", &["a", "b"], &[], &[], &["c"])], vec![("a", 4), ("b", 4)], "c=4"),
    ] {
        assert_eq!(outcome(&configure(parts, &topics).unwrap()), expected, "{topics:?}");
    }
}

/// How many topics are looked up to size those of these parts, where `a` is there with three partitions.
fn looks(parts: Vec<Subtopology>) -> usize {
    let (topology, image) = (Topology::new(1, parts), image(&[("a", 3)]));
    let counting = Counting::decide(&topology, &image).ok().expect("such a topology may be");
    counting.looks.get()
}

fn numbered(prefix: char, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}

/// Parts of a topology that grows with a number.
type Shape = fn(usize) -> Vec<Subtopology>;

/// One part after the other, those that read last handed in first.
fn chain(count: usize) -> Vec<Subtopology> {
    let names = numbered('r', count + 1);
    let parts = names.windows(2).enumerate().rev().map(|(number, pair)| {
        let mut part = match number {
            0 => subtopology("0", &["a"], &[&pair[1]], &[], &[]),
            _ => subtopology(&pair[0], &[], &[&pair[1]], &[(&pair[0], 0)], &[]),
        };
        part.copartition_groups.clear();
        part
    });
    parts.collect()
}

/// Two parts, of which one writes everything that the other reads.
fn sheaf(count: usize) -> Vec<Subtopology> {
    let names = numbered('r', count);
    let sinks: Vec<&str> = names.iter().map(String::as_str).collect();
    let sources: Vec<(&str, i32)> = sinks.iter().map(|name| (*name, 0)).collect();
    let mut reader = subtopology("1", &[], &[], &sources, &[]);
    reader.copartition_groups.clear();
    vec![subtopology("0", &["a"], &sinks, &[], &[]), reader]
}

/// Topics that say their size, and as many groups of those that must be of one size.
fn groups_of_fixed(count: usize) -> Vec<Subtopology> {
    let names = numbered('f', count);
    let sources: Vec<(&str, i32)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let mut part = subtopology("0", &[], &[], &sources, &[]);
    let group = CopartitionGroup { sources: vec![], source_regexes: vec![], repartition_sources: vec![0] };
    part.copartition_groups = vec![group; count];
    vec![part]
}

#[test]
fn sizing_is_work_in_proportion_to_the_topology() {
    let shapes: [(&str, Shape); 3] = [("chain", chain), ("sheaf", sheaf), ("groups", groups_of_fixed)];
    for (name, shape) in shapes {
        let (few, many) = (looks(shape(100)), looks(shape(1_000)));
        assert!(many <= 11 * few, "{name}: {few} topics looked up for 100, {many} for 1,000");
    }
}

#[test]
fn what_is_far_down_a_chain_is_sized() {
    let configured = configure(chain(20_000), &[("a", 3)]).unwrap();
    assert_eq!((configured.missing.len(), configured.missing[7].partitions), (19_999, 3));
}

#[test]
fn topologies_that_are_none_are_refused() {
    let mut nowhere = subtopology("0", &["a"], &[], &[], &[]);
    nowhere.copartition_groups[0].sources = vec![7];
    let mut fewer_than_none = subtopology("0", &["a"], &["r"], &[("r", -1)], &[]);
    fewer_than_none.copartition_groups.clear();
    for (parts, is_invalid) in [
        (vec![subtopology("0", &["a"], &[], &[("r", 0)], &[])], true),
        (vec![subtopology("0", &[], &["r"], &[("r", 0)], &[])], true),
        (vec![subtopology("0", &[], &[], &[], &[])], true),
        (vec![nowhere], false),
        (vec![fewer_than_none], false),
    ] {
        let refused = configure(parts, &[("a", 1)]).unwrap_err();
        assert_eq!(matches!(refused, GroupRefusal::InvalidTopology(_)), is_invalid, "{refused:?}");
    }
}
