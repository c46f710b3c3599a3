//! What a power cut leaves of a disk: what was synced, and of the rest what chance decides.

use super::tree::{Body, Change, NameChange, Node, Tree};
use crate::dice::Dice;

/// Bytes that a disk writes at once, as a rule.
const SECTOR: usize = 512;
/// Bytes that a system writes back at once.
const PAGE: usize = 4096;

/// How a power cut treats what was not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// All of it is lost.
    Lost,
    /// All of it had just been written back.
    Kept,
    /// Every name is there, and of bytes only what was synced: a journal keeps names, and bytes follow when they like.
    Named,
    /// Every byte is there, and of names only what was synced.
    Written,
    /// All of it had been written back, but that files had become shorter.
    Unshortened,
    /// What was done first was written back first: of the names and of each file a beginning is there, the last
    /// write of it torn.
    Ordered,
    /// Written back in any order: any sectors of any of the writes to a file, and any of the lengths it had; names in their
    /// order within a directory, as every journal keeps them, and in none between directories.
    Scattered,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Lost,
        Self::Kept,
        Self::Named,
        Self::Written,
        Self::Unshortened,
        Self::Ordered,
        Self::Scattered,
    ];

    /// One of them.
    pub fn any(dice: &mut Dice) -> Self {
        Self::ALL[dice.place(Self::ALL.len())]
    }
}

/// The disk as it is found when the power is back.
pub(super) fn survivor(tree: &Tree, fate: Fate, dice: &mut Dice) -> Tree {
    let mut left = tree.clone();
    let kept = kept_names(&tree.names, fate, dice);
    for (change, kept) in tree.names.iter().zip(kept) {
        if kept {
            left.make_durable(change);
        }
    }
    left.names.clear();
    for node in &mut left.nodes {
        match node {
            Node::File(body) => {
                body.seen = bytes_left(body, fate, dice);
                body.durable = body.seen.clone();
                body.pending.clear();
            }
            Node::Directory(names) => names.seen = names.durable.clone(),
        }
    }
    left
}

fn kept_names(names: &[NameChange], fate: Fate, dice: &mut Dice) -> Vec<bool> {
    match fate {
        Fate::Lost | Fate::Written => vec![false; names.len()],
        Fate::Kept | Fate::Named | Fate::Unshortened => vec![true; names.len()],
        Fate::Ordered => {
            let end = dice.place(names.len() + 1);
            (0..names.len()).map(|index| index < end).collect()
        }
        Fate::Scattered => {
            // Each directory's changes up to some moment, one no matter of the other.
            let mut ends: Vec<(usize, usize)> = Vec::new();
            let mut kept: Vec<bool> = Vec::with_capacity(names.len());
            for (index, change) in names.iter().enumerate() {
                let directory = change.parts[0].0;
                let known = ends.iter().find(|(known, _)| *known == directory).map(|(_, end)| *end);
                let end = known.unwrap_or_else(|| {
                    let end = [0, names.len(), dice.place(names.len() + 1)][dice.place(3)];
                    ends.push((directory, end));
                    end
                });
                let grounded = (0..index).all(|earlier| kept[earlier] || !change.rests_on(&names[earlier]));
                kept.push(index < end && grounded);
            }
            kept
        }
    }
}

fn bytes_left(body: &Body, fate: Fate, dice: &mut Dice) -> Vec<u8> {
    if body.pending.is_empty() {
        return body.durable.clone();
    }
    match fate {
        Fate::Lost | Fate::Named => body.durable.clone(),
        Fate::Kept | Fate::Written => applied(body, body.pending.len()),
        Fate::Unshortened => unshortened(body),
        Fate::Ordered => {
            let whole = dice.place(body.pending.len() + 1);
            let mut bytes = applied(body, whole);
            if let Some(Change::Write { position, bytes: written }) = body.pending.get(whole) {
                let end = position + dice.place(written.len() + 1);
                // Half of the tears are within a sector.
                let end = if dice.percent(50) { end } else { (end / SECTOR * SECTOR).max(*position) };
                Change::Write { position: *position, bytes: written[..end - position].to_owned() }
                    .apply(&mut bytes);
            }
            bytes
        }
        Fate::Scattered => scattered(body, dice),
    }
}

fn applied(body: &Body, changes: usize) -> Vec<u8> {
    let mut bytes = body.durable.clone();
    body.pending[..changes].iter().for_each(|change| change.apply(&mut bytes));
    bytes
}

fn unshortened(body: &Body) -> Vec<u8> {
    let mut bytes = body.durable.clone();
    let shortens = |change: &Change, held: usize| matches!(change, Change::Length(length) if *length < held);
    for change in &body.pending {
        if !shortens(change, bytes.len()) {
            change.apply(&mut bytes);
        }
    }
    bytes
}

fn scattered(body: &Body, dice: &mut Dice) -> Vec<u8> {
    let mut versions = vec![body.durable.clone()];
    for change in &body.pending {
        let mut next = versions[versions.len() - 1].clone();
        change.apply(&mut next);
        versions.push(next);
    }
    let (oldest, newest) = (0, versions.len() - 1);
    let length = versions[dice.place(versions.len())].len();
    let unit = if dice.percent(50) { SECTOR } else { PAGE };
    // Where the first bytes of one unit are newer than its last ones.
    let torn = dice.percent(30).then(|| dice.place(length.max(1)));
    let style = dice.place(3);
    let mut bytes = vec![0; length];
    for start in (0..length).step_by(unit) {
        let end = (start + unit).min(length);
        let mut pick = || match style {
            0 => [oldest, newest][dice.place(2)],
            _ => dice.place(versions.len()),
        };
        let (first, second) = (pick(), pick());
        let split = torn.filter(|torn| (start..end).contains(torn)).unwrap_or(end);
        copy(&versions[first], &mut bytes, start..split);
        copy(&versions[second], &mut bytes, split..end);
    }
    bytes
}

fn copy(from: &[u8], into: &mut [u8], range: std::ops::Range<usize>) {
    let end = range.end.min(from.len());
    if range.start < end {
        into[range.start..end].copy_from_slice(&from[range.start..end]);
    }
}
