use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use protocol::id::{PartitionIndex, TopicId, Uuid};

use super::*;

fn topic(number: u64) -> TopicId {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    Uuid(id)
}

fn part(words: &[&str]) -> Partitions {
    let of_topic = |word: &&str| {
        let (id, partitions) = word.split_once(':').unwrap();
        let partitions = partitions.split(',').map(|index| PartitionIndex(index.parse().unwrap()));
        (topic(id.parse().unwrap()), partitions.collect())
    };
    words.iter().map(of_topic).collect()
}

/// What Kafka 4.4's own classes answered when they saw members and topics in this order, each group over several
/// rounds of members coming and going, topics growing and subscriptions changing.
#[test]
fn assignments_are_kafkas() {
    let golden = include_str!("../../../tests/golden/assignors.txt");
    let mut cases = 0;
    for case in golden.split("case ").skip(1) {
        let (mut group, mut topics) = (GroupSpec::default(), TopicsSpec::default());
        let mut expected = BTreeMap::new();
        let assignor = Assignor::of_name(case.lines().next().unwrap()).unwrap();
        for line in case.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[0] {
                "topic" => {
                    let spec = TopicSpec { partitions: words[2].parse().unwrap() };
                    topics.topics.insert(topic(words[1].parse().unwrap()), spec);
                }
                "member" => {
                    let reads = words[4].split(',').filter(|id| *id != "-");
                    let spec = MemberSpec {
                        instance: Some(words[2]).filter(|name| *name != "-").map(Arc::from),
                        topics: Arc::new(reads.map(|id| topic(id.parse().unwrap())).collect()),
                        assigned: Arc::new(part(&words[6..])),
                    };
                    group.members.insert(Arc::from(words[1]), spec);
                }
                _ => {
                    expected.insert(MemberId::from(words[1]), Arc::new(part(&words[2..])));
                }
            }
        }
        assert_eq!(assignor.assign(&group, &topics).unwrap(), expected, "{case}");
        cases += 1;
    }
    assert!(cases > 100, "only {cases} cases");
}

#[test]
fn names_are_kafkas() {
    assert_eq!(Assignor::of_name("uniform"), Some(Assignor::Uniform));
    assert_eq!(Assignor::of_name("range"), Some(Assignor::Range));
    assert_eq!(Assignor::of_name("sticky"), None);
}

#[test]
fn a_topic_that_is_not_there_is_refused() {
    for (assignor, reads) in
        [(Assignor::Uniform, [1, 1]), (Assignor::Uniform, [1, 2]), (Assignor::Range, [1, 1])]
    {
        let mut group = group(2, |member| BTreeSet::from([topic(reads[member])]));
        group.members.values_mut().for_each(|member| member.assigned = Arc::default());
        let refused = assignor.assign(&group, &TopicsSpec::default()).unwrap_err();
        assert_eq!(refused, AssignorError::UnknownTopic(topic(1)));
    }
}

#[test]
fn nobody_gets_nothing() {
    for assignor in [Assignor::Uniform, Assignor::Range] {
        let nobody = assignor.assign(&GroupSpec::default(), &cluster(&[3])).unwrap();
        assert!(nobody.is_empty());
    }
}

/// What a record says that cannot be: a partition that is not there, one that two members have.
#[test]
fn a_wrong_past_is_mended() {
    for reads in [[1, 1], [1, 2]] {
        let mut group = group(2, |member| (1..=reads[member]).map(topic).collect());
        for member in group.members.values_mut() {
            member.assigned = Arc::new(part(&["1:0,1,7", "9:1"]));
        }
        let topics = cluster(&[4, 1]);
        let assignment = Assignor::Uniform.assign(&group, &topics).unwrap();
        each_partition_has_one_owner(&group, &topics, &assignment);
    }
}

fn group(members: usize, reads: impl Fn(usize) -> BTreeSet<TopicId>) -> GroupSpec {
    let member = |number: usize| {
        let spec = MemberSpec { topics: Arc::new(reads(number)), ..MemberSpec::default() };
        (Arc::from(format!("m{number:04}")), spec)
    };
    GroupSpec { members: (0..members).map(member).collect() }
}

fn cluster(sizes: &[u32]) -> TopicsSpec {
    let topics =
        (1..).zip(sizes).map(|(number, partitions)| (topic(number), TopicSpec { partitions: *partitions }));
    TopicsSpec { topics: topics.collect() }
}

fn count(part: &Partitions) -> usize {
    part.values().map(BTreeSet::len).sum()
}

/// Who has which partition. Each that anybody reads has one owner, who reads it.
fn each_partition_has_one_owner(
    group: &GroupSpec,
    topics: &TopicsSpec,
    assignment: &Assignment,
) -> BTreeMap<(TopicId, PartitionIndex), MemberId> {
    let mut owners = BTreeMap::new();
    assert!(assignment.keys().eq(group.members.keys()));
    for (id, part) in assignment {
        for (topic, partitions) in &**part {
            assert!(group.members[id].topics.contains(topic), "{id} does not read {topic:?}");
            assert!(!partitions.is_empty());
            for partition in partitions {
                let twice = owners.insert((*topic, *partition), id.clone());
                assert_eq!(twice, None, "{topic:?}-{partition} has two owners");
            }
        }
    }
    let read: BTreeSet<TopicId> =
        group.members.values().flat_map(|member| member.topics.iter().copied()).collect();
    let all: usize = read.iter().map(|topic| topics.topics[topic].partitions as usize).sum();
    assert_eq!(owners.len(), all, "partitions without an owner, or that are not there");
    owners
}

