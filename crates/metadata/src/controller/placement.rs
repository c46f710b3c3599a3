//! Where new replicas go: striped over racks and the brokers within each, so that neighbouring partitions lead on
//! different brokers and no rack holds two replicas of a partition before all hold one.
//!
//! Kafka's rule (its `StripedReplicaPlacer`): racks take turns, within a rack unfenced brokers before fenced ones,
//! and the first replica, which will lead, is never fenced. Randomness is an argument.

use std::collections::BTreeMap;

use protocol::id::NodeId;

use super::Refusal;
use crate::image::Image;

/// A source of randomness: an explicit seed, so that a decision can be repeated.
#[derive(Clone, Copy, Debug)]
pub struct Seed(pub u64);

impl Seed {
    /// The next number below `bound`, which is not 0.
    fn draw(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.draw(last + 1));
        }
    }
}

/// The brokers of one rack, each list in an order of its own.
struct Rack {
    unfenced: Vec<NodeId>,
    fenced: Vec<NodeId>,
}

/// Chooses the replicas of `partitions` new partitions.
pub fn place(
    image: &Image,
    partitions: usize,
    replication_factor: i16,
    mut seed: Seed,
) -> Result<Vec<Vec<NodeId>>, Refusal> {
    let wanted = usize::try_from(replication_factor).unwrap_or(0);
    let mut racks = racks_of(image, &mut seed);
    let registered: usize = racks.iter().map(|rack| rack.unfenced.len() + rack.fenced.len()).sum();
    let refuse = |reason: String| {
        let sentence = format!("unable to replicate the partition {wanted} time(s): {reason}");
        Err(Refusal::InvalidReplicationFactor(sentence))
    };
    if wanted == 0 {
        return refuse("the replication factor must be positive".to_owned());
    }
    if racks.iter().all(|rack| rack.unfenced.is_empty()) {
        return refuse("all brokers are fenced or have all their log directories cordoned".to_owned());
    }
    if wanted > registered {
        return refuse(format!(
            "the target replication factor of {wanted} cannot be reached because only {registered} broker(s) are registered"
        ));
    }
    seed.shuffle(&mut racks);
    let first_rack = seed.draw(racks.len());
    let first_broker = seed.draw(registered);
    Ok((0..partitions)
        .map(|partition| one_partition(&racks, wanted, (first_rack + partition, first_broker + partition)))
        .collect())
}

fn racks_of(image: &Image, seed: &mut Seed) -> Vec<Rack> {
    let mut racks: BTreeMap<Option<&str>, Rack> = BTreeMap::new();
    for broker in image.cluster.brokers.values() {
        // Who is about to stop, or has cordoned all it has, takes nothing new; who is fenced may come back.
        if broker.in_controlled_shutdown || !broker.takes_replicas() {
            continue;
        }
        let empty = || Rack { unfenced: Vec::new(), fenced: Vec::new() };
        let rack = racks.entry(broker.rack.as_deref()).or_insert_with(empty);
        let list = if broker.fenced { &mut rack.fenced } else { &mut rack.unfenced };
        list.push(broker.id);
    }
    let mut racks: Vec<_> = racks.into_values().collect();
    for rack in &mut racks {
        seed.shuffle(&mut rack.unfenced);
        seed.shuffle(&mut rack.fenced);
    }
    racks
}

/// The replicas of one partition: the racks take turns, each giving its next broker, until there are enough.
fn one_partition(racks: &[Rack], wanted: usize, (rack_turn, broker_turn): (usize, usize)) -> Vec<NodeId> {
    let count = racks.len();
    // The leader comes from the first rack in turn that has an unfenced broker.
    let start = (0..count).map(|step| (rack_turn + step) % count).find(|&at| !racks[at].unfenced.is_empty());
    let start = start.expect("placement has checked that some broker is unfenced");
    // Once round all racks moves every rack on by one broker.
    let offset = broker_turn / count.max(1);
    let nth = |rack: &Rack, place: usize| {
        let unfenced = rack.unfenced.len();
        if place < unfenced {
            rack.unfenced[(place + offset) % unfenced]
        } else {
            rack.fenced[(place - unfenced + offset) % rack.fenced.len()]
        }
    };
    let mut replicas = Vec::with_capacity(wanted);
    let mut round = 0;
    while replicas.len() < wanted {
        for step in 0..count {
            let rack = &racks[(start + step) % count];
            if round < rack.unfenced.len() + rack.fenced.len() && replicas.len() < wanted {
                replicas.push(nth(rack, round));
            }
        }
        round += 1;
    }
    replicas
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::controller::brokers::tests::image_of;

    #[test]
    fn racks_share_replicas_and_leaders_alternate() {
        let image = image_of(&[(1, "a", false), (2, "a", false), (3, "b", false), (4, "b", false)]);
        for seed in 0..50 {
            let placed = place(&image, 4, 2, Seed(seed)).unwrap();
            for replicas in &placed {
                let racks: BTreeSet<_> = replicas.iter().map(|id| id.0 <= 2).collect();
                assert_eq!(racks.len(), 2, "seed {seed}: {placed:?}");
            }
            let leaders: BTreeSet<_> = placed.iter().map(|replicas| replicas[0]).collect();
            assert!(leaders.len() >= 2, "seed {seed}: {placed:?}");
        }
    }

    #[test]
    fn leaders_are_spread_evenly_without_racks() {
        let brokers: Vec<_> = (1..=4).map(|id| (id, "", false)).collect();
        let image = image_of(&brokers);
        for seed in 0..50 {
            let placed = place(&image, 8, 3, Seed(seed)).unwrap();
            for id in 1..=4 {
                let led = placed.iter().filter(|replicas| replicas[0] == NodeId(id)).count();
                assert_eq!(led, 2, "seed {seed}: {placed:?}");
            }
        }
    }

    #[test]
    fn replicas_are_distinct_and_the_leader_is_unfenced() {
        let image =
            image_of(&[(1, "a", true), (2, "a", false), (3, "b", true), (4, "", true), (5, "c", false)]);
        for seed in 0..50 {
            for factor in 1..=5 {
                for replicas in place(&image, 6, factor, Seed(seed)).unwrap() {
                    let distinct: BTreeSet<_> = replicas.iter().collect();
                    assert_eq!(distinct.len(), factor as usize, "{replicas:?}");
                    assert!([2, 5].contains(&replicas[0].0), "a fenced leader in {replicas:?}");
                }
            }
        }
    }

    #[test]
    fn too_few_brokers_are_said_in_numbers() {
        let image = image_of(&[(1, "", false)]);
        let refusal = place(&image, 1, 3, Seed(0)).unwrap_err();
        assert!(refusal.to_string().contains("only 1 broker(s) are registered"), "{refusal}");
        let fenced = image_of(&[(1, "", true)]);
        assert!(place(&fenced, 1, 1, Seed(0)).unwrap_err().to_string().contains("fenced"));
    }
}
