//! Which client may use which tools.

use crate::filter::Pattern;

/// The grants of a server. Without any, every client may use every tool; with
/// some, what is not granted does not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access(Vec<Grant>);

/// Tools for clients: patterns over the names of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    clients: Vec<Pattern>,
    tools: Vec<Pattern>,
}

/// The tools that one client may use, by the names that clients see.
#[derive(Clone, Debug)]
pub struct Granted<'a>(Option<Vec<&'a Pattern>>);

impl Grant {
    /// These tools for these clients.
    #[must_use]
    pub fn new<'p>(
        clients: impl IntoIterator<Item = &'p String>,
        tools: impl IntoIterator<Item = &'p String>,
    ) -> Self {
        Self {
            clients: clients.into_iter().map(Pattern::new).collect(),
            tools: tools.into_iter().map(Pattern::new).collect(),
        }
    }
}

impl FromIterator<Grant> for Access {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        Self(grants.into_iter().collect())
    }
}

impl Access {
    /// True when every client may use every tool.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// What the client of this name may use.
    #[must_use]
    pub fn of(&self, client: &str) -> Granted<'_> {
        if self.is_open() {
            return Granted(None);
        }
        let its = self
            .0
            .iter()
            .filter(|grant| grant.clients.iter().any(|pattern| pattern.matches(client)));
        Granted(Some(its.flat_map(|grant| &grant.tools).collect()))
    }
}

impl Granted<'_> {
    /// True when a tool that clients call so exists for this client.
    #[must_use]
    pub fn admits(&self, exposed: &str) -> bool {
        let patterns = self.0.as_ref();
        patterns.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(exposed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(grants: &[(&[&str], &[&str])]) -> Access {
        let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let grants = grants.iter();
        grants
            .map(|(clients, tools)| Grant::new(&owned(clients), &owned(tools)))
            .collect()
    }

    #[test]
    fn without_grants_everybody_may_use_everything() {
        assert!(Access::default().of("anybody").admits("any_tool"));
    }

    #[test]
    fn with_grants_only_what_is_granted_is_there() {
        let access = access(&[
            (&["team-a/*"], &["list_*"]),
            (&["team-a/lead", "ci"], &["close_issue"]),
        ]);
        let lead = access.of("team-a/lead");
        assert!(lead.admits("list_issues") && lead.admits("close_issue"));
        assert!(!lead.admits("delete_issue"));
        assert!(!access.of("team-a/dev").admits("close_issue"));
        assert!(access.of("ci").admits("close_issue") && !access.of("ci").admits("list_issues"));
        assert!(!access.of("team-ab/dev").admits("list_issues"));
        assert!(!access.of("anonymous").admits("list_issues"));
    }
}
