//! In which order the upstreams that serve a model are tried.
//!
//! Lower priority first; within a priority by chance, by weight and by how busy
//! they are; behind all of them those that asked to be left alone.

use tokio::time::Instant;

use super::dice::Dice;
use super::load::share;
use super::table::Candidate;

/// The candidates of one request. `candidates` are sorted by priority.
pub(super) fn order<'a, C>(
    candidates: &'a [Candidate<C>],
    dice: &dyn Dice,
    now: impl FnOnce() -> Instant,
) -> Vec<&'a Candidate<C>> {
    if let [only] = candidates {
        return vec![only];
    }
    let now = now();
    let mut ordered = Vec::with_capacity(candidates.len());
    for tier in candidates.chunk_by(|a, b| a.upstream.priority == b.upstream.priority) {
        draw(tier, dice, now, &mut ordered);
    }
    let (mut first, held): (Vec<_>, Vec<_>) = ordered
        .into_iter()
        .partition(|candidate| !candidate.slot.breaker.is_held(now));
    first.extend(held);
    first
}

fn draw<'a, C>(
    tier: &'a [Candidate<C>],
    dice: &dyn Dice,
    now: Instant,
    ordered: &mut Vec<&'a Candidate<C>>,
) {
    if let [only] = tier {
        return ordered.push(only);
    }
    let mut left: Vec<(&Candidate<C>, u64)> = tier.iter().map(|c| (c, share(c, now))).collect();
    let mut total: u64 = left.iter().map(|(_, share)| share).sum();
    while left.len() > 1 && total > 0 {
        let mut mark = dice.below(total);
        let hit = left.iter().position(|(_, share)| {
            let hit = mark < *share;
            mark = mark.saturating_sub(*share);
            hit
        });
        let (drawn, share) = left.remove(hit.unwrap_or(0));
        total -= share;
        ordered.push(drawn);
    }
    // One is left, or only those of weight 0: as the spec orders them.
    ordered.extend(left.into_iter().map(|(candidate, _)| candidate));
}
