//! The circuit breaker of an upstream, or of one model there.
//!
//! ```text
//! Closed ──failures within the window──▶ Open ──cooldown──▶ one probe
//!    ▲                                    ▲                    │
//!    └──────────── it answered ───────────┼────────────────────┤
//!                                         └──── it failed ─────┘
//! ```
//!
//! A complete answer empties the count, so what opens the breaker are failures
//! in a row: an upstream that fails five times among thousands of answers is not
//! down. Time is an argument.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agentkube_plan as plan;
use tokio::time::Instant;

/// Longest time that a provider's Retry-After keeps others waiting.
const MAX_HOLD: Duration = Duration::from_secs(60);

/// What is known of the failures in one place.
#[derive(Debug)]
pub(crate) struct Breaker {
    limits: plan::Breaker,
    /// True while it is closed and no failure counts, which is nearly always: then
    /// a request need not wait for others to look at the rest.
    calm: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// The provider asked to be left alone until then.
    held: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    Closed {
        failures: VecDeque<Instant>,
    },
    Open {
        until: Instant,
    },
    /// One request is finding out. Should it never say, the next one may after
    /// another cooldown.
    Probing {
        until: Instant,
    },
}

impl Default for Phase {
    fn default() -> Self {
        Self::Closed {
            failures: VecDeque::new(),
        }
    }
}

impl Breaker {
    pub(crate) fn new(limits: plan::Breaker) -> Self {
        Self {
            limits,
            calm: AtomicBool::new(true),
            state: Mutex::default(),
        }
    }

    pub(crate) fn limits(&self) -> &plan::Breaker {
        &self.limits
    }

    /// Lets a request through, or says how long the upstream is still left alone.
    pub(crate) fn admit(&self, now: impl FnOnce() -> Instant) -> Result<(), Duration> {
        if self.is_calm() {
            return Ok(());
        }
        let now = now();
        let mut state = self.state();
        match state.phase {
            Phase::Closed { .. } => Ok(()),
            Phase::Open { until } | Phase::Probing { until } if now < until => Err(until - now),
            Phase::Open { .. } | Phase::Probing { .. } => {
                let until = now + self.limits.cooldown;
                state.phase = Phase::Probing { until };
                Ok(())
            }
        }
    }

    /// True while one request is finding out.
    pub(crate) fn is_probing(&self) -> bool {
        matches!(self.state().phase, Phase::Probing { .. })
    }

    /// The head of an answer came: a probe has found out.
    pub(crate) fn answered(&self) {
        if self.is_calm() {
            return;
        }
        let mut state = self.state();
        if !matches!(state.phase, Phase::Closed { .. }) {
            self.calm_down(&mut state);
        }
    }

    /// An answer is complete.
    pub(crate) fn completed(&self) {
        if !self.is_calm() {
            self.calm_down(&mut self.state());
        }
    }

    /// A request vanished before it was answered: its client went away. Should it
    /// have been the probe, the next one may find out at once.
    pub(crate) fn abandoned(&self, now: Instant) {
        let mut state = self.state();
        if matches!(state.phase, Phase::Probing { .. }) {
            state.phase = Phase::Open { until: now };
        }
    }

    /// A request failed at this upstream, all its attempts counted as one.
    pub(crate) fn failed(&self, now: Instant) {
        let until = now + self.limits.cooldown;
        let limit = usize::try_from(self.limits.failures).unwrap_or(usize::MAX);
        let window = self.limits.window;
        let mut state = self.state();
        self.calm.store(false, Ordering::Relaxed);
        match &mut state.phase {
            Phase::Probing { .. } => state.phase = Phase::Open { until },
            Phase::Open { .. } => {}
            Phase::Closed { failures } => {
                while failures.front().is_some_and(|at| now - *at > window) {
                    failures.pop_front();
                }
                failures.push_back(now);
                if failures.len() >= limit {
                    state.phase = Phase::Open { until };
                }
            }
        }
    }

    /// The provider asked to be left alone: other upstreams are tried before it.
    pub(crate) fn hold(&self, now: Instant, time: Duration) {
        self.state().held = Some(now + time.min(MAX_HOLD));
    }

    /// True while the provider asked to be left alone.
    pub(crate) fn is_held(&self, now: Instant) -> bool {
        self.state().held.is_some_and(|until| now < until)
    }

    fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Under the lock, so that a failure of the same moment is not overlooked.
    fn calm_down(&self, state: &mut State) {
        state.phase = Phase::default();
        self.calm.store(true, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(30);

    fn mk_breaker() -> (Breaker, Instant) {
        let breaker = Breaker::new(plan::Breaker {
            failures: 3,
            window: Duration::from_secs(10),
            cooldown: COOLDOWN,
        });
        (breaker, Instant::now())
    }

    fn fail(breaker: &Breaker, times: usize, now: Instant) {
        for _ in 0..times {
            breaker.failed(now);
        }
    }

    #[test]
    fn failures_in_a_row_open_it_for_the_cooldown() {
        let (breaker, now) = mk_breaker();
        fail(&breaker, 2, now);
        assert_eq!(breaker.admit(|| now), Ok(()));
        fail(&breaker, 1, now);
        assert_eq!(breaker.admit(|| now), Err(COOLDOWN));
        let later = now + Duration::from_secs(29);
        assert_eq!(breaker.admit(|| later), Err(Duration::from_secs(1)));
    }

    #[test]
    fn failures_outside_of_the_window_do_not_count() {
        let (breaker, now) = mk_breaker();
        fail(&breaker, 2, now);
        let later = now + Duration::from_secs(11);
        fail(&breaker, 2, later);
        assert_eq!(breaker.admit(|| later), Ok(()));
    }

    #[test]
    fn an_answer_between_failures_empties_the_count() {
        let (breaker, now) = mk_breaker();
        fail(&breaker, 2, now);
        breaker.completed();
        fail(&breaker, 2, now);
        assert_eq!(breaker.admit(|| now), Ok(()));
    }

    #[test]
    fn after_the_cooldown_one_probe_decides() {
        let (breaker, now) = mk_breaker();
        fail(&breaker, 3, now);
        let later = now + COOLDOWN;
        assert_eq!(breaker.admit(|| later), Ok(()));
        assert_eq!(breaker.admit(|| later), Err(COOLDOWN), "only one");
        fail(&breaker, 1, later);
        assert_eq!(breaker.admit(|| later), Err(COOLDOWN), "it failed");
        let later = later + COOLDOWN;
        assert_eq!(breaker.admit(|| later), Ok(()));
        breaker.answered();
        assert_eq!(breaker.admit(|| later), Ok(()));
        assert_eq!(breaker.admit(|| later), Ok(()), "it is closed");
    }

    #[test]
    fn a_lost_probe_is_replaced_after_another_cooldown() {
        let (breaker, now) = mk_breaker();
        fail(&breaker, 3, now);
        let later = now + COOLDOWN;
        assert_eq!(breaker.admit(|| later), Ok(()));
        assert_eq!(breaker.admit(|| later + COOLDOWN), Ok(()));
    }

    #[test]
    fn a_probe_whose_client_left_is_replaced_at_once() {
        let (breaker, now) = mk_breaker();
        breaker.abandoned(now);
        fail(&breaker, 3, now);
        breaker.abandoned(now);
        assert_eq!(breaker.admit(|| now), Err(COOLDOWN), "that was no probe");
        let later = now + COOLDOWN;
        assert_eq!(breaker.admit(|| later), Ok(()));
        breaker.abandoned(later);
        assert_eq!(breaker.admit(|| later), Ok(()));
        assert_eq!(breaker.admit(|| later), Err(COOLDOWN), "only one");
    }

    #[test]
    fn an_answer_does_not_end_a_hold() {
        let (breaker, now) = mk_breaker();
        fail(&breaker, 1, now);
        breaker.hold(now, COOLDOWN);
        breaker.completed();
        assert!(breaker.is_held(now));
        fail(&breaker, 3, now);
        breaker.answered();
        assert!(breaker.is_held(now));
    }

    #[test]
    fn a_hold_ends_and_is_bounded() {
        let (breaker, now) = mk_breaker();
        breaker.hold(now, Duration::from_secs(3_600));
        assert!(breaker.is_held(now));
        assert!(!breaker.is_held(now + MAX_HOLD));
        assert_eq!(breaker.admit(|| now), Ok(()), "a hold is no refusal");
    }
}
