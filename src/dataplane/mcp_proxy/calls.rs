//! `limits.concurrentCalls`: how many messages this replica works on at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The calls under way. Clones count together, also across plans.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(Arc<AtomicUsize>);

/// One call under way. It moves into a streamed answer.
#[derive(Debug)]
pub(super) struct Call(Arc<AtomicUsize>);

impl Calls {
    /// Begins a call, unless so many are under way already.
    pub(super) fn begin(&self, limit: u32) -> Option<Call> {
        let call = Call(Arc::clone(&self.0));
        // Dropping the call takes back what is added here, also over the limit.
        (self.0.fetch_add(1, Ordering::AcqRel) < limit as usize).then_some(call)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_call_takes_no_place() {
        let calls = Calls::default();
        let first = calls.begin(1);
        assert!(first.is_some());
        assert!(calls.begin(1).is_none());
        drop(first);
        assert!(calls.begin(1).is_some());
    }
}
