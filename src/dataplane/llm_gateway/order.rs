//! In which order the upstreams that serve a model are tried.
//!
//! Lower priority first; within a priority by chance, by weight; behind all of
//! them those that asked to be left alone.

use tokio::time::Instant;

use super::dice::Dice;
use super::table::Candidate;

/// The candidates of one request. `candidates` are sorted by priority.
pub(super) fn order<'a, C>(
    candidates: &'a [Candidate<C>],
    dice: &dyn Dice,
    now: Instant,
) -> Vec<&'a Candidate<C>> {
    if let [only] = candidates {
        return vec![only];
    }
    let mut ordered = Vec::with_capacity(candidates.len());
    for tier in candidates.chunk_by(|a, b| a.upstream.priority == b.upstream.priority) {
        draw(tier, dice, &mut ordered);
    }
    let (mut first, held): (Vec<_>, Vec<_>) = ordered
        .into_iter()
        .partition(|candidate| !candidate.slot.breaker.is_held(now));
    first.extend(held);
    first
}

fn draw<'a, C>(tier: &'a [Candidate<C>], dice: &dyn Dice, ordered: &mut Vec<&'a Candidate<C>>) {
    let mut left: Vec<&Candidate<C>> = tier.iter().collect();
    let mut total: u64 = left.iter().map(|c| u64::from(c.upstream.weight)).sum();
    while left.len() > 1 && total > 0 {
        let mut mark = dice.below(total);
        let hit = left.iter().position(|candidate| {
            let weight = u64::from(candidate.upstream.weight);
            let hit = mark < weight;
            mark = mark.saturating_sub(weight);
            hit
        });
        let drawn = left.remove(hit.unwrap_or(0));
        total -= u64::from(drawn.upstream.weight);
        ordered.push(drawn);
    }
    // One is left, or only those of weight 0: as the spec orders them.
    ordered.append(&mut left);
}
