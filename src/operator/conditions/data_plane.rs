//! Conditions of an LLMGateway or an MCP.

use agentkube_crds::mcp::pins::{Drift, approving, shown};
use agentkube_plan::{DigestReport, PinMode};

use super::Statement;

/// Everything that the conditions of a data plane are made from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Why the spec cannot be served, each with its field path.
    pub(crate) invalid: Vec<String>,
    /// What the spec refers to and is not there.
    pub(crate) missing: Vec<Missing>,
    /// Why children could not be written.
    pub(crate) not_applied: Option<NotApplied>,
    /// Fields that are admitted and do nothing yet.
    pub(crate) unenforced: Vec<&'static str>,
    /// Client Secrets whose keys are not accepted, and why.
    pub(crate) ignored_clients: Vec<String>,
    /// What became of the pins of tools; absent without any.
    pub(crate) pinning: Option<Pinning>,
    /// The replicas.
    pub(crate) rollout: Rollout,
}

/// A reference that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Name of the upstream that needs it.
    pub(crate) upstream: String,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// Tools and their pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pinning {
    /// What becomes of tools that drifted.
    pub(crate) mode: PinMode,
    /// `namespace/name` of the object.
    pub(crate) object: String,
    /// Tools that are pinned.
    pub(crate) pinned: usize,
    /// Tools that are not as they are pinned.
    pub(crate) drifted: Vec<Drift>,
    /// Upstreams with tools that cannot be pinned, for want of room.
    pub(crate) full: Vec<String>,
}

/// Why a child could not be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotApplied {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// What the replicas serve.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rollout {
    /// Wanted replicas.
    pub(crate) wanted: u32,
    /// Digest of the plan that they should serve.
    pub(crate) digest: String,
    /// Pods that exist.
    pub(crate) pods: u32,
    /// Why Pods do not start, if that is known.
    pub(crate) waiting: Option<String>,
    /// One entry a ready Pod: its name and what it reports.
    pub(crate) ready: Vec<(String, Result<DigestReport, String>)>,
}

impl Rollout {
    /// Number of ready Pods.
    pub(crate) fn ready_count(&self) -> u32 {
        u32::try_from(self.ready.len()).unwrap_or(u32::MAX)
    }

    /// What those say that could be asked.
    pub(crate) fn reports(&self) -> impl Iterator<Item = &DigestReport> {
        self.ready
            .iter()
            .filter_map(|(_, report)| report.as_ref().ok())
    }

    /// True when every ready Pod reports the wanted digest; false with none.
    pub(crate) fn is_programmed(&self) -> bool {
        let serves = |(_, report): &(String, Result<DigestReport, String>)| {
            report.as_ref().is_ok_and(|report| self.is_current(report))
        };
        !self.ready.is_empty() && self.ready.iter().all(serves)
    }

    fn is_current(&self, report: &DigestReport) -> bool {
        report.plan.digest.to_string() == self.digest && report.plan.rejected.is_none()
    }
}

/// The conditions, in a fixed order.
pub(crate) fn data_plane(facts: &Facts) -> Vec<Statement> {
    let accepted = accepted(facts);
    let programmed = programmed(facts);
    let ready = ready(facts, &programmed);
    let mut all = vec![accepted, resolved_refs(facts), programmed, ready];
    if !facts.unenforced.is_empty() {
        let fields = facts.unenforced.join(", ");
        let message = format!("{fields}: accepted, but not enforced by this version of agentkube");
        all.push(Statement::no("Enforced", "NotImplemented", message));
    }
    if !facts.ignored_clients.is_empty() {
        let message = facts.ignored_clients.join("; ");
        all.push(Statement::no("ClientsAccepted", "KeysIgnored", message));
    }
    all.extend(facts.pinning.as_ref().and_then(tools_pinned));
    all
}

fn accepted(facts: &Facts) -> Statement {
    if facts.invalid.is_empty() {
        Statement::yes("Accepted", "Valid", "the spec is valid")
    } else {
        Statement::no("Accepted", "Invalid", facts.invalid.join("; "))
    }
}

fn resolved_refs(facts: &Facts) -> Statement {
    match facts.missing.first() {
        None => Statement::yes("ResolvedRefs", "Resolved", "everything it refers to exists"),
        Some(first) => {
            let all: Vec<_> = facts
                .missing
                .iter()
                .map(|missing| missing.message.as_str())
                .collect();
            Statement::no("ResolvedRefs", first.reason, all.join("; "))
        }
    }
}

