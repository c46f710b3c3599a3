//! Operations that each read what the next one wrote, in a circle: no order of them explains that (G1c by reads alone;
//! that writes interleave is legal in Kafka and makes no edge here).

use super::anomaly::Anomaly;
use super::index::Index;

pub(super) fn find(index: &Index<'_>, found: &mut Vec<Anomaly>) {
    let count = index.operations.len();
    let mut edges: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (value, readers) in &index.readers {
        let writers = index.writers.get(value).map(Vec::as_slice).unwrap_or_default();
        for (writer, reader) in writers.iter().flat_map(|writer| readers.iter().map(move |it| (*writer, *it)))
        {
            if writer != reader {
                edges[reader].push(writer);
            }
        }
    }
    // Only who both reads and writes can stand in a circle.
    let candidates = (0..count)
        .filter(|place| !edges[*place].is_empty() && index.operations[*place].sends().next().is_some());
    let mut explained = vec![false; count];
    for start in candidates.collect::<Vec<_>>() {
        if explained[start] {
            continue;
        }
        if let Some(cycle) = shortest(&edges, start) {
            cycle.iter().for_each(|place| explained[*place] = true);
            found.push(Anomaly::Cycle(cycle));
        }
    }
}

/// The shortest way from an operation back to itself.
fn shortest(edges: &[Vec<usize>], start: usize) -> Option<Vec<usize>> {
    let mut came_from: Vec<Option<usize>> = vec![None; edges.len()];
    let mut next = std::collections::VecDeque::from([start]);
    while let Some(place) = next.pop_front() {
        for target in &edges[place] {
            if *target == start {
                let mut cycle = vec![place];
                while let Some(before) = came_from[cycle[cycle.len() - 1]] {
                    cycle.push(before);
                }
                cycle.reverse();
                return Some(cycle);
            }
            if came_from[*target].is_none() {
                came_from[*target] = Some(place);
                next.push_back(*target);
            }
        }
    }
    None
}
