//! Which tools of an upstream exist for clients.

/// The tools that a filter lets through. Patterns are exact names, or globs in
/// which `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolFilter {
    /// Every tool.
    All,
    /// Only these; what the upstream adds later stays out.
    Allow(Vec<Pattern>),
    /// All but these.
    Deny(Vec<Pattern>),
}

impl ToolFilter {
    /// An allow list.
    #[must_use]
    pub fn allow<S: Into<String>>(patterns: impl IntoIterator<Item = S>) -> Self {
        Self::Allow(patterns.into_iter().map(Pattern::new).collect())
    }

    /// A deny list.
    #[must_use]
    pub fn deny<S: Into<String>>(patterns: impl IntoIterator<Item = S>) -> Self {
        Self::Deny(patterns.into_iter().map(Pattern::new).collect())
    }

    /// True when a tool of this name exists for clients.
    #[must_use]
    pub fn admits(&self, tool: &str) -> bool {
        match self {
            Self::All => true,
            Self::Allow(patterns) => patterns.iter().any(|pattern| pattern.matches(tool)),
            Self::Deny(patterns) => !patterns.iter().any(|pattern| pattern.matches(tool)),
        }
    }

    /// The patterns that match none of the tools: misspelled, or gone.
    pub fn unmatched<'f>(&'f self, tools: &'f [impl AsRef<str>]) -> impl Iterator<Item = &'f str> {
        let patterns = match self {
            Self::All => &[],
            Self::Allow(patterns) | Self::Deny(patterns) => patterns.as_slice(),
        };
        patterns
            .iter()
            .filter(|pattern| !tools.iter().any(|tool| pattern.matches(tool.as_ref())))
            .map(Pattern::as_str)
    }
}

/// An exact name, or a glob with `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern as a user writes it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The pattern as the user wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when the whole name matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else {
            return self.0 == name;
        };
        let Some(mut name) = name.strip_prefix(head) else {
            return false;
        };
        let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
        // Leftmost matches leave the most room for what follows, so no
        // pattern needs to be tried twice: linear in pattern times name.
        for part in middle.split('*').filter(|part| !part.is_empty()) {
            let Some(at) = name.find(part) else {
                return false;
            };
            name = name.get(at + part.len()..).unwrap_or_default();
        }
        name.ends_with(tail)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_allow_list_stays_closed_when_tools_are_added() {
        let filter = ToolFilter::allow(["create_issue", "list_*"]);
        assert!(filter.admits("create_issue"));
        assert!(filter.admits("list_issues"));
        assert!(!filter.admits("delete_repository"));
        assert!(!filter.admits("Create_issue"), "names are case-sensitive");
        assert!(!ToolFilter::allow(Vec::<String>::new()).admits("anything"));
    }

    #[test]
    fn a_deny_list_hides_only_what_it_matches() {
        let filter = ToolFilter::deny(["delete_*", "*_admin*"]);
        assert!(!filter.admits("delete_all"));
        assert!(!filter.admits("x_admin_y"));
        assert!(filter.admits("create"));
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_reported() {
        let filter = ToolFilter::allow(["a", "b*", "gone", "c*x"]);
        let unmatched: Vec<_> = filter.unmatched(&["a", "bcd", "cx"]).collect();
        assert_eq!(unmatched, ["gone"]);
    }

    /// The obvious, exponential definition.
    fn oracle(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=name.len()).any(|at| oracle(rest, &name[at..])),
            (Some((p, rest)), Some((n, name))) => p == n && oracle(rest, name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn globs_mean_what_the_definition_says(pattern in "[ab*]{0,8}", name in "[ab]{0,10}") {
            let matched = Pattern(pattern.clone()).matches(&name);
            prop_assert_eq!(matched, oracle(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
