//! Tickets that were shown: each is good once, and only for a while.

use std::collections::HashSet;
use std::mem;

use super::envelope::TicketId;

/// Seconds that a ticket may be older or younger than our clock says.
const SKEW: u64 = 30;

/// A ticket is remembered for as long as it could be shown again.
const REMEMBERED: u64 = 2 * SKEW;

/// Tickets in that time: more than a replica serves. Beyond it none is admitted.
const MOST: usize = 1_000_000;

/// The tickets of the last minute or two, in two generations.
#[derive(Debug, Default)]
pub(super) struct Seen {
    since: u64,
    young: HashSet<TicketId>,
    old: HashSet<TicketId>,
}

impl Seen {
    /// True for a ticket of about now that was not shown before.
    pub(super) fn admits(&mut self, id: TicketId, at: u64, now: u64) -> bool {
        if now.saturating_sub(self.since) > REMEMBERED {
            self.old = mem::take(&mut self.young);
            self.since = now;
        }
        at.abs_diff(now) <= SKEW
            && self.young.len() < MOST
            && !self.old.contains(&id)
            && self.young.insert(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_in_its_minute() {
        let mut seen = Seen::default();
        assert!(seen.admits([1; 12], 1_000, 1_000));
        assert!(!seen.admits([1; 12], 1_000, 1_000), "again");
        assert!(!seen.admits([1; 12], 1_000, 1_030), "still");
        assert!(seen.admits([2; 12], 1_000, 1_030));
        assert!(!seen.admits([3; 12], 1_000, 1_031), "old");
        assert!(!seen.admits([3; 12], 1_062, 1_031), "of the future");
    }

    #[test]
    fn what_can_be_shown_again_is_remembered_over_a_change_of_generations() {
        let mut seen = Seen::default();
        assert!(seen.admits([0; 12], 1_000, 1_000));
        // Sent by a clock that is ahead: good until 1_090.
        assert!(seen.admits([1; 12], 1_060, 1_060));
        assert!(seen.admits([2; 12], 1_061, 1_061), "a new generation");
        for now in 1_061..=1_090 {
            assert!(!seen.admits([1; 12], 1_060, now));
        }
        assert!(seen.admits([3; 12], 1_200, 1_200));
        assert!(seen.admits([4; 12], 1_300, 1_300));
        assert!(seen.old.len() + seen.young.len() <= 2, "forgotten");
    }
}
