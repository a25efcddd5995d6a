//! An LLMGateway.

use std::sync::Arc;

use agentkube_crds::llm_gateway::{LlmUpstreamStatus, UpstreamState};
use agentkube_crds::shared::StatusSummary;
use agentkube_crds::{Kind, LLMGateway, LLMGatewayStatus, names};
use agentkube_plan::DigestReport;
use jiff::Timestamp;
use kube::runtime::controller::Action;

use super::data_plane::{Job, Plan, Seen, serve};
use super::{Context, ReconcileError, status};
use crate::conditions::data_plane as conditions;
use crate::conditions::{dated, turned};
use crate::resolve;

/// Brings one gateway nearer to what its spec says.
pub(super) async fn reconcile(
    gateway: Arc<LLMGateway>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if gateway.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let spec = &gateway.spec;
    let parsed = gateway.parse();
    let unenforced = parsed
        .iter()
        .flat_map(|checked| &checked.not_enforced)
        .map(|it| it.field);
    let job = Job {
        kind: Kind::LLMGateway,
        meta: &gateway.metadata,
        port: spec.port,
        replicas: spec.replicas,
        pod_template: spec.pod_template.as_ref(),
        auth: spec.auth.mode.into(),
        allowed: &spec.allowed_namespaces,
        unenforced: unenforced.collect(),
        plan: match &parsed {
            Ok(checked) => Ok(Plan::of(resolve::gateway(checked, &*ctx.stores))?),
            Err(errors) => Err(errors.iter().map(ToString::to_string).collect()),
        },
    };
    let seen = serve(&ctx, &job, Ok(())).await?;
    let previous = gateway.status.clone().unwrap_or_default();
    let conditions = dated(
        conditions(&seen.facts),
        &previous.conditions,
        gateway.metadata.generation,
        Timestamp::now(),
    );
    let turned = turned(&previous.conditions, &conditions);
    let status = LLMGatewayStatus {
        conditions: conditions.clone(),
        ..observed(&gateway, &seen)
    };
    let old = gateway.status.as_ref();
    status::write(
        &ctx,
        Kind::LLMGateway,
        &gateway.metadata,
        old,
        &status,
        &turned,
    )
    .await?;
    Ok(seen
        .again
        .map_or_else(Action::await_change, Action::requeue))
}

fn observed(gateway: &LLMGateway, seen: &Seen) -> LLMGatewayStatus {
    let (namespace, name) = (
        gateway.metadata.namespace.as_deref(),
        gateway.metadata.name.as_deref(),
    );
    let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
    let upstreams = upstreams(gateway, seen);
    let usable = upstreams
        .iter()
        .filter(|it| it.credentials && it.state != UpstreamState::Failing);
    let models = models(gateway, seen);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    LLMGatewayStatus {
        endpoint: Some(names::service_url(
            Kind::LLMGateway,
            namespace,
            name,
            gateway.spec.port,
        )),
        replicas: Some(seen.facts.rollout.pods),
        ready_replicas: Some(seen.facts.rollout.ready_count()),
        selector: Some(names::selector_text(Kind::LLMGateway, name)),
        summary: Some(StatusSummary {
            models: Some(count(models.len())),
            upstreams: Some(format!("{}/{}", usable.count(), upstreams.len())),
            clients: seen.clients,
        }),
        models,
        upstreams,
        conditions: Vec::new(),
    }
}

/// What clients can ask for: served names, those that upstreams were asked for, then
/// aliases, each once.
fn models(gateway: &LLMGateway, seen: &Seen) -> Vec<String> {
    let listed = gateway
        .spec
        .upstreams
        .iter()
        .flat_map(|upstream| &upstream.models);
    let reports = seen.facts.rollout.reports();
    let discovered = reports.flat_map(|report| &report.upstreams);
    let discovered = discovered.flat_map(|upstream| &upstream.models);
    let served = listed.chain(discovered);
    let aliases = gateway
        .spec
        .routing
        .model_map
        .iter()
        .map(|mapping| &mapping.from);
    let mut models: Vec<String> = Vec::new();
    for model in served.chain(aliases) {
        if !models.contains(model) && models.len() < 1024 {
            models.push(model.clone());
        }
    }
    models
}

fn upstreams(gateway: &LLMGateway, seen: &Seen) -> Vec<LlmUpstreamStatus> {
    let reports: Vec<&DigestReport> = seen.facts.rollout.reports().collect();
    let one = |upstream: &agentkube_crds::llm_gateway::LlmUpstream| {
        let rows: Vec<_> = reports
            .iter()
            .flat_map(|report| {
                report
                    .upstreams
                    .iter()
                    .filter(|row| row.name == upstream.name)
            })
            .collect();
        let state = if rows.iter().any(|row| row.reachable == Some(true)) {
            UpstreamState::Healthy
        } else if rows.iter().any(|row| row.reachable == Some(false)) {
            UpstreamState::Failing
        } else {
            UpstreamState::Unknown
        };
        let missing = seen
            .facts
            .missing
            .iter()
            .any(|it| it.upstream == upstream.name);
        LlmUpstreamStatus {
            name: upstream.name.clone(),
            state,
            last_error: rows.iter().find_map(|row| row.message.clone()),
            credentials: if rows.is_empty() {
                !missing
            } else {
                rows.iter().all(|row| row.credentials)
            },
        }
    };
    gateway.spec.upstreams.iter().map(one).collect()
}
