//! Connections that wait for their next request.
//!
//! The one that came last is used first, so that those that are too many stay idle
//! and end. There is a list a core, so that cores do not wait for each other; one
//! whose list is empty looks into the others'.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// More lists than that would only be more to look through.
const MAX_LISTS: usize = 16;

thread_local! {
    /// The number of this thread, of those that came here.
    static NUMBER: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

/// What is idle, at most so many, for so long.
#[derive(Debug)]
pub(super) struct Idle<T> {
    lists: Box<[Mutex<List<T>>]>,
    /// Of each list.
    limit: usize,
    time: Duration,
}

/// In the order in which they came.
type List<T> = VecDeque<(Instant, T)>;

impl<T> Idle<T> {
    pub(super) fn new(limit: usize, time: Duration) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::in_lists(cores.min(MAX_LISTS), limit, time)
    }

    fn in_lists(lists: usize, limit: usize, time: Duration) -> Self {
        Self {
            lists: (0..lists).map(|_| Mutex::default()).collect(),
            limit: limit.div_ceil(lists),
            time,
        }
    }

    /// Keeps one; false when there are enough, and it is gone.
    pub(super) fn put(&self, one: T, now: Instant) -> bool {
        let Some(mut list) = self.own().next() else {
            return false;
        };
        let fits = list.len() < self.limit;
        if fits {
            list.push_back((now, one));
        }
        fits
    }

    /// The one that came last.
    pub(super) fn take(&self, now: Instant) -> Option<T> {
        self.own().find_map(|mut list| {
            let (since, one) = list.pop_back()?;
            let fresh = now.saturating_duration_since(since) < self.time;
            // Where the last one is too old all are; the sweep takes them.
            fresh.then_some(one)
        })
    }

    /// Drops those that are too old, or of which `is_open` is false.
    pub(super) fn tidy(&self, now: Instant, mut is_open: impl FnMut(&mut T) -> bool) {
        for list in self.own() {
            // To close them takes time: not while others wait.
            let gone = self.remove(list, now, &mut is_open);
            drop(gone);
        }
    }

    fn remove(
        &self,
        mut list: MutexGuard<'_, List<T>>,
        now: Instant,
        mut is_open: impl FnMut(&mut T) -> bool,
    ) -> List<T> {
        let all = std::mem::take(&mut *list);
        let mut gone = List::new();
        for (since, mut one) in all {
            let fresh = now.saturating_duration_since(since) < self.time;
            let kept = fresh && is_open(&mut one);
            let to = if kept { &mut *list } else { &mut gone };
            to.push_back((since, one));
        }
        gone
    }

    pub(super) fn is_empty(&self) -> bool {
        self.own().all(|list| list.is_empty())
    }

    /// The lists, the thread's own one first.
    fn own(&self) -> impl Iterator<Item = MutexGuard<'_, List<T>>> {
        let lists = self.lists.len();
        let first = NUMBER.with(|number| number % lists.max(1));
        (0..lists).filter_map(move |step| {
            let list = self.lists.get((first + step) % lists)?;
            Some(list.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(55);

    fn mk_idle() -> (Idle<u32>, Instant) {
        (Idle::in_lists(1, 2, TIME), Instant::now())
    }

    #[test]
    fn the_last_one_is_used_first_and_no_more_are_kept_than_allowed() {
        let (idle, now) = mk_idle();
        assert!(idle.put(1, now));
        assert!(idle.put(2, now));
        assert!(!idle.put(3, now));
        assert_eq!(idle.take(now), Some(2));
        assert_eq!(idle.take(now), Some(1));
        assert_eq!(idle.take(now), None);
    }

    #[test]
    fn one_that_was_idle_for_too_long_is_not_used() {
        let (idle, now) = mk_idle();
        idle.put(1, now);
        assert_eq!(idle.take(now + TIME), None);
        idle.put(2, now);
        assert_eq!(idle.take(now + TIME - Duration::from_millis(1)), Some(2));
    }

    #[test]
    fn tidying_leaves_the_fresh_and_open_ones_in_their_order() {
        let now = Instant::now();
        let idle = Idle::in_lists(1, 8, TIME);
        idle.put(1, now);
        let later = now + TIME / 2;
        for one in [2, 3, 4] {
            idle.put(one, later);
        }
        idle.tidy(now + TIME, |one| *one != 3);
        assert_eq!(idle.take(later), Some(4));
        assert_eq!(idle.take(later), Some(2));
        assert!(idle.is_empty());
    }

    #[test]
    fn a_thread_whose_list_is_empty_takes_from_another() {
        let idle = Idle::in_lists(4, 64, TIME);
        let now = Instant::now();
        idle.put(7, now);
        let taken = std::thread::scope(|scope| {
            let others = (0..4).map(|_| scope.spawn(|| idle.take(now)));
            let others: Vec<_> = others.collect();
            others
                .into_iter()
                .filter_map(|other| other.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert_eq!(taken, [7]);
    }
}
