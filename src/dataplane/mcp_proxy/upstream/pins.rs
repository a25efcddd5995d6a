//! What an upstream's tools are held to, and which of them are not so.
//!
//! Pins come with the plan, so replicas agree: nothing is remembered here but what
//! was said in the log. A tool that a pin blocks stays in the catalogue, so that it
//! keeps its name from others, and exists for no client.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agentkube_mcp::method::ListKind;
use agentkube_plan::{MAX_PINS, PinMode, PinSet, Pinned, ToolDigest, UnpinnedTool, pin_name};
use arc_swap::ArcSwap;
use tokio::time::Instant;
use tracing::warn;

use super::{Catalogue, Entry, Upstream};
use crate::mcp_proxy::party::Party;
use crate::shown::{MOST, shown};

/// How long a list that was read is believed before a call, at least and at most:
/// an upstream that says "for no time" is not asked before every call, and one that
/// says "for ever", or nothing, is looked at every minute anyhow.
const BELIEVED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// The pins of one upstream.
#[derive(Debug, Default)]
pub(super) struct Pins {
    sets: ArcSwap<Vec<PinSet>>,
    /// What the log was told of.
    told: Mutex<BTreeSet<Drifted>>,
}

/// A tool that differs from a pin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Drifted {
    /// What clients call it.
    tool: String,
    digest: ToolDigest,
    blocked: bool,
}

/// How a tool stands to all of its pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    drifted: bool,
    blocked: bool,
}

impl Pins {
    pub(super) fn new(sets: &[PinSet]) -> Self {
        Self {
            sets: ArcSwap::from_pointee(sets.to_vec()),
            told: Mutex::default(),
        }
    }

    fn are_there(&self) -> bool {
        !self.sets.load().is_empty()
    }

    fn verdict(&self, entry: &Entry) -> Verdict {
        let sets = self.sets.load();
        let mut verdict = Verdict {
            drifted: false,
            blocked: false,
        };
        for set in sets.iter() {
            // Read before there were pins: it is read again at once.
            let drifted = entry.digest.as_ref().is_none_or(|digest| {
                let pinned = set.verdict(&entry.name, digest);
                matches!(pinned, Pinned::Changed | Pinned::New)
            });
            verdict.drifted |= drifted;
            verdict.blocked |= drifted && set.mode == PinMode::Block;
        }
        verdict
    }
}

impl Upstream {
    /// The pins of a new plan.
    pub(in crate::mcp_proxy) fn pin(&self, sets: &[PinSet]) {
        let before = self.pins.sets.load();
        if before.as_slice() == sets {
            return;
        }
        if before.is_empty() {
            // What was read until now has no digests.
            self.shelf.forget(ListKind::Tools);
            self.each_shelf(|shelf| shelf.forget(ListKind::Tools));
        }
        let blocked = |drifted: BTreeSet<Drifted>| -> BTreeSet<String> {
            let blocked = drifted.into_iter().filter(|it| it.blocked);
            blocked.map(|it| it.tool).collect()
        };
        let hidden = blocked(self.drifted());
        self.pins.sets.store(Arc::new(sets.to_vec()));
        self.note_pins();
        if hidden != blocked(self.drifted()) {
            self.tell_tools_changed();
        }
    }

    /// True when definitions are to be compared.
    pub(in crate::mcp_proxy) fn is_pinned(&self) -> bool {
        self.pins.are_there()
    }

    /// True when a pin may hide a tool.
    pub(in crate::mcp_proxy) fn may_block(&self) -> bool {
        let sets = self.pins.sets.load();
        sets.iter().any(|set| set.mode == PinMode::Block)
    }

    /// False for a tool that a pin blocks.
    pub(in crate::mcp_proxy) fn admits(&self, entry: &Entry) -> bool {
        !self.pins.verdict(entry).blocked
    }

    /// False for a list of tools that is to be read again before a call.
    pub(in crate::mcp_proxy) fn believes(&self, kind: ListKind, list: &Catalogue) -> bool {
        if kind != ListKind::Tools || !self.is_pinned() {
            return true;
        }
        let (least, most) = BELIEVED;
        let hint = list.hint.map_or(most, |hint| {
            Duration::from_millis(hint.ttl_ms).clamp(least, most)
        });
        list.age(Instant::now()).is_some_and(|age| age < hint)
    }

    /// Tools that clients may see, of this list.
    pub(super) fn admitted(&self, list: &Catalogue) -> usize {
        let entries = list.entries.iter();
        entries.filter(|entry| self.admits(entry)).count()
    }

    /// Tells the log and the metrics what drifted.
    pub(super) fn note_pins(&self) {
        let drifted = self.drifted();
        self.drift.set(drifted.len());
        let told = &self.pins.told;
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        for drifted in drifted.difference(&told) {
            let Drifted {
                tool,
                digest,
                blocked,
            } = drifted;
            let (upstream, tool) = (&self.name, shown(tool, MOST));
            warn!(%upstream, %tool, %digest, blocked, "tool is not as it is pinned");
        }
        *told = drifted;
    }

    /// Tools that differ from a pin, each once a definition.
    fn drifted(&self) -> BTreeSet<Drifted> {
        let mut drifted = BTreeSet::new();
        self.each_tool(|entry| {
            let verdict = self.pins.verdict(entry);
            if let (true, Some(digest)) = (verdict.drifted, &entry.digest) {
                drifted.insert(Drifted {
                    tool: entry.exposed.clone(),
                    digest: digest.clone(),
                    blocked: verdict.blocked,
                });
            }
        });
        drifted
    }

    /// Tools that this object does not pin as they are, and whether there are more than
    /// fit into `room` bytes. Those of the MCPs that we stand in for are theirs to report.
    pub(super) fn unpinned(&self, mut room: usize) -> (Vec<UnpinnedTool>, bool) {
        let sets = self.pins.sets.load();
        let Some(own) = sets.iter().find(|set| set.by.is_none()) else {
            return (Vec::new(), false);
        };
        let mut seen = BTreeSet::new();
        let (mut unpinned, mut cut) = (Vec::new(), false);
        self.each_tool(|entry| {
            let Some(digest) = &entry.digest else { return };
            let is_known = own.verdict(&entry.name, digest) == Pinned::Same;
            let name = pin_name(&entry.name);
            let mut is_new = || seen.insert((name.to_string(), digest.clone()));
            if is_known || !is_new() {
                return;
            }
            let tool = UnpinnedTool {
                name: (entry.exposed != *name).then(|| entry.exposed.clone()),
                tool: name.into_owned(),
                digest: digest.clone(),
            };
            match room.checked_sub(tool.bytes()) {
                Some(left) if unpinned.len() <= MAX_PINS => {
                    room = left;
                    unpinned.push(tool);
                }
                _ => cut = true,
            }
        });
        (unpinned, cut)
    }

    /// Every tool, as the proxy sees it and as clients with abilities of their own
    /// do.
    fn each_tool(&self, mut visit: impl FnMut(&Entry)) {
        if let Some(list) = self.known(ListKind::Tools, &Party::Modern) {
            list.entries.iter().for_each(&mut visit);
        }
        self.each_shelf(|shelf| {
            if let Some(list) = shelf.known(ListKind::Tools) {
                list.entries.iter().for_each(&mut visit);
            }
        });
    }
}