fn programmed(facts: &Facts) -> Statement {
    let no = |reason, message: String| Statement::no("Programmed", reason, message);
    let rollout = &facts.rollout;
    if !facts.invalid.is_empty() {
        return no(
            "Invalid",
            "the spec is not valid; the last valid one goes on being served".to_owned(),
        );
    }
    if let Some(failed) = &facts.not_applied {
        return no(failed.reason, failed.message.clone());
    }
    if rollout.wanted == 0 {
        return no("ScaledToZero", "replicas is 0".to_owned());
    }
    if rollout.ready.is_empty() {
        return no("NoReplicasReady", nobody_ready(rollout));
    }
    let mut behind = 0_usize;
    for (pod, report) in &rollout.ready {
        match report {
            Err(error) => return no("Unreachable", format!("admin port of Pod {pod}: {error}")),
            Ok(report) => match &report.plan.rejected {
                Some(why) => {
                    return no(
                        "PlanRejected",
                        format!("Pod {pod} keeps the last plan: {why}"),
                    );
                }
                None if rollout.is_current(report) => {}
                None => behind += 1,
            },
        }
    }
    let ready = rollout.ready.len();
    if behind > 0 {
        return no(
            "Pending",
            format!("{behind} of {ready} ready Pods still serve an earlier plan"),
        );
    }
    Statement::yes(
        "Programmed",
        "Programmed",
        format!("all {ready} ready Pods serve this generation"),
    )
}

fn nobody_ready(rollout: &Rollout) -> String {
    let wanted = rollout.wanted;
    match (&rollout.waiting, rollout.pods) {
        (Some(why), _) => format!("0 of {wanted} Pods are ready: {why}"),
        (None, 0) => format!("0 of {wanted} Pods are ready: none was created yet"),
        (None, _) => format!("0 of {wanted} Pods are ready"),
    }
}

fn ready(facts: &Facts, programmed: &Statement) -> Statement {
    if !programmed.status {
        return Statement::no("Ready", programmed.reason, programmed.message.clone());
    }
    let (ready, wanted) = (facts.rollout.ready_count(), facts.rollout.wanted);
    let usable = |report: &DigestReport| {
        report.upstreams.is_empty() || report.upstreams.iter().any(|up| up.credentials)
    };
    let anybody = facts
        .rollout
        .ready
        .iter()
        .flat_map(|(_, report)| report)
        .any(usable);
    if !anybody {
        let message = "no upstream has its credentials; requests are answered with 503";
        return Statement::no("Ready", "NoUsableUpstream", message);
    }
    if ready < wanted {
        return Statement::no(
            "Ready",
            "Scaling",
            format!("{ready} of {wanted} Pods are ready"),
        );
    }
    Statement::yes(
        "Ready",
        "Ready",
        format!("{ready} of {wanted} Pods are ready"),
    )
}

/// Tools that a condition names.
const MOST_NAMED: usize = 8;

/// What cannot be approved either.
fn no_room(full: &[String], fate: &str) -> String {
    let named: Vec<&str> = full.iter().take(MOST_NAMED).map(String::as_str).collect();
    format!(
        "no room to pin more tools of {}, and those are {fate}: allow fewer, or spread the \
         upstreams over several MCPs",
        named.join(", ")
    )
}

/// Nothing is said before anything was seen.
fn tools_pinned(pinning: &Pinning) -> Option<Statement> {
    let Pinning {
        mode,
        object,
        pinned,
        drifted,
        full,
    } = pinning;
    if drifted.is_empty() && full.is_empty() {
        let message = format!("{pinned} tools are as they are pinned");
        return (*pinned > 0).then(|| Statement::yes("ToolsPinned", "Pinned", message));
    }
    let fate = match mode {
        PinMode::Block => "blocked",
        PinMode::Warn => "still served",
    };
    let mut said = Vec::new();
    if !drifted.is_empty() {
        said.push(told(drifted, object, fate));
    }
    if !full.is_empty() {
        said.push(no_room(full, fate));
    }
    Some(Statement::no(
        "ToolsPinned",
        "ToolsDrifted",
        said.join("; "),
    ))
}

/// Tools that drifted, and the command that approves them.
fn told(drifted: &[Drift], object: &str, fate: &str) -> String {
    let named = drifted.iter().take(MOST_NAMED);
    let mut tools: Vec<String> = named
        .clone()
        .map(|it| format!("{} ({} {})", shown(&it.name), it.row, it.change.as_str()))
        .collect();
    let mut names: Vec<&str> = named
        .map(|it| approving(&it.name, it.digest.as_str()))
        .collect();
    if drifted.len() > MOST_NAMED {
        tools.push(format!("{} more", drifted.len() - MOST_NAMED));
        names = vec!["--all"];
    }
    format!(
        "not as pinned, and {fate}: {}; to approve: agentkube tools approve {object} {}",
        tools.join(", "),
        names.join(" ")
    )
}
