//! Token counts, in one convention for all providers.

/// Tokens of one answer.
///
/// Providers disagree: OpenAI's input includes what came from the cache,
/// Anthropic's excludes it. Here every total includes its parts, so that
/// `input - cached_input - cache_write` is what was read at the full price,
/// and nothing is counted twice. A part that a provider does not report is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// All tokens of the prompt, cached or not.
    pub input: u64,
    /// Of `input`: read from the provider's prompt cache.
    pub cached_input: u64,
    /// Of `input`: written to the provider's prompt cache.
    pub cache_write: u64,
    /// All generated tokens, with those spent on reasoning.
    pub output: u64,
    /// Of `output`: spent on reasoning, as far as the provider says.
    pub reasoning: u64,
}

/// What is known of the usage so far. Never a guess: what a provider did not
/// report is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageReport {
    /// The provider reported none.
    #[default]
    Absent,
    /// It reported something that is not in its documented shape: an alarm,
    /// since tokens go uncounted.
    Unreadable,
    /// Counts of an answer that did not (yet) end.
    Partial(Usage),
    /// Counts of the whole answer.
    Final(Usage),
}

impl UsageReport {
    /// The counts, whole or partial.
    #[must_use]
    pub fn counts(self) -> Option<Usage> {
        match self {
            Self::Absent | Self::Unreadable => None,
            Self::Partial(usage) | Self::Final(usage) => Some(usage),
        }
    }
}