/// No partition could be given by its owner to a reader who has less by two or more.
fn nothing_is_left_to_balance(group: &GroupSpec, assignment: &Assignment) {
    for (id, part) in assignment {
        for topic in part.keys() {
            for (other, spec) in &group.members {
                let (has, other_has) = (count(part), count(&assignment[other]));
                let better = spec.topics.contains(topic) && has > other_has + 1;
                assert!(
                    !better,
                    "{id} has {has} and could give of {topic:?} to {other}, who has {other_has}"
                );
            }
        }
    }
}

fn keep(group: &mut GroupSpec, assignment: &Assignment) {
    for (id, member) in &mut group.members {
        member.assigned = assignment[id].clone();
    }
}

fn sizes() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..12_u32, 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn uniform_is_complete_balanced_and_sticky(
        sizes in sizes(), members in 1..12_usize, leaver in 0..12_usize, mixed in any::<bool>(), seed in any::<u64>(),
    ) {
        let all = sizes.len() as u64;
        let reads = |member: usize| -> BTreeSet<TopicId> {
            let bits = seed.rotate_left(u32::try_from(member * 7).unwrap());
            (1..=all).filter(|number| !mixed || bits >> number & 1 == 1).map(topic).collect()
        };
        let topics = cluster(&sizes);
        let mut group = group(members, reads);
        let first = Assignor::Uniform.assign(&group, &topics).unwrap();
        each_partition_has_one_owner(&group, &topics, &first);
        nothing_is_left_to_balance(&group, &first);
        // Asked again, it leaves everything as it is.
        keep(&mut group, &first);
        let again = Assignor::Uniform.assign(&group, &topics).unwrap();
        prop_assert!(first.iter().all(|(id, part)| Arc::ptr_eq(part, &again[id])));
        // Somebody leaves: who stays keeps all he has.
        let leaver: MemberId = group.members.keys().nth(leaver % members).unwrap().clone();
        group.members.remove(&leaver);
        let second = Assignor::Uniform.assign(&group, &topics).unwrap();
        each_partition_has_one_owner(&group, &topics, &second);
        nothing_is_left_to_balance(&group, &second);
        if !mixed {
            for (id, part) in &second {
                let kept = first[id].iter().all(|(topic, had)| part.get(topic).is_some_and(|has| had.is_subset(has)));
                prop_assert!(kept, "{id} lost a partition although somebody left");
            }
        }
        // He comes back: only as many move as he gets.
        keep(&mut group, &second);
        group.members.insert(leaver.clone(), MemberSpec { topics: Arc::new(reads(0)), ..MemberSpec::default() });
        let before = each_partition_has_one_owner(&group, &topics, &{
            let mut with = second.clone();
            with.insert(leaver.clone(), Arc::default());
            let unread = group.members[&leaver].topics.iter().any(|topic| {
                topics.topics[topic].partitions > 0 && !second.values().any(|part| part.contains_key(topic))
            });
            if unread { return Ok(()) }
            with
        });
        let third = Assignor::Uniform.assign(&group, &topics).unwrap();
        let after = each_partition_has_one_owner(&group, &topics, &third);
        nothing_is_left_to_balance(&group, &third);
        if !mixed {
            let moved = before.iter().filter(|(partition, owner)| after[*partition] != **owner).count();
            prop_assert_eq!(moved, count(&third[&leaver]));
        }
    }

    #[test]
    fn range_gives_the_same_stretch_of_topics_alike(
        partitions in 1..20_u32, members in 1..12_usize, named in 0..12_usize,
    ) {
        let topics = cluster(&[partitions; 3]);
        let mut group = group(members, |_| (1..=3).map(topic).collect());
        for (number, member) in group.members.values_mut().enumerate() {
            member.instance = (number < named).then(|| Arc::from(format!("i{:02}", 50 - number)));
        }
        let assignment = Assignor::Range.assign(&group, &topics).unwrap();
        each_partition_has_one_owner(&group, &topics, &assignment);
        for part in assignment.values() {
            let stretches: BTreeSet<_> = part.values().collect();
            prop_assert!(stretches.len() <= 1, "topics are cut differently: {part:?}");
        }
        let by_size: BTreeSet<usize> = assignment.values().map(|part| count(part) / 3).collect();
        prop_assert!(by_size.last().unwrap() - by_size.first().unwrap() <= 1);
        // A static member is found again by its name, whatever id it comes back with.
        if named > 0 {
            let (id, spec) = group.members.pop_first().unwrap();
            group.members.insert(Arc::from("zzz"), spec);
            let after = Assignor::Range.assign(&group, &topics).unwrap();
            prop_assert_eq!(&after["zzz"], &assignment[&id]);
        }
    }
}

/// A thousand members, ten thousand partitions. The bound is wide for machines that do other things as well; how long it takes is some
/// milliseconds.
#[test]
fn a_large_group_takes_milliseconds() {
    let topics = cluster(&[100; 100]);
    for (assignor, mixed) in [(Assignor::Uniform, false), (Assignor::Uniform, true), (Assignor::Range, false)]
    {
        let mut group = group(1000, |member| {
            (1..=100)
                .filter(|number| !mixed || !(member as u64 + number).is_multiple_of(10))
                .map(topic)
                .collect()
        });
        let mut least = Duration::MAX;
        for _ in 0..3 {
            let begun = Instant::now();
            let assignment = assignor.assign(&group, &topics).unwrap();
            least = least.min(begun.elapsed());
            each_partition_has_one_owner(&group, &topics, &assignment);
            keep(&mut group, &assignment);
            group.members.pop_first();
        }
        eprintln!("{} mixed={mixed}: {least:?}", assignor.name());
        assert!(least < Duration::from_millis(500), "{} took {least:?}", assignor.name());
    }
}
