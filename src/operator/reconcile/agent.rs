//! An Agent.

use std::sync::Arc;
use std::time::Duration;

use agentkube_crds::agent::{CheckedAgent, WiredTarget, Wiring as WiringStatus};
use agentkube_crds::{API_VERSION, Agent, AgentStatus, Kind, keys};
use agentkube_webhooks::wire::Wired;
use jiff::Timestamp;
use kube::runtime::controller::Action;

use super::data_plane::{apply_one, condition};
use super::supervision::{Supervision, look, run_of};
use super::{Context, ReconcileError, status};
use crate::conditions::{AgentFacts, NotApplied, dated, turned};
use crate::render::{self, Owner, Replicas, Settings};
use crate::shapes::PodShape;
use crate::wiring::wire_pod;

/// A target may appear in a namespace that admits us by a label.
const RETRY: Duration = Duration::from_secs(30);
/// While the start or the end of a program is awaited.
const SOON: Duration = Duration::from_secs(2);

/// What one look found out.
#[derive(Default)]
struct Seen {
    invalid: Option<String>,
    wired: Option<Wired>,
    not_applied: Option<NotApplied>,
    run: Supervision,
}

/// Brings one Agent nearer to what its spec says.
pub(super) async fn reconcile(
    agent: Arc<Agent>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if agent.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let mut seen = Seen::default();
    let run = run_of(&agent);
    if let Some(run) = &run {
        match look(&ctx, &agent, run).await? {
            Some(supervision) => seen.run = supervision,
            None => return Ok(Action::requeue(SOON)),
        }
    }
    match check(&agent, &ctx.settings) {
        Err(errors) => seen.invalid = Some(errors.join("; ")),
        Ok((checked, image)) => {
            let pod = render::agent_pod(&ctx.settings, &checked, &image);
            let mut wired = wire_pod(&checked, &pod, &*ctx.stores);
            if let Some(run) = &run {
                wired.pod = render::supervised(&ctx.settings, &wired.pod, run);
            }
            if let Err(error) = write(&ctx, &agent, &checked, &wired, &seen.run).await {
                seen.not_applied = Some(condition(error)?);
            }
            seen.wired = Some(wired);
        }
    }
    let pod = pod_of(&ctx, &agent);
    report(&ctx, &agent, &seen, pod.as_deref()).await?;
    Ok(next(&seen, pod.as_deref()))
}

async fn report(
    ctx: &Context,
    agent: &Agent,
    seen: &Seen,
    pod: Option<&PodShape>,
) -> Result<(), ReconcileError> {
    let facts = AgentFacts {
        paused: agent.spec.paused,
        invalid: seen.invalid.as_deref(),
        wired: seen.wired.as_ref(),
        not_applied: seen.not_applied.as_ref(),
        pod,
        result: seen.run.result.as_ref(),
        running: seen.run.running,
        silent: seen.run.silent.as_deref(),
    };
    let previous = agent.status.clone().unwrap_or_default().conditions;
    let conditions = dated(
        facts.statements(),
        &previous,
        agent.metadata.generation,
        Timestamp::now(),
    );
    let turned = turned(&previous, &conditions);
    let status = AgentStatus {
        phase: Some(facts.phase()),
        result: seen.run.result.clone(),
        wiring: seen.wired.as_ref().map(wiring),
        conditions: conditions.clone(),
    };
    status::write(
        ctx,
        Kind::Agent,
        &agent.metadata,
        agent.status.as_ref(),
        &status,
        &turned,
    )
    .await
}

/// When to look again without being told. The readiness of a supervised Pod turns
/// when its program ends, and the Pod's change is what tells us; one that is not
/// ready yet has nothing to turn.
fn next(seen: &Seen, pod: Option<&PodShape>) -> Action {
    let refused = seen.wired.as_ref().is_some_and(|it| !it.errors.is_empty());
    let at_work = seen.run.started && seen.run.result.is_none();
    let turns = pod.is_some_and(PodShape::is_ready) && seen.run.silent.is_none();
    if at_work && !turns {
        Action::requeue(SOON)
    } else if at_work || refused || seen.not_applied.is_some() {
        Action::requeue(RETRY)
    } else {
        Action::await_change()
    }
}

/// The Agent and its image, or why it cannot run.
fn check(agent: &Agent, settings: &Settings) -> Result<(CheckedAgent, String), Vec<String>> {
    let text = |errors: Vec<agentkube_crds::FieldError>| {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let checked = agent.parse().map_err(text)?;
    let nowhere = "spec.image: this installation names no image for the runtime";
    let installed = settings.runtime_images.get(&checked.runtime);
    match checked.image.as_ref().or(installed).cloned() {
        Some(image) => Ok((checked, image)),
        None => Err(vec![nowhere.to_owned()]),
    }
}

/// An Agent that cannot be wired is not started; one that runs goes on as it was
/// until it can be wired again or is paused. A run that began is left alone: a
/// changed gateway or a new operator is no reason to do everything again.
async fn write(
    ctx: &Context,
    agent: &Agent,
    checked: &CheckedAgent,
    wired: &Wired,
    run: &Supervision,
) -> Result<(), ReconcileError> {
    let Some(owner) = Owner::of(API_VERSION, "Agent", &agent.metadata) else {
        return Ok(());
    };
    apply_one(ctx, &owner, &render::agent_account(checked)).await?;
    let stops = checked.paused || run.kept;
    let replicas = if stops { Replicas::None } else { Replicas::One };
    if stops || (wired.errors.is_empty() && !run.started) {
        let set = render::agent_set(checked, &wired.pod, replicas);
        apply_one(ctx, &owner, &set).await?;
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
