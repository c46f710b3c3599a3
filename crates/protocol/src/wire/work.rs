//! How much work bytes can cause: the steps of reading are counted, and must stay linear in the bytes whatever
//! lengths and counts they claim.

use std::cell::Cell;

use super::{Array, Reader, Value};
use crate::messages::catalogue::{self, Entry};
use crate::messages::schema::{FieldSchema, Type};

#[path = "../../tests/model/mod.rs"]
mod model;

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Called by the reader for each number, length and run of bytes that it takes.
pub fn count_step() {
    STEPS.with(|steps| steps.set(steps.get() + 1));
}

fn steps_of(work: impl FnOnce()) -> usize {
    STEPS.with(|steps| steps.set(0));
    work();
    STEPS.with(Cell::get)
}

/// How deep arrays stand in arrays.
fn depth(fields: &[FieldSchema]) -> usize {
    fn of(ty: Type) -> usize {
        match ty {
            Type::Array(element) => 1 + of(*element),
            Type::Struct(structure) => depth(structure.fields),
            _ => 0,
        }
    }
    fields.iter().map(|field| of(field.ty)).max().unwrap_or(0)
}

/// Noise of small numbers, which make many small arrays, and with some seeds of `0xff`, which claims much.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let choices = [3, 0, 2, 3, 1, 2, 3, 5, 8, 0x7f, 0x80, 0xff];
    let letters = &choices[..4 + (seed % 9) as usize];
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        letters[(state >> 32) as usize % letters.len()]
    };
    (0..4096).map(step).collect()
}

#[test]
fn no_bytes_cause_more_work_than_linear_in_their_length_and_depth() {
    let mut out = Vec::new();
    for seed in 0..8 {
        let noise = noise(seed);
        for entry in catalogue::all() {
            for version in entry.schema.versions.iter() {
                check(entry, version, &noise, &mut out);
                check(entry, version, &sound(entry, version, &noise), &mut out);
            }
        }
    }
}

/// A message whose arrays are full of arrays.
fn sound(entry: &Entry, version: i16, noise: &[u8]) -> Vec<u8> {
    let fields = entry.schema.fields;
    let model = model::fields(fields, version, &mut model::Entropy::new(noise));
    let mut bytes = Vec::new();
    model::write(fields, &model, version, entry.schema.flexible.contains(version), &mut bytes);
    bytes
}

fn check(entry: &Entry, version: i16, bytes: &[u8], out: &mut Vec<u8>) {
    // A string is a length and its bytes, so two steps may share one byte; absent fields and tags take none.
    let pass = 2 * bytes.len() + 16;
    let decoding = steps_of(|| drop((entry.decode)(bytes, version)));
    assert!(decoding <= pass, "{} {version}: {decoding} steps", entry.schema.name);
    // What was read must not cost more by being iterated to its depth.
    out.clear();
    let recoding = steps_of(|| drop((entry.recode)(bytes, version, out)));
    let limit = pass * (depth(entry.schema.fields) + 1);
    assert!(recoding <= limit, "{} {version}: {recoding} steps", entry.schema.name);
}

#[test]
fn an_array_of_a_billion_costs_nothing() {
    let bytes = [&0x3fff_ffffu32.to_be_bytes()[..], &[0; 64]].concat();
    let steps = steps_of(|| {
        assert!(Array::<'_, Array<'_, i8>>::read(&mut Reader::new(&bytes, 0, false)).is_err());
    });
    assert!(steps < 4, "{steps} steps");
}
