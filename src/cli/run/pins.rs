//! Tool pinning without a cluster: what the operator does with status, done with a
//! file of the state directory.

use std::collections::BTreeSet;
use std::sync::Arc;

use agentkube_crds::mcp::pins::{Approvals, Pins, approving, settle, shown};
use agentkube_crds::mcp::{McpUpstreamStatus, ToolDrift, ToolPinning};
use agentkube_crds::{LLMGateway, MCP, MCPStatus};
use agentkube_plan::{DigestReport, PinMode};
use agentkube_webhooks::{FileIndex, Lookup, NamespaceFacts, SecretFacts};

use super::state::StateDir;
use crate::cli::pin_file::PinFile;

/// The pins of one MCP that is served.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pinning {
    file: PinFile,
    mode: PinMode,
    upstreams: Vec<String>,
    approvals: Approvals,
    /// What is being served.
    pins: Pins,
    /// How `tools approve` is told of the directory.
    flag: String,
    object: String,
}

/// What a look at an MCP came to.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Other pins than those that are served are in the file.
    pub(super) changed: bool,
    /// What is worth telling.
    pub(super) notes: Vec<String>,
}

impl Pinning {
    /// The pins of an MCP, which gets them as its status; `None` without pinning.
    ///
    /// # Errors
    /// When the file cannot be read: nothing is trusted anew then.
    pub(super) fn of(state: &StateDir, mcp: &mut MCP) -> Result<Option<Self>, String> {
        // A manifest that was read from a cluster has that one's.
        mcp.status = None;
        let Some(mode) = mcp.spec.tool_pinning.mode() else {
            return Ok(None);
        };
        let file = pin_file(state, mcp);
        let status = file.read().map_err(|error| format!("pins: {error}"))?;
        let upstreams = mcp.spec.upstreams.iter();
        let meta = &mcp.metadata;
        let (namespace, name) = (meta.namespace.as_deref(), meta.name.as_deref());
        let pinning = Self {
            file,
            mode,
            upstreams: upstreams.map(|it| it.name.clone()).collect(),
            approvals: Approvals::of(mcp),
            pins: Pins::of(Some(&status)),
            flag: state.flag(),
            object: format!(
                "{}/{}",
                namespace.unwrap_or("default"),
                name.unwrap_or_default()
            ),
        };
        mcp.status = Some(status);
        Ok(Some(pinning))
    }

    /// Lays what the proxy reports beside the pins.
    ///
    /// # Errors
    /// When the file can be neither read nor written.
    pub(super) fn look(&self, report: &DigestReport) -> Result<Look, String> {
        let settled = self.file.change(|status| {
            let names: BTreeSet<&str> = self.upstreams.iter().map(String::as_str).collect();
            let before = status.clone();
            let rows: Vec<_> = report.upstreams.iter().collect();
            let settled = settle(&before, &names, &self.approvals, &rows);
            let upstreams = names.iter().map(|name| McpUpstreamStatus::named(name));
            status.upstreams = upstreams.collect();
            settled.show(status);
            self.compare(&before, status)
        });
        settled.map_err(|error| format!("pins of mcp {}: {error}", self.object))
    }

    fn compare(&self, before: &MCPStatus, now: &MCPStatus) -> Look {
        let pins = Pins::of(Some(now));
        let changed = pins != self.pins;
        let mut notes = Vec::new();
        let object = &self.object;
        if Pins::of(Some(before)).is_empty() && !pins.is_empty() {
            notes.push(format!("pinned    mcp {object}: {} tools", pins.len()));
        }
        let known: Vec<&ToolDrift> = drifts(before).map(|(_, drift)| drift).collect();
        let fate = match self.mode {
            PinMode::Block => "blocked",
            PinMode::Warn => "still served",
        };
        for (upstream, drift) in drifts(now).filter(|(_, drift)| !known.contains(drift)) {
            let (name, change) = (shown(&drift.name), drift.change.as_str());
            notes.push(format!(
                "Warning: mcp {object}: tool {name} of upstream {upstream} is {change}, not as \
                 pinned, and {fate}; to approve: agentkube tools approve {} {object} {}",
                self.flag,
                approving(&drift.name, &drift.digest)
            ));
        }
        Look { changed, notes }
    }
}

fn pin_file(state: &StateDir, mcp: &MCP) -> PinFile {
    let meta = &mcp.metadata;
    let (namespace, name) = (meta.namespace.as_deref(), meta.name.as_deref());
    PinFile::of(
        state.path(),
        namespace.unwrap_or("default"),
        name.unwrap_or_default(),
    )
}

fn drifts(status: &MCPStatus) -> impl Iterator<Item = (&str, &ToolDrift)> {
    status.upstreams.iter().flat_map(|upstream| {
        let drifted = upstream.drifted.iter();
        drifted.map(|drift| (upstream.name.as_str(), drift))
    })
}

/// The manifests, where MCPs have the pins of the state directory.
pub(super) struct WithPins<'a> {
    pub(super) index: &'a FileIndex,
    pub(super) state: &'a StateDir,
}

impl Lookup for WithPins<'_> {
    fn secret(&self, namespace: &str, name: &str) -> Option<SecretFacts> {
        self.index.secret(namespace, name)
    }

    fn namespace(&self, name: &str) -> Option<NamespaceFacts> {
        self.index.namespace(name)
    }

    fn gateway(&self, namespace: &str, name: &str) -> Option<Arc<LLMGateway>> {
        self.index.gateway(namespace, name)
    }

    /// An MCP whose pins cannot be read is not served either, which is an error of
    /// its own.
    fn mcp(&self, namespace: &str, name: &str) -> Option<Arc<MCP>> {
        let found = self.index.mcp(namespace, name)?;
        if found.spec.tool_pinning == ToolPinning::Disabled {
            return Some(found);
        }
        let mut mcp = MCP::clone(&found);
        Pinning::of(self.state, &mut mcp).ok()?;
        Some(Arc::new(mcp))
    }
}
