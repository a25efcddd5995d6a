//! Tool pinning: which definitions an MCP's tools are held to, and what a look at
//! its replicas makes of that. Pure; the operator and `agentkube run` do the same.
//!
//! Pins live in `status`. The first sight of an upstream pins what it offers
//! (trust on first use); after that another definition, or another tool, is a
//! drift until somebody approves it. A tool that goes away keeps its pin, and so do
//! those of an upstream that is down.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use agentkube_plan::{
    MAX_PIN_BYTES, MAX_PINS, PinMode, PinSet, ToolDigest, UpstreamReport, json_bytes,
};

use super::status::{DriftChange, MCPStatus, McpUpstreamStatus, ToolDrift, ToolPin};
use super::{MCP, ToolPinning};
use crate::keys;

pub use self::words::{approving, shown};

/// Drifts of one upstream that status shows.
const MOST_SHOWN: usize = 256;

/// Bytes that the drifts of all upstreams may come to in status.
const MOST_SHOWN_BYTES: usize = 128 * 1024;

/// The pins of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    tools: BTreeMap<Key, ToolDigest>,
    /// Of `tools`.
    bytes: usize,
    /// Names of the upstreams in the plan whose tools were seen: also of those that had
    /// no room for a pin.
    seen: BTreeSet<String>,
}

/// A tool as pins know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// Name of the upstream in the plan: of the spec, or `<upstream>/<its upstream>`.
    row: String,
    /// The upstream's own name for the tool.
    tool: String,
}

/// A tool that is not as it is pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Name of the upstream in the plan.
    pub row: String,
    /// The upstream's own name for the tool.
    pub tool: String,
    /// What clients call it.
    pub name: String,
    /// How it differs.
    pub change: DriftChange,
    /// Its definition now.
    pub digest: ToolDigest,
}

/// What is to be kept after a look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The pins.
    pub pins: Pins,
    /// What differs from them, in order.
    pub drifted: Vec<Drift>,
    /// Names of the annotation that were used.
    pub used: Vec<String>,
    /// Upstreams in the plan with tools that cannot be pinned: there is no room.
    pub full: BTreeSet<String>,
}

/// What the annotation approves: one word a tool, `name` or `name@sha256:…`.
///
/// A name alone approves the next drift of that tool, once as long as it stays in
/// the annotation: it would approve whatever comes otherwise. With a digest it
/// approves that definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approvals {
    names: BTreeSet<String>,
    digests: BTreeSet<(Option<String>, ToolDigest)>,
}

impl Pins {
    /// What a status holds.
    #[must_use]
    pub fn of(status: Option<&MCPStatus>) -> Self {
        let upstreams = status.into_iter().flat_map(|status| &status.upstreams);
        let pins = upstreams.flat_map(|upstream| {
            let own = move |pin: &ToolPin| {
                let row = row_of(&upstream.name, pin.from.as_deref());
                let tool = pin.tool.clone();
                Some((Key { row, tool }, ToolDigest::parse(&pin.digest)?))
            };
            upstream.pins.iter().filter_map(own)
        });
        let tools: BTreeMap<Key, ToolDigest> = pins.collect();
        let mut seen: BTreeSet<String> = tools.keys().map(|key| key.row.clone()).collect();
        seen.extend(status.into_iter().flat_map(|it| it.seen_upstreams.clone()));
        let bytes = tools.keys().map(Key::bytes).sum();
        Self { tools, bytes, seen }
    }

    /// The pins of one upstream of the plan.
    #[must_use]
    pub fn row(&self, row: &str) -> BTreeMap<String, ToolDigest> {
        let own = self.tools.iter().filter(|(key, _)| key.row == row);
        own.map(|(key, digest)| (key.tool.clone(), digest.clone()))
            .collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tools.len()
    }

