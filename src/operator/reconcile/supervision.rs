//! How far the one run of a supervised Agent is.
//!
//! A run is a generation of the spec. Its result is kept in status, and only what
//! is kept there scales the agent to 0: an operator that ends in between asks the
//! Pod again, and none runs what was run.

use std::sync::Arc;

use agentkube_crds::agent::{AgentMode, RunResult};
use agentkube_crds::{Agent, keys};
use agentkube_plan::{RunPhase, RunReport};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Api;

use super::{Context, ReconcileError};
use crate::shapes::PodShape;

/// Longest message that status takes.
const MESSAGE_CHARS: usize = 1024;

/// What is known of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Supervision {
    /// How it ended.
    pub(super) result: Option<RunResult>,
    /// True when status says so: the Pod is not needed any more.
    pub(super) kept: bool,
    /// True when its Pod says that the program runs.
    pub(super) running: bool,
    /// Why its Pod cannot be asked.
    pub(super) silent: Option<String>,
    /// True while its Pod may be at work: it must not be replaced.
    pub(super) started: bool,
}

/// The run of this generation; none for an Agent that is not run once, or waits.
pub(super) fn run_of(agent: &Agent) -> Option<String> {
    let once = agent.spec.mode == AgentMode::Supervised && !agent.spec.paused;
    once.then(|| stamp(&agent.metadata))
}

/// The uid belongs to it: an Agent made anew counts its generations anew.
fn stamp(meta: &ObjectMeta) -> String {
    let uid = meta.uid.as_deref().unwrap_or_default();
    format!("{uid}/{}", meta.generation.unwrap_or_default())
}

/// The result in status, if it is of this generation.
fn kept(agent: &Agent) -> Option<RunResult> {
    let result = agent.status.as_ref()?.result.clone()?;
    (Some(result.generation) == agent.metadata.generation).then_some(result)
}

/// Looks how far a run is. None when the Agent changed meanwhile: another look
/// follows, at what it is now.
pub(super) async fn look(
    ctx: &Context,
    agent: &Agent,
    run: &str,
) -> Result<Option<Supervision>, ReconcileError> {
    if let Some(result) = kept(agent) {
        return Ok(Some(Supervision::kept(result)));
    }
    let pods = ctx.stores.pods.state_filter(|pod| {
        pod.metadata.namespace == agent.metadata.namespace
            && pod.label(keys::MANAGED_BY.0) == Some(keys::MANAGED_BY.1)
            && pod.annotation(keys::RUN) == Some(run)
    });
    let generation = agent.metadata.generation.unwrap_or_default();
    let ended = |report: &RunReport| Supervision {
        result: Some(result(report, generation)),
        started: true,
        ..Supervision::default()
    };
    if let Some(report) = pods.iter().find_map(|pod| pod.run_report()) {
        return Ok(Some(ended(report)));
    }
    let alive = pods.iter().find(|pod| !pod.is_over());
    let Some(pod) = alive.filter(|pod| pod.is_running()) else {
        return begin(ctx, agent, run, alive).await;
    };
    let mut seen = Supervision {
        started: true,
        ..Supervision::default()
    };
    let Some(ip) = pod.ip() else {
        return Ok(Some(seen));
    };
    match ctx.runs.read::<RunReport>(ip, "/status").await {
        Ok(report) if report.is_over() => return Ok(Some(ended(&report))),
        Ok(_) => seen.running = true,
        Err(error) => seen.silent = Some(error),
    }
    Ok(Some(seen))
}

/// Before a Pod is made: what the watch brought may be old, on a new leader say,
/// and a second run cannot be taken back.
async fn begin(
    ctx: &Context,
    agent: &Agent,
    run: &str,
    pod: Option<&Arc<PodShape>>,
) -> Result<Option<Supervision>, ReconcileError> {
    let (Some(namespace), Some(name)) = (&agent.metadata.namespace, &agent.metadata.name) else {
        return Ok(None);
    };
    if pod.is_some() {
        return Ok(Some(Supervision::default()));
    }
    let api = Api::<Agent>::namespaced(ctx.client.clone(), namespace);
    let now = api.get_opt(name).await?;
    let Some(now) = now.filter(|now| stamp(&now.metadata) == run) else {
        return Ok(None);
    };
    Ok(Some(
        kept(&now).map_or_else(Supervision::default, Supervision::kept),
    ))
}

impl Supervision {
    fn kept(result: RunResult) -> Self {
        Self {
            result: Some(result),
            kept: true,
            ..Self::default()
        }
    }
}

/// A Pod's word is a claim: it is brought into the shape that status has.
fn result(report: &RunReport, generation: i64) -> RunResult {
    let at = report.finished_at.as_deref().and_then(|at| at.parse().ok());
    let at: Timestamp = at.unwrap_or_else(Timestamp::now);
    let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
    let exit_code = match report.phase {
        RunPhase::Succeeded => 0,
        RunPhase::Running | RunPhase::Failed => {
            report.exit_code.filter(|code| *code != 0).unwrap_or(1)
        }
    };
    RunResult {
        generation,
        exit_code: Some(exit_code),
        signal: report.signal,
        finished_at: Time(whole),
        message: report
            .message
            .as_ref()
            .map(|message| message.chars().take(MESSAGE_CHARS).collect()),
    }
}
