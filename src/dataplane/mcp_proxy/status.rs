//! The rows of `/digest`: one an upstream.

use std::collections::HashSet;
use std::fmt::Write as _;

use agentkube_mcp::method::ListKind;
use agentkube_plan::{MAX_UNPINNED_BYTES, UnpinnedTool, UpstreamReport};

use super::party::Party;
use super::serving::Serving;

/// Names that are spelled out; a server may have thousands.
const NAMED: usize = 5;

/// Characters of each: URIs may be long.
const NAME_CHARS: usize = 64;

impl Serving {
    /// What is known of its upstreams, in the plan's order.
    pub(super) fn reports(&self) -> Vec<UpstreamReport> {
        let (most, mut room) = MAX_UNPINNED_BYTES;
        let mut reports: Vec<UpstreamReport> = self
            .upstreams
            .iter()
            .map(|upstream| {
                let report = upstream.report(room.min(most));
                room -= report
                    .unpinned
                    .iter()
                    .map(UnpinnedTool::bytes)
                    .sum::<usize>();
                report
            })
            .collect();
        for kind in [ListKind::Tools, ListKind::Prompts, ListKind::Resources] {
            for (report, hidden) in reports.iter_mut().zip(self.hidden(kind)) {
                if report.message.is_none() && !hidden.is_empty() {
                    report.message = Some(said(kind, &hidden));
                }
            }
        }
        reports
    }

    /// For each upstream what clients do not see of it, since an earlier one has the
    /// same name.
    fn hidden(&self, kind: ListKind) -> Vec<Vec<String>> {
        let mut taken = HashSet::new();
        let lists = self.upstreams.iter();
        lists
            .map(|upstream| {
                let known = upstream.known(kind, &Party::Modern);
                let entries = known.iter().flat_map(|list| &list.entries);
                let names = entries.map(|entry| entry.exposed.clone());
                names.filter(|name| !taken.insert(name.clone())).collect()
            })
            .collect()
    }
}

fn said(kind: ListKind, hidden: &[String]) -> String {
    let mut text = format!(
        "hidden by equal names of earlier upstreams: {} ",
        kind.member()
    );
    for (at, name) in hidden.iter().take(NAMED).enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        let name: String = name.chars().take(NAME_CHARS).collect();
        let _ = write!(text, "{comma}{name}");
    }
    if let Some(more) = hidden.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _ = write!(text, " and {more} more");
    }
    text
}
