//! Protocol revisions and the two eras they fall into.

use std::fmt;

/// How a peer speaks: with a session, or with everything in each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// `initialize`, then a session (2025-11-25 and earlier).
    Legacy,
    /// Stateless requests (2026-07-28).
    Modern,
}

/// A revision of the protocol, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// Before streamable HTTP; some servers still answer it in `initialize`.
    V2024_11_05,
    /// The only revision with JSON-RPC batches.
    V2025_03_26,
    /// Batches gone, `MCP-Protocol-Version` header.
    V2025_06_18,
    /// The last one with sessions.
    V2025_11_25,
    /// Stateless.
    V2026_07_28,
}

impl Version {
    /// What a server offers when it cannot speak what a legacy client asked for.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;
    /// The newest stateless revision.
    pub const LATEST: Self = Self::V2026_07_28;
    /// What a legacy request without the version header means
    /// (2025-11-25, Transports, "Protocol Version Header").
    pub const ASSUMED: Self = Self::V2025_03_26;

    const ALL: [Self; 5] = [
        Self::V2024_11_05,
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];

    /// The revision of that name, if it is known.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
    }

    /// The name as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era it belongs to.
    #[must_use]
    pub fn era(self) -> Era {
        if self >= Self::V2026_07_28 {
            Era::Modern
        } else {
            Era::Legacy
        }
    }

    /// True where a body may be a JSON array of messages.
    #[must_use]
    pub fn has_batches(self) -> bool {
        self <= Self::V2025_03_26
    }

    /// What a server answers to `initialize` with this version: the same one
    /// if it is a known legacy revision, else the latest legacy one.
    #[must_use]
    pub fn negotiate(requested: &str) -> Self {
        match Self::parse(requested) {
            Some(version) if version.era() == Era::Legacy => version,
            _ => Self::LATEST_LEGACY,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_legacy_version_is_answered_in_kind_and_any_other_with_the_latest_legacy() {
        assert_eq!(Version::negotiate("2025-06-18"), Version::V2025_06_18);
        assert_eq!(Version::negotiate("2026-07-28"), Version::V2025_11_25);
        assert_eq!(Version::negotiate("1999-01-01"), Version::V2025_11_25);
    }

    #[test]
    fn only_the_revisions_before_june_2025_have_batches() {
        assert!(Version::ASSUMED.has_batches());
        assert!(!Version::V2025_06_18.has_batches());
    }
}
