//! An MCP.

use std::sync::Arc;

use agentkube_crds::mcp::pins::{Approvals, Settled, settle};
use agentkube_crds::mcp::{McpUpstreamStatus, ToolPinning};
use agentkube_crds::shared::StatusSummary;
use agentkube_crds::{Kind, MCP, MCPStatus, names};
use agentkube_plan::UpstreamReport;
use jiff::Timestamp;
use kube::runtime::controller::Action;

use super::data_plane::{Job, Plan, SOON, Seen, serve};
use super::{Context, ReconcileError, session_keys, status};
use crate::conditions::data_plane as conditions;
use crate::conditions::{Pinning, dated, turned};
use crate::resolve::{self, Hops};

/// Brings one MCP nearer to what its spec says.
pub(super) async fn reconcile(mcp: Arc<MCP>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    if mcp.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let spec = &mcp.spec;
    let job = Job {
        kind: Kind::MCP,
        meta: &mcp.metadata,
        port: spec.port,
        replicas: spec.replicas,
        pod_template: spec.pod_template.as_ref(),
        auth: spec.auth.mode.into(),
        allowed: &spec.allowed_namespaces,
        unenforced: Vec::new(),
        plan: match mcp.parse() {
            Ok(checked) => {
                let resolution = resolve::mcp(&checked, &*ctx.stores, Hops::Keyed);
                let namespace = &checked.object.namespace;
                Ok(Plan::of(resolution)?.with_environment(&ctx.stores, namespace))
            }
            Err(errors) => Err(errors.iter().map(ToString::to_string).collect()),
        },
    };
    // Before the Pods that read them: a key of somebody else's would seal for them.
    let keys = session_keys::settle(&ctx, &mcp).await;
    let mut seen = serve(&ctx, &job, keys).await?;
    let previous = mcp.status.clone().unwrap_or_default();
    let pins = pins(&mcp, &seen);
    seen.facts.pinning = pinning(&mcp, pins.as_ref());
    if pins.is_some() && awaits_first_sight(&seen) {
        seen.again = seen.again.map(|again| again.min(SOON));
    }
    let conditions = dated(
        conditions(&seen.facts),
        &previous.conditions,
        mcp.metadata.generation,
        Timestamp::now(),
    );
    let turned = turned(&previous.conditions, &conditions);
    let mut status = MCPStatus {
        conditions: conditions.clone(),
        ..observed(&mcp, &seen)
    };
    if let Some(pins) = &pins {
        pins.show(&mut status);
    }
    // Pins are made from pins: over others they would undo an approval, also those that
    // an old look repeats unchanged.
    let version = mcp.metadata.resource_version.as_deref();
    status::write_over(
        &ctx,
        Kind::MCP,
        &mcp.metadata,
        version.filter(|_| pins.is_some()),
        mcp.status.as_ref(),
        &status,
        &turned,
    )
    .await?;
    Ok(seen
        .again
        .map_or_else(Action::await_change, Action::requeue))
}

/// The pins after what the replicas report; `None` when nothing is to be pinned.
fn pins(mcp: &MCP, seen: &Seen) -> Option<Settled> {
    if mcp.spec.tool_pinning == ToolPinning::Disabled {
        return None;
    }
    let upstreams = mcp.spec.upstreams.iter().map(|it| it.name.as_str());
    let rows: Vec<_> = rows(seen).collect();
    Some(settle(
        &mcp.status.clone().unwrap_or_default(),
        &upstreams.collect(),
        &Approvals::of(mcp),
        &rows,
    ))
}

fn pinning(mcp: &MCP, pins: Option<&Settled>) -> Option<Pinning> {
    let meta = &mcp.metadata;
    let (namespace, name) = (meta.namespace.as_deref(), meta.name.as_deref());
    let pins = pins?;
    Some(Pinning {
        mode: mcp.spec.tool_pinning.mode()?,
        object: format!(
            "{}/{}",
            namespace.unwrap_or_default(),
            name.unwrap_or_default()
        ),
        pinned: pins.pins.len(),
        drifted: pins.drifted.clone(),
        full: pins.full.iter().cloned().collect(),
    })
}

