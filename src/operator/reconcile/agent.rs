//! An Agent.

use std::sync::Arc;
use std::time::Duration;

use agentkube_crds::agent::{
    AgentMode, AgentPhase, CheckedAgent, WiredTarget, Wiring as WiringStatus,
};
use agentkube_crds::{API_VERSION, Agent, AgentStatus, Kind, keys};
use agentkube_webhooks::wire::Wired;
use jiff::Timestamp;
use kube::runtime::controller::Action;

use super::data_plane::{apply_one, condition};
use super::{Context, ReconcileError, status};
use crate::conditions::{NotApplied, Statement, dated, turned};
use crate::render::{self, Owner};
use crate::shapes::PodShape;
use crate::wiring::wire_pod;

/// A target may appear in a namespace that admits us by a label.
const RETRY: Duration = Duration::from_secs(30);

/// Brings one Agent nearer to what its spec says.
pub(super) async fn reconcile(
    agent: Arc<Agent>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if agent.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let checked = check(&agent);
    let mut wired = None;
    let mut not_applied = None;
    if let Ok((checked, image)) = &checked {
        let pod = render::agent_pod(&ctx.settings, checked, image);
        let answer = wire_pod(checked, &pod, &*ctx.stores);
        if let Err(error) = write(&ctx, &agent, checked, &answer).await {
            not_applied = Some(condition(error)?);
        }
        wired = Some(answer);
    }
    let pod = pod_of(&ctx, &agent);
    let invalid = checked.as_ref().err().map(|errors| errors.join("; "));
    let statements = statements(
        &agent,
        invalid,
        wired.as_ref(),
        not_applied.as_ref(),
        pod.as_deref(),
    );
    let previous = agent.status.clone().unwrap_or_default().conditions;
    let conditions = dated(
        statements,
        &previous,
        agent.metadata.generation,
        Timestamp::now(),
    );
    let turned = turned(&previous, &conditions);
    let status = AgentStatus {
        phase: Some(phase(&agent, pod.as_deref())),
        wiring: wired.as_ref().map(wiring),
        conditions: conditions.clone(),
    };
    status::write(
        &ctx,
        Kind::Agent,
        &agent.metadata,
        agent.status.as_ref(),
        &status,
        &turned,
    )
    .await?;
    let waits = wired.is_some_and(|wired| !wired.errors.is_empty()) || not_applied.is_some();
    Ok(if waits {
        Action::requeue(RETRY)
    } else {
        Action::await_change()
    })
}

/// The Agent and its image, or why it cannot run.
fn check(agent: &Agent) -> Result<(CheckedAgent, String), Vec<String>> {
    let text = |errors: Vec<agentkube_crds::FieldError>| {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let checked = agent.parse().map_err(text)?;
    let mut errors = Vec::new();
    // In a StatefulSet the kubelet starts an ended container again, so nothing
    // but a supervisor inside the container could keep "once".
    if checked.mode == AgentMode::Supervised {
        errors.push("spec.mode: supervised is not supported yet: write system".to_owned());
    }
    if checked.image.is_none() {
        errors.push("spec.image: this installation names no image for the runtime".to_owned());
    }
    match checked.image.clone() {
        Some(image) if errors.is_empty() => Ok((checked, image)),
        _ => Err(errors),
    }
}

/// An Agent that cannot be wired is not started; one that runs goes on as it was
/// until it can be wired again or is paused.
async fn write(
    ctx: &Context,
    agent: &Agent,
    checked: &CheckedAgent,
    wired: &Wired,
) -> Result<(), ReconcileError> {
    let Some(owner) = Owner::of(API_VERSION, "Agent", &agent.metadata) else {
        return Ok(());
    };
    apply_one(ctx, &owner, &render::agent_account(checked)).await?;
    if wired.errors.is_empty() || checked.paused {
        apply_one(ctx, &owner, &render::agent_set(checked, &wired.pod)).await?;
    }
    Ok(())
}

fn pod_of(ctx: &Context, agent: &Agent) -> Option<Arc<PodShape>> {
    let (namespace, name) = (&agent.metadata.namespace, agent.metadata.name.as_deref()?);
    let (managed_by, us) = keys::MANAGED_BY;
    ctx.stores.pods.find(|pod| {
        pod.metadata.namespace == *namespace
            && pod.label(keys::OF_AGENT) == Some(name)
            && pod.label(managed_by) == Some(us)
            && !pod.is_over()
    })
}

fn phase(agent: &Agent, pod: Option<&PodShape>) -> AgentPhase {
    match pod {
        _ if agent.spec.paused => AgentPhase::Paused,
        Some(pod) if pod.is_ready() => AgentPhase::Running,
        Some(_) | None => AgentPhase::Pending,
    }
}

fn wiring(wired: &Wired) -> WiringStatus {
    let refusals = wired
        .errors
        .iter()
        .map(ToString::to_string)
        .take(64)
        .collect();
    let Some(wiring) = &wired.wiring else {
        return WiringStatus {
            refusals,
            ..WiringStatus::default()
        };
    };
    WiringStatus {
        llm: wiring.gateway.as_ref().map(|target| target.url.clone()),
        mcp: wiring
            .mcps
            .iter()
            .map(|target| WiredTarget {
                name: target.reference.name.clone(),
                url: target.url.clone(),
            })
            .collect(),
        env: wiring
            .env
            .iter()
            .map(|variable| variable.name.clone())
            .take(512)
            .collect(),
        refusals,
    }
}

fn statements(
    agent: &Agent,
    invalid: Option<String>,
    wired: Option<&Wired>,
    not_applied: Option<&NotApplied>,
    pod: Option<&PodShape>,
) -> Vec<Statement> {
    let accepted = match &invalid {
        None => Statement::yes("Accepted", "Valid", "the spec is valid"),
        Some(why) => Statement::no("Accepted", "Invalid", why.clone()),
    };
    let wired = match wired {
        None => Statement::no("Wired", "Invalid", "the spec is not valid"),
        Some(wired) if wired.errors.is_empty() => match &wired.wiring {
            Some(wiring) => Statement::yes("Wired", "Wired", format!("to {}", wiring.wired_by())),
            None => Statement::yes("Wired", "NothingToWire", "it names no gateway and no MCP"),
        },
        Some(wired) => {
            let why: Vec<_> = wired.errors.iter().map(ToString::to_string).collect();
            Statement::no("Wired", "Refused", why.join("; "))
        }
    };
    let ready = ready(agent, &accepted, &wired, not_applied, pod);
    vec![accepted, wired, ready]
}

fn ready(
    agent: &Agent,
    accepted: &Statement,
    wired: &Statement,
    not_applied: Option<&NotApplied>,
    pod: Option<&PodShape>,
) -> Statement {
    let no = |reason, message: String| Statement::no("Ready", reason, message);
    if !accepted.status {
        return no(accepted.reason, accepted.message.clone());
    }
    if let Some(failed) = not_applied {
        return no(failed.reason, failed.message.clone());
    }
    if agent.spec.paused {
        return no("Paused", "set spec.paused to false to start it".to_owned());
    }
    match pod {
        Some(pod) if pod.is_ready() => Statement::yes("Ready", "Running", "its Pod runs"),
        _ if !wired.status => no("NotWired", wired.message.clone()),
        Some(pod) => {
            let why = pod.why_not_ready();
            no(
                "NotRunning",
                why.unwrap_or_else(|| "its Pod is not ready".to_owned()),
            )
        }
        None => no("NotRunning", "its Pod was not created yet".to_owned()),
    }
}
