//! Every attempt is accounted for exactly once, however it ends: also when the
//! client goes away and the future or the body is simply dropped.

use std::sync::Arc;

use agentkube_llm::UsageReport;
use tokio::time::Instant;

use super::health::Health;
use super::metrics::Outcome;
use super::table::{Candidate, Slot};

/// The account of one attempt. Dropped while open, it counts as cancelled.
pub(super) struct Settlement(Option<Account>);

struct Account {
    slot: Arc<Slot>,
    health: Arc<Health>,
    since: Instant,
    usage: UsageReport,
    /// Its answer costs no tokens.
    is_free: bool,
}

impl Settlement {
    pub(super) fn open<C>(candidate: &Candidate<C>, is_free: bool, now: Instant) -> Self {
        candidate.slot.enter();
        Self(Some(Account {
            slot: Arc::clone(&candidate.slot),
            health: Arc::clone(&candidate.upstream.health),
            since: now,
            usage: UsageReport::Absent,
            is_free,
        }))
    }

    /// Moves the account elsewhere; this one is settled.
    pub(super) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// The upstream answers.
    pub(super) fn first_token(&self) {
        if let Some(account) = &self.0 {
            account.slot.metrics.first_token(account.since.elapsed());
            account.slot.breaker.answered();
            account.health.well();
        }
    }

    /// What is known of the usage so far.
    pub(super) fn used(&mut self, usage: UsageReport) {
        if let Some(account) = &mut self.0 {
            account.usage = usage;
        }
    }

    /// An answer broke off after its first event: nothing can be retried any
    /// more, but the upstream is not well.
    pub(super) fn broke_off(&mut self, why: &str) {
        if let Some(account) = &self.0 {
            account.slot.breaker.failed(Instant::now());
            account.health.failing(why);
        }
        self.close(Outcome::Truncated);
    }

    /// Settles.
    pub(super) fn close(&mut self, outcome: Outcome) {
        let Some(account) = self.0.take() else { return };
        account.slot.leave();
        let complete = outcome == Outcome::Ok;
        match outcome {
            Outcome::Ok => account.slot.breaker.completed(),
            Outcome::Cancelled => account.slot.breaker.abandoned(Instant::now()),
            _ => {}
        }
        account.slot.metrics.attempted(outcome);
        if !account.is_free {
            account.slot.metrics.used(account.usage, complete);
        }
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        self.close(Outcome::Cancelled);
    }
}
