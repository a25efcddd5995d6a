//! Leaves an upstream alone for a while after repeated failures.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agentkube_plan::Breaker as Params;
use tokio::time::Instant;

/// The breaker of one upstream.
#[derive(Debug)]
pub(super) struct Breaker {
    params: Params,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Calls pass; when the latest failures happened.
    Closed(VecDeque<Instant>),
    /// Nothing passes before this moment.
    Open(Instant),
    /// One call is under way to see whether the upstream is back; another may
    /// try at this moment should that one never report.
    Probing(Instant),
}

impl Breaker {
    pub(super) fn new(params: Params) -> Self {
        Self {
            params,
            state: Mutex::new(State::Closed(VecDeque::new())),
        }
    }

    /// Lets a call pass.
    ///
    /// # Errors
    /// How long the upstream is still left alone.
    pub(super) fn admit(&self) -> Result<(), Duration> {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Closed(_) => Ok(()),
            State::Open(until) | State::Probing(until) if now < until => Err(until - now),
            State::Open(_) | State::Probing(_) => {
                *state = State::Probing(now + self.params.cooldown);
                Ok(())
            }
        }
    }

    /// A call reached the upstream.
    pub(super) fn succeeded(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Closed(failures) if failures.is_empty() => {}
            _ => *state = State::Closed(VecDeque::new()),
        }
    }

    /// A call did not.
    pub(super) fn failed(&self) {
        let now = Instant::now();
        let open = State::Open(now + self.params.cooldown);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Closed(failures) => {
                failures.push_back(now);
                while failures
                    .front()
                    .is_some_and(|at| now - *at > self.params.window)
                {
                    failures.pop_front();
                }
                // Zero failures would never close; the schema forbids it.
                if failures.len() >= self.params.failures.max(1) as usize {
                    *state = open;
                }
            }
            State::Probing(_) => *state = open,
            State::Open(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(Params {
            failures: 2,
            window: Duration::from_secs(30),
            cooldown: Duration::from_secs(10),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_the_failures_and_lets_one_call_try_again() {
        let breaker = breaker();
        breaker.failed();
        assert_eq!(breaker.admit(), Ok(()));
        breaker.failed();
        assert_eq!(breaker.admit(), Err(Duration::from_secs(10)));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(breaker.admit(), Ok(()));
        assert!(breaker.admit().is_err(), "only one call tries");
        breaker.succeeded();
        assert_eq!(breaker.admit(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_trial_opens_it_again() {
        let breaker = breaker();
        breaker.failed();
        breaker.failed();
        tokio::time::advance(Duration::from_secs(10)).await;
        breaker.admit().unwrap();
        breaker.failed();
        assert!(breaker.admit().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn failures_outside_the_window_do_not_add_up() {
        let breaker = breaker();
        breaker.failed();
        tokio::time::advance(Duration::from_secs(31)).await;
        breaker.failed();
        assert_eq!(breaker.admit(), Ok(()));
    }
}