    /// True when nothing was pinned yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    fn has_room(&self, key: &Key) -> bool {
        let has_more = || self.tools.len() < MAX_PINS && self.bytes + key.bytes() <= MAX_PIN_BYTES;
        self.tools.contains_key(key) || has_more()
    }

    fn pin(&mut self, key: &Key, digest: &ToolDigest) -> bool {
        let fits = self.has_room(key);
        if fits && self.tools.insert(key.clone(), digest.clone()).is_none() {
            self.bytes += key.bytes();
        }
        fits
    }

    /// Gives up those of upstreams that are none of these of the spec.
    fn retain(&mut self, upstreams: &BTreeSet<&str>) {
        let is_there = |row: &str| upstreams.contains(of_spec(row));
        self.tools.retain(|key, _| is_there(&key.row));
        self.bytes = self.tools.keys().map(Key::bytes).sum();
        self.seen.retain(|row| is_there(row));
    }
}

impl ToolPinning {
    /// What becomes of a drift; `None` when nothing is pinned.
    #[must_use]
    pub fn mode(self) -> Option<PinMode> {
        match self {
            Self::Block => Some(PinMode::Block),
            Self::Disabled => None,
            Self::Warn => Some(PinMode::Warn),
        }
    }
}

impl Approvals {
    /// Reads the annotation of an object.
    #[must_use]
    pub fn of(mcp: &MCP) -> Self {
        let annotations = mcp.metadata.annotations.as_ref();
        let text = annotations.and_then(|all| all.get(keys::APPROVE_TOOLS));
        text.map(|text| Self::parse(text)).unwrap_or_default()
    }

    /// Reads the text of the annotation.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut approvals = Self::default();
        let words = text.split(is_between);
        for word in words.filter(|word| !word.is_empty()) {
            let (name, digest) = match word.rsplit_once('@') {
                Some((name, digest)) => (Some(name.to_owned()), ToolDigest::parse(digest)),
                None => (None, ToolDigest::parse(word)),
            };
            match digest {
                Some(digest) => drop(approvals.digests.insert((name, digest))),
                None => drop(approvals.names.insert(word.to_owned())),
            }
        }
        approvals
    }

    fn names_digest(&self, name: &str, digest: &ToolDigest) -> bool {
        let digests = &self.digests;
        digests.contains(&(Some(name.to_owned()), digest.clone()))
            || digests.contains(&(None, digest.clone()))
    }
}

/// What replicas report, laid beside what `before` has pinned.
///
/// `upstreams`: the names in the spec; pins of others are given up. What drifted and
/// cannot be seen now, since no replica has read the list, is still drifted.
#[must_use]
pub fn settle(
    before: &MCPStatus,
    upstreams: &BTreeSet<&str>,
    approvals: &Approvals,
    reports: &[&UpstreamReport],
) -> Settled {
    let mut pins = Pins::of(Some(before));
    pins.retain(upstreams);
    // Named again, it approves again.
    let used = before.approved_tools.iter();
    let used = used.filter(|name| approvals.names.contains(*name));
    let mut look = Look {
        seen: pins.seen.clone(),
        pins,
        approvals,
        used: used.cloned().collect(),
        drifted: BTreeMap::new(),
    };
    let mut full = BTreeSet::new();
    let rows = reports.iter();
    let rows = rows.filter(|row| upstreams.contains(of_spec(&row.name)));
    let read: BTreeSet<&str> = rows
        .clone()
        .filter(|row| row.tools.is_some())
        .map(|row| row.name.as_str())
        .collect();
    for row in rows {
        for found in &row.unpinned {
            let key = Key::new(&row.name, &found.tool);
            look.found(key, found.name(), &found.digest);
        }
        if row.unpinned_cut {
            look.pins.seen.insert(row.name.clone());
            full.insert(row.name.clone());
        }
    }
    for (key, drift) in drifts(before) {
        let is_known = upstreams.contains(of_spec(&key.row)) && !read.contains(key.row.as_str());
        if let (true, Some(digest)) = (is_known, ToolDigest::parse(&drift.digest)) {
            look.found(key, &drift.name, &digest);
        }
    }
    let without_room = look.drifted.keys().filter(|key| !look.pins.has_room(key));
    full.extend(without_room.map(|key| key.row.clone()));
    Settled {
        full,
        pins: look.pins,
        drifted: look.drifted.into_values().collect(),
        used: look.used.into_iter().collect(),
    }
}

