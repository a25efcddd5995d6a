//! What the demo models say, and how it is counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// One answer of a demo model.
pub(super) struct Answer {
    /// Different for each answer of this process.
    pub(super) number: u64,
    /// Seconds since 1970.
    pub(super) created: u64,
    /// The model as it was asked for.
    pub(super) model: String,
    /// What it says.
    pub(super) text: String,
    /// Estimated, as a provider would count the request.
    pub(super) input_tokens: usize,
}

impl Answer {
    /// The answer of `model` to a request of this many bytes.
    pub(super) fn new(model: &str, request_bytes: usize) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            created: since_epoch.as_secs(),
            model: model.to_owned(),
            text: format!(
                "Hello from the agentkube demo. You asked for {model}, and the gateway found its \
                 way here. No provider key and no network was needed for this answer."
            ),
            // Four bytes a token is the usual rule of thumb.
            input_tokens: request_bytes.div_ceil(4),
        }
    }

    /// The text in the pieces in which it is streamed.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &str> {
        self.text.split_inclusive(' ')
    }

    /// One token a piece.
    pub(super) fn output_tokens(&self) -> usize {
        self.pieces().count()
    }
}
