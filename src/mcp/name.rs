//! Exposed names of tools and prompts: `<upstream>__<tool>`, in a budget.
//!
//! Model providers and clients cap tool names at 64 characters. A longer name
//! is cut and ends in a digest of the whole, so that it is the same on every
//! replica and after every restart, and two long names stay two.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Between the upstream's name and the tool's. Upstream names are DNS labels,
/// so the first one in an exposed name always ends the upstream.
pub const SEPARATOR: &str = "__";

/// Digest characters at the end of a shortened name, with their separator.
const TAIL: usize = 9;

/// Makes the exposed names of one upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namer {
    prefix: Option<String>,
    max_length: usize,
}

impl Namer {
    /// Names as the upstream has them, within the budget (in characters).
    #[must_use]
    pub fn bare(max_length: usize) -> Self {
        Self {
            prefix: None,
            max_length,
        }
    }

    /// Names with the upstream's name before them.
    #[must_use]
    pub fn prefixed(upstream: &str, max_length: usize) -> Self {
        Self {
            prefix: Some(format!("{upstream}{SEPARATOR}")),
            max_length,
        }
    }

    /// The name that clients see.
    #[must_use]
    pub fn expose<'n>(&self, name: &'n str) -> Cow<'n, str> {
        let whole = match &self.prefix {
            Some(prefix) => Cow::Owned(format!("{prefix}{name}")),
            None => Cow::Borrowed(name),
        };
        if whole.chars().count() <= self.max_length {
            return whole;
        }
        let digest = Sha256::digest(whole.as_bytes());
        let head = whole.chars().take(self.max_length.saturating_sub(TAIL));
        let mut short: String = head.collect();
        short.push('_');
        for byte in digest.iter().take((TAIL - 1) / 2) {
            short.push_str(&format!("{byte:02x}"));
        }
        Cow::Owned(short)
    }

    /// True when an exposed name of this form can come from this upstream.
    ///
    /// False is certain; true is not: the upstream must have a tool that is
    /// exposed so.
    #[must_use]
    pub fn could_expose(&self, exposed: &str) -> bool {
        let Some(prefix) = &self.prefix else {
            return true;
        };
        exposed.starts_with(prefix.as_str())
            || (prefix.chars().count() + TAIL > self.max_length
                && exposed.chars().count() == self.max_length.max(TAIL))
    }
}

/// The upstream and the tool of a prefixed name that was not shortened.
#[must_use]
pub fn split(exposed: &str) -> Option<(&str, &str)> {
    exposed.split_once(SEPARATOR)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_names_are_only_prefixed() {
        assert_eq!(
            Namer::prefixed("github", 64).expose("create_issue"),
            "github__create_issue"
        );
        assert_eq!(Namer::bare(64).expose("create_issue"), "create_issue");
    }

    #[test]
    fn a_long_name_is_cut_to_the_budget_and_stays_itself() {
        let namer = Namer::prefixed("github", 64);
        let long = "a".repeat(100);
        let exposed = namer.expose(&long);
        assert_eq!(exposed.len(), 64);
        assert!(exposed.starts_with("github__aaaa"));
        // Golden: it must not change between releases, prompts and policies name it.
        assert_eq!(exposed.rsplit_once('_').unwrap().1, "3834af0d");
        assert_ne!(exposed, namer.expose(&"a".repeat(101)));
    }

    proptest! {
        #[test]
        fn a_prefixed_name_splits_back(
            upstream in "[a-z]([a-z0-9-]{0,30}[a-z0-9])?",
            tool in "[A-Za-z0-9_.-]{1,24}",
        ) {
            let exposed = Namer::prefixed(&upstream, 64).expose(&tool).into_owned();
            prop_assert_eq!(split(&exposed), Some((upstream.as_str(), tool.as_str())));
        }

        #[test]
        fn every_name_fits_its_budget(
            upstream in "[a-z]{1,32}",
            tool in "[A-Za-z0-9_.é-]{1,200}",
            budget in 16_usize..128,
        ) {
            let namer = Namer::prefixed(&upstream, budget);
            let exposed = namer.expose(&tool);
            prop_assert!(exposed.chars().count() <= budget);
            prop_assert!(namer.could_expose(&exposed));
        }
    }
}