/// A look while it is taken.
struct Look<'a> {
    pins: Pins,
    /// Rows that were seen before.
    seen: BTreeSet<String>,
    approvals: &'a Approvals,
    used: BTreeSet<String>,
    drifted: BTreeMap<Key, Drift>,
}

impl Look<'_> {
    /// A tool that clients call `name` has this definition.
    fn found(&mut self, key: Key, name: &str, digest: &ToolDigest) {
        let pinned = self.pins.tools.get(&key);
        if pinned == Some(digest) {
            return;
        }
        let is_first = pinned.is_none() && !self.seen.contains(&key.row);
        let by_name = self.approvals.names.contains(name) && !self.used.contains(name);
        let approved = is_first || by_name || self.approvals.names_digest(name, digest);
        let change = match pinned {
            Some(_) => DriftChange::Changed,
            None => DriftChange::New,
        };
        self.pins.seen.insert(key.row.clone());
        if approved && self.pins.pin(&key, digest) {
            if by_name && !is_first {
                self.used.insert(name.to_owned());
            }
            return;
        }
        let Key { row, tool } = key.clone();
        self.drifted.entry(key).or_insert_with(|| Drift {
            row,
            tool,
            name: name.to_owned(),
            change,
            digest: digest.clone(),
        });
    }
}

/// What a status says has drifted.
fn drifts(status: &MCPStatus) -> impl Iterator<Item = (Key, &ToolDrift)> {
    status.upstreams.iter().flat_map(|upstream| {
        let drifted = upstream.drifted.iter();
        drifted.map(|drift| (Key::of(&upstream.name, drift), drift))
    })
}

fn row_of(upstream: &str, from: Option<&str>) -> String {
    match from {
        Some(from) => format!("{upstream}/{from}"),
        None => upstream.to_owned(),
    }
}

/// True when a drifted tool of an upstream can be pinned.
#[must_use]
pub fn has_room(status: &MCPStatus, upstream: &str, drift: &ToolDrift) -> bool {
    Pins::of(Some(status)).has_room(&Key::of(upstream, drift))
}

/// Pins drifted tools of a status as they are now, as far as there is room, and takes
/// them off its list. Each with its upstream: several may have the same.
pub fn approve(status: &mut MCPStatus, approved: &[(String, ToolDrift)]) {
    let mut pins = Pins::of(Some(status));
    for upstream in &mut status.upstreams {
        let mut pin = |drift: &ToolDrift| {
            let digest = ToolDigest::parse(&drift.digest);
            digest.is_some_and(|digest| pins.pin(&Key::of(&upstream.name, drift), &digest))
        };
        let (taken, left): (Vec<_>, Vec<_>) = std::mem::take(&mut upstream.drifted)
            .into_iter()
            .partition(|drift| {
                let mut all = approved.iter();
                all.any(|(at, it)| *at == upstream.name && it == drift) && pin(drift)
            });
        upstream.drifted = left;
        for drift in taken {
            let is_its = |pin: &ToolPin| pin.tool == drift.tool && pin.from == drift.from;
            upstream.pins.retain(|pin| !is_its(pin));
            upstream.pins.push(ToolPin {
                tool: drift.tool,
                from: drift.from,
                digest: drift.digest,
            });
        }
    }
    let left: usize = status.upstreams.iter().map(|it| it.drifted.len()).sum();
    status.drifted = Some(u32::try_from(left).unwrap_or(u32::MAX));
}

