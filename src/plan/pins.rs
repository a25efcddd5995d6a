//! Pinned tool definitions: what a plan holds tools to, and what a data plane
//! saw that is not pinned so.
//!
//! Pins live in the object (its status, or the state directory of `agentkube
//! run`) and reach every replica in its plan, so replicas agree and restarts
//! forget nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ObjectName;

/// Tools that one object may pin: what fits into its status and its plan with
/// room to spare.
pub const MAX_PINS: usize = 4096;

/// Bytes that the pins of one object may come to, as JSON: a plan is a ConfigMap of
/// 1 MiB at most, and status lies beside the spec in what etcd takes.
pub const MAX_PIN_BYTES: usize = 448 * 1024;

/// Bytes of [`UnpinnedTool`]s that one upstream's report has room for, and those of
/// all upstreams together: more than can be pinned, and less than the operator reads.
pub const MAX_UNPINNED_BYTES: (usize, usize) = (768 * 1024, 3 * 1024 * 1024);

/// Longest tool name that is kept as it is, in bytes.
const LONGEST_NAME: usize = 64;

/// SHA-256 over the canonical text of a tool's definition, as `sha256:<64 hex
/// digits>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ToolDigest(String);

impl ToolDigest {
    /// The digest of a canonical definition.
    #[must_use]
    pub fn of(canonical: &str) -> Self {
        let digest = Sha256::digest(canonical.as_bytes());
        Self(format!("sha256:{}", hex::encode(digest)))
    }

    /// A digest that somebody wrote down; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:")?;
        let is_one = digits.len() == 64 && digits.bytes().all(|it| it.is_ascii_hexdigit());
        is_one.then(|| Self(text.to_ascii_lowercase()))
    }

    /// The digest as it is printed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ToolDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What becomes of a tool that is not as it is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PinMode {
    /// It does not exist for clients.
    Block,
    /// It is served, and told of.
    Warn,
}

/// The pins of one object for the tools of one upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinSet {
    /// The MCP whose pins these are, when it is another one that the plan's object
    /// refers to. What is not pinned there is that one's to report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<ObjectName>,
    /// What becomes of other definitions.
    pub mode: PinMode,
    /// True once tools of the upstream were seen: then those without a pin are new,
    /// also when there was no room to pin any. Before, every tool is as it should be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seen: bool,
    /// By the upstream's own names, as [`pin_name`] keeps them.
    pub tools: BTreeMap<String, ToolDigest>,
}

/// How a tool stands to its pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// Its definition is another one.
    Changed,
    /// It came after the others were pinned.
    New,
    /// As pinned.
    Same,
    /// Nothing of this upstream is pinned yet.
    Unseen,
}

impl PinSet {
    /// Bytes of its pins in a plan, at most.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let pin = |tool: &String| json_bytes(tool) + r#":"sha256:","#.len() + 64;
        self.tools.keys().map(pin).sum()
    }

    /// How a tool stands to its pin here.
    #[must_use]
    pub fn verdict(&self, tool: &str, digest: &ToolDigest) -> Pinned {
        match self.tools.get(&*pin_name(tool)) {
            Some(pinned) if pinned == digest => Pinned::Same,
            Some(_) => Pinned::Changed,
            None if !self.seen && self.tools.is_empty() => Pinned::Unseen,
            None => Pinned::New,
        }
    }
}

/// Bytes of a text as a JSON string, at most.
#[must_use]
pub fn json_bytes(text: &str) -> usize {
    let escaped = |c: char| match c {
        '"' | '\\' => 2,
        c if c.is_ascii_control() => 6,
        c => c.len_utf8(),
    };
    text.chars().map(escaped).sum::<usize>() + 2
}

/// The name under which a tool is pinned: its own, or for one that is too long to
/// keep a digest of it.
#[must_use]
pub fn pin_name(tool: &str) -> Cow<'_, str> {
    if tool.len() <= LONGEST_NAME {
        return Cow::Borrowed(tool);
    }
    Cow::Owned(format!("sha256:{}", hex::encode(Sha256::digest(tool))))
}

/// A tool that a replica sees and that is not pinned so by the plan's object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnpinnedTool {
    /// The upstream's own name for it, as [`pin_name`] keeps it.
    pub tool: String,
    /// What clients call it, when that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its definition.
    pub digest: ToolDigest,
}

impl UnpinnedTool {
    /// Bytes of it as JSON, at most.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let names = [Some(&self.tool), self.name.as_ref()];
        let names = names.into_iter().flatten();
        names.map(|it| json_bytes(it)).sum::<usize>() + self.digest.as_str().len() + 40
    }

    /// What clients call it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.tool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(tools: &[(&str, &str)]) -> PinSet {
        let tools = tools.iter();
        PinSet {
            by: None,
            mode: PinMode::Block,
            seen: false,
            tools: tools
                .map(|(name, text)| ((*name).to_owned(), ToolDigest::of(text)))
                .collect(),
        }
    }

    #[test]
    fn the_first_sight_trusts_and_later_ones_compare() {
        let digest = ToolDigest::of("{}");
        assert_eq!(set(&[]).verdict("a", &digest), Pinned::Unseen);
        let pins = set(&[("a", "{}")]);
        assert_eq!(pins.verdict("a", &digest), Pinned::Same);
        assert_eq!(pins.verdict("a", &ToolDigest::of("[]")), Pinned::Changed);
        assert_eq!(pins.verdict("b", &digest), Pinned::New);
    }

    #[test]
    fn what_was_seen_and_had_no_room_is_new_and_not_unseen() {
        let pins = PinSet {
            seen: true,
            ..set(&[])
        };
        assert_eq!(pins.verdict("a", &ToolDigest::of("{}")), Pinned::New);
    }

    #[test]
    fn only_a_whole_digest_is_one() {
        let digest = ToolDigest::of("{}");
        assert_eq!(ToolDigest::parse(digest.as_str()), Some(digest));
        assert_eq!(ToolDigest::parse("sha256:ab"), None);
        assert_eq!(ToolDigest::parse(&"a".repeat(71)), None);
    }

    #[test]
    fn a_name_without_end_is_kept_short() {
        let (one, other) = ("x".repeat(1000), "x".repeat(1001));
        assert!(pin_name(&one).len() < 100);
        assert_ne!(pin_name(&one), pin_name(&other));
        assert_eq!(pin_name("echo"), "echo");
    }

    #[test]
    fn no_tool_takes_more_bytes_than_are_counted() {
        for name in ["echo", "\"\\\u{1}\n", "\u{7f}é\u{2028}"] {
            let told = UnpinnedTool {
                tool: name.to_owned(),
                name: Some(format!("a__{name}")),
                digest: ToolDigest::of("{}"),
            };
            assert!(serde_json::to_string(&told).unwrap().len() <= told.bytes());
            assert!(serde_json::to_string(name).unwrap().len() <= json_bytes(name));
        }
    }
}
