//! The memory that all request bodies under way may take together, as they came:
//! what is made of them for an upstream comes on top.
//!
//! Each is bounded, and so is their number, but a few thousand of the largest
//! would be more than any pod has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::CollectError;

/// Room for bodies, in bytes. Clones share it.
#[derive(Clone, Debug)]
pub struct BodyBudget {
    taken: Arc<AtomicUsize>,
    limit: usize,
}

/// What one request takes of it, until it is dropped.
#[derive(Debug)]
pub struct HeldBytes {
    budget: Option<BodyBudget>,
    bytes: usize,
}

impl BodyBudget {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            taken: Arc::default(),
            limit,
        }
    }

    /// Takes nothing yet.
    #[must_use]
    pub fn hold(&self) -> HeldBytes {
        HeldBytes {
            budget: Some(self.clone()),
            bytes: 0,
        }
    }
}

impl HeldBytes {
    /// Takes whatever comes.
    pub(super) fn unbounded() -> Self {
        Self {
            budget: None,
            bytes: 0,
        }
    }

    /// Takes so many bytes more.
    ///
    /// # Errors
    /// When there is no room for them.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), CollectError> {
        let Some(budget) = &self.budget else {
            return Ok(());
        };
        let before = budget.taken.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before.saturating_add(bytes) > budget.limit {
            return Err(CollectError::Full);
        }
        Ok(())
    }
}

impl HeldBytes {
    /// Gives back all of it.
    pub(super) fn release(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if let Some(budget) = &self.budget {
            budget.taken.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_leaves_no_room_and_comes_back() {
        let budget = BodyBudget::new(10);
        let (mut first, mut second) = (budget.hold(), budget.hold());
        assert_eq!(first.take(8), Ok(()));
        assert_eq!(second.take(3), Err(CollectError::Full));
        drop(second);
        let mut third = budget.hold();
        assert_eq!(third.take(2), Ok(()));
        drop(first);
        assert_eq!(third.take(8), Ok(()));
    }
}