/// The text of the annotation that approves these definitions too, without those of
/// `before` that are done.
#[must_use]
pub fn annotation(before: &str, status: &MCPStatus, approved: &[(String, ToolDrift)]) -> String {
    let pinned: BTreeSet<&str> = status
        .upstreams
        .iter()
        .flat_map(|upstream| &upstream.pins)
        .map(|pin| pin.digest.as_str())
        .collect();
    let is_done = |word: &str| {
        let digest = word.rsplit_once('@').map_or(word, |(_, digest)| digest);
        pinned.contains(digest)
    };
    let words = before.split(is_between).filter(|word| !word.is_empty());
    let mut words: Vec<String> = words
        .filter(|word| !is_done(word))
        .map(str::to_owned)
        .collect();
    for (_, ToolDrift { name, digest, .. }) in approved {
        // A name that would be read as several words, or as none, is left out.
        let word = match name.contains(is_between) {
            true => digest.clone(),
            false => format!("{name}@{digest}"),
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(",")
}

/// What stands between the words of the annotation.
fn is_between(c: char) -> bool {
    c == ',' || c.is_whitespace()
}

impl Settled {
    /// Puts it into the rows of a status, which has one for every upstream.
    pub fn show(&self, status: &mut MCPStatus) {
        let mut room = MOST_SHOWN_BYTES;
        for upstream in &mut status.upstreams {
            let (own, rest) = (upstream.name.clone(), format!("{}/", upstream.name));
            let from = |row: &str| match row.strip_prefix(&rest) {
                Some(from) => Some(Some(from.to_owned())),
                None => (row == own).then_some(None),
            };
            self.show_row(upstream, &mut room, from);
        }
        status.seen_upstreams = self.pins.seen.iter().cloned().collect();
        status.approved_tools.clone_from(&self.used);
        status.drifted = Some(u32::try_from(self.drifted.len()).unwrap_or(u32::MAX));
    }

    /// `room`: bytes that are left for drifts. `from`: which upstream of this one's a row
    /// is; `None` for others.
    fn show_row(
        &self,
        upstream: &mut McpUpstreamStatus,
        room: &mut usize,
        from: impl Fn(&str) -> Option<Option<String>>,
    ) {
        let pins = self.pins.tools.iter().filter_map(|(key, digest)| {
            Some(ToolPin {
                from: from(&key.row)?,
                tool: key.tool.clone(),
                digest: digest.to_string(),
            })
        });
        upstream.pins = pins.collect();
        let drifted = self.drifted.iter().filter_map(|drift| {
            Some(ToolDrift {
                name: drift.name.clone(),
                from: from(&drift.row)?,
                tool: drift.tool.clone(),
                change: drift.change,
                digest: drift.digest.to_string(),
            })
        });
        let fits = |drift: &ToolDrift| {
            let bytes = Key::of(&upstream.name, drift).bytes() + json_bytes(&drift.name) + 32;
            let left = room.checked_sub(bytes);
            *room = left.unwrap_or(*room);
            left.is_some()
        };
        upstream.drifted = drifted.take(MOST_SHOWN).take_while(fits).collect();
    }
}

impl Key {
    fn new(row: &str, tool: &str) -> Self {
        Self {
            row: row.to_owned(),
            tool: tool.to_owned(),
        }
    }

    fn of(upstream: &str, drift: &ToolDrift) -> Self {
        Self::new(&row_of(upstream, drift.from.as_deref()), &drift.tool)
    }

    /// Bytes of its pin in status, at most, and so in a plan, which says less of it.
    fn bytes(&self) -> usize {
        // The first part of the row is its place, the rest is `from`.
        let from = self.row.split_once('/');
        let from = from.map_or(0, |(_, from)| json_bytes(from) + r#""from":,"#.len());
        let rest = r#"{"tool":,"digest":"sha256:"},"#.len() + 64;
        json_bytes(&self.tool) + from + rest
    }
}

/// The upstream of the spec that a row of the plan belongs to.
fn of_spec(row: &str) -> &str {
    row.split('/').next().unwrap_or(row)
}

/// The pins of one upstream as a plan carries them.
#[must_use]
pub fn pin_set(pinning: ToolPinning, pins: &Pins, row: &str) -> Option<PinSet> {
    Some(PinSet {
        by: None,
        mode: pinning.mode()?,
        seen: pins.seen.contains(row),
        tools: pins.row(row),
    })
}

#[cfg(test)]
mod tests;