/// True while an upstream may be about to show its tools: they are pinned as early
/// as that can be.
fn awaits_first_sight(seen: &Seen) -> bool {
    rows(seen).any(|row| row.tools.is_none() && row.reachable != Some(false))
}

/// What the replicas say of their upstreams.
fn rows(seen: &Seen) -> impl Iterator<Item = &UpstreamReport> {
    seen.facts
        .rollout
        .reports()
        .flat_map(|report| &report.upstreams)
}

fn observed(mcp: &MCP, seen: &Seen) -> MCPStatus {
    let (namespace, name) = (
        mcp.metadata.namespace.as_deref(),
        mcp.metadata.name.as_deref(),
    );
    let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
    let upstreams: Vec<_> = mcp
        .spec
        .upstreams
        .iter()
        .map(|upstream| one(&upstream.name, seen))
        .collect();
    let missing = |name: &str| {
        let mut missing = seen.facts.missing.iter();
        missing.any(|it| is_of(&it.upstream, name))
    };
    let usable = upstreams
        .iter()
        .filter(|it| it.reachable != Some(false) && !missing(&it.name));
    let known: Vec<u32> = upstreams
        .iter()
        .filter_map(|upstream| upstream.tools)
        .collect();
    MCPStatus {
        endpoint: Some(names::service_url(
            Kind::MCP,
            namespace,
            name,
            mcp.spec.port,
        )),
        replicas: Some(seen.facts.rollout.pods),
        ready_replicas: Some(seen.facts.rollout.ready_count()),
        selector: Some(names::selector_text(Kind::MCP, name)),
        tools: (!known.is_empty()).then(|| known.iter().sum()),
        drifted: None,
        seen_upstreams: Vec::new(),
        approved_tools: Vec::new(),
        summary: Some(StatusSummary {
            models: None,
            upstreams: Some(format!("{}/{}", usable.count(), upstreams.len())),
            clients: seen.clients,
        }),
        upstreams,
        conditions: Vec::new(),
    }
}

/// True for the row of this upstream of the spec, and for those of the MCP that
/// it refers to.
fn is_of(row: &str, name: &str) -> bool {
    let rest = row.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn one(name: &str, seen: &Seen) -> McpUpstreamStatus {
    let reports = seen
        .facts
        .rollout
        .ready
        .iter()
        .filter_map(|(_, report)| report.as_ref().ok());
    let replicas: Vec<Vec<&UpstreamReport>> = reports
        .map(|report| report.upstreams.iter().filter(|row| is_of(&row.name, name)))
        .map(Iterator::collect)
        .collect();
    let rows = || replicas.iter().flatten();
    let reachable = if rows().any(|row| row.reachable == Some(true)) {
        Some(true)
    } else {
        rows().find_map(|row| row.reachable)
    };
    // A replica that was not asked yet knows of no tools; one that was does.
    let best = replicas.iter().max_by_key(|rows| tools(rows));
    let message = rows().find_map(|row| {
        let message = row.message.as_ref()?;
        Some(match row.name == name {
            true => message.clone(),
            false => format!("{}: {message}", row.name),
        })
    });
    McpUpstreamStatus {
        era: era(rows().filter_map(|row| row.era.as_deref())),
        reachable,
        tools: best.and_then(|rows| tools(rows)),
        unmatched_patterns: best.map(|rows| unmatched(rows)).unwrap_or_default(),
        message,
        ..McpUpstreamStatus::named(name)
    }
}

/// The eras of several servers, or of one as several replicas see it, are those of all.
fn era<'a>(eras: impl Iterator<Item = &'a str>) -> Option<String> {
    let all = eras.reduce(|one, other| if one == other { one } else { "dual" });
    all.map(str::to_owned)
}

fn tools(rows: &[&UpstreamReport]) -> Option<u32> {
    rows.iter()
        .filter_map(|row| row.tools)
        .reduce(u32::saturating_add)
}

/// A pattern that one of the rows needs is needed.
fn unmatched(rows: &[&UpstreamReport]) -> Vec<String> {
    let Some((first, others)) = rows.split_first() else {
        return Vec::new();
    };
    let patterns = first.unmatched_patterns.iter();
    let nowhere =
        patterns.filter(|it| others.iter().all(|row| row.unmatched_patterns.contains(it)));
    nowhere.cloned().collect()
}
