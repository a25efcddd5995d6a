//! What an LLMGateway and an MCP have in common: children, clients, replicas.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use agentkube_crds::shared::{AllowedNamespaces, PodTemplate};
use agentkube_crds::{API_VERSION, Kind, names};
use agentkube_plan::{ClientAuth, DigestReport, PlanDigest, SecretEntry};
use agentkube_webhooks::TargetRef;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::reflector::ObjectRef;

use super::clients::{Clients, Table};
use super::nudge::mounted;
use super::{Context, ReconcileError};
use crate::apply::{Applied, ApplyError, apply, remove};
use crate::conditions::{Facts, Missing, NotApplied, Rollout};
use crate::render::{self, Child, DataPlane, Owner};
use crate::resolve::{MissingRef, Program, Resolution};
use crate::shapes::PodShape;
use crate::stores::Stores;

/// While something is awaited from replicas.
pub(super) const SOON: Duration = Duration::from_secs(1);
/// While all is well: upstreams come and go.
const CALM: Duration = Duration::from_secs(30);

/// One object that is to be served.
pub(super) struct Job<'a> {
    pub(super) kind: Kind,
    pub(super) meta: &'a ObjectMeta,
    pub(super) port: u16,
    pub(super) replicas: u32,
    pub(super) pod_template: Option<&'a PodTemplate>,
    pub(super) auth: ClientAuth,
    /// Whose tokens are admitted; keys are granted one by one.
    pub(super) allowed: &'a AllowedNamespaces,
    /// What to serve, or why the spec cannot be served.
    pub(super) plan: Result<Plan, Vec<String>>,
    pub(super) unenforced: Vec<&'static str>,
}

/// A resolved plan as bytes.
pub(super) struct Plan {
    text: String,
    digest: PlanDigest,
    secrets: BTreeSet<SecretEntry>,
    missing: Vec<MissingRef>,
    programs: Vec<Program>,
    /// What the environments of the programs are made of: a change starts them anew.
    environment: Option<String>,
}

/// What came of it.
pub(super) struct Seen {
    pub(super) facts: Facts,
    /// Clients in the table; absent when they are not counted one by one.
    pub(super) clients: Option<u32>,
    /// When to look again without being told.
    pub(super) again: Option<Duration>,
}

impl Plan {
    /// Writes a plan down.
    pub(super) fn of<P: serde::Serialize>(
        resolution: Resolution<P>,
    ) -> Result<Self, ReconcileError> {
        let text = serde_json::to_string(&resolution.plan)?;
        let digest = PlanDigest::of(text.as_bytes());
        Ok(Self {
            text,
            digest,
            secrets: resolution.secrets,
            missing: resolution.missing,
            programs: resolution.programs,
            environment: None,
        })
    }

    /// With the versions of the Secrets that its programs take variables from.
    pub(super) fn with_environment(mut self, stores: &Stores, namespace: &str) -> Self {
        let programs = self.programs.iter();
        let names: BTreeSet<String> = programs
            .flat_map(|program| program.secrets().map(|(entry, _)| entry.name))
            .collect();
        let versions = names.iter().map(|name| version(stores, namespace, name));
        let versions: Vec<String> = versions.collect();
        self.environment =
            (!versions.is_empty()).then(|| mounted(versions.iter().map(String::as_str)));
        self
    }
}

impl Job<'_> {
    pub(super) fn namespace(&self) -> &str {
        self.meta.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.meta.name.as_deref().unwrap_or_default()
    }

    pub(super) fn target(&self) -> TargetRef {
        TargetRef {
            kind: self.kind,
            namespace: self.namespace().to_owned(),
            name: self.name().to_owned(),
        }
    }

    fn plane<'a>(&'a self, plan: &'a Plan) -> DataPlane<'a> {
        DataPlane {
            kind: self.kind,
            namespace: self.namespace(),
            object: self.name(),
            port: self.port,
            replicas: self.replicas,
            pod_template: self.pod_template,
            plan: &plan.text,
            digest: plan.digest.to_string(),
            secrets: &plan.secrets,
            has_clients: self.auth != ClientAuth::None,
            programs: &plan.programs,
            environment: plan.environment.as_deref(),
        }
    }
}

/// Serves an object as far as that goes, and says how far.
///
/// `prepared`: what must be there before the children are; if it is not, they stay as
/// they are.
pub(super) async fn serve(
    ctx: &Context,
    job: &Job<'_>,
    prepared: Result<(), ReconcileError>,
) -> Result<Seen, ReconcileError> {
    let mut facts = Facts {
        unenforced: job.unenforced.clone(),
        ..Facts::default()
    };
    let mut table = None;
    let clients = Clients {
        ctx,
        target: job.target(),
    };
    match &job.plan {
        Err(invalid) => facts.invalid.clone_from(invalid),
        Ok(plan) => {
            facts.missing = plan.missing.iter().map(missing).collect();
            let written = match prepared {
                Ok(()) => write(ctx, job, plan, &clients).await,
                Err(error) => Err(error),
            };
            match written {
                Ok(written) => table = written,
                Err(error) => facts.not_applied = Some(condition(error)?),
            }
        }
    }
    facts.ignored_clients = table
        .iter()
        .flat_map(|table| table.ignored.clone())
        .collect();
    let pods = pods_of(ctx, job);
    facts.rollout = rollout(ctx, job, &pods).await;
    let mut waits = false;
    if let (Ok(plan), None) = (&job.plan, &facts.not_applied) {
        nudge(ctx, job, plan, table.as_ref(), &pods, &facts.rollout).await;
        waits = pods.iter().any(|pod| ctx.nudges.awaits(pod));
    }
    if let Some(table) = &table {
        let problems = clients.hand_out(table, &facts.rollout).await?;
        facts.ignored_clients.extend(problems);
        waits |= ctx.ledger(&clients.target, |ledger| ledger.is_waiting());
    }
    let again = again(&facts, waits);
    Ok(Seen {
        facts,
        clients: table.and_then(|table| table.clients),
        again,
    })
}

/// Client table first, so that a new Pod finds it; then the children.
async fn write(
    ctx: &Context,
    job: &Job<'_>,
    plan: &Plan,
    clients: &Clients<'_>,
) -> Result<Option<Table>, ReconcileError> {
    let Some(owner) = Owner::of(API_VERSION, job.kind.as_str(), job.meta) else {
        return Ok(None);
    };
    let plane = job.plane(plan);
    let table = table(ctx, job, &plane, &owner, clients).await?;
    let desired = render::data_plane(&ctx.settings, &plane);
    for child in &desired.children {
        apply_one(ctx, &owner, child).await?;
    }
    for child in &desired.unwanted {
        if remove(&ctx.client, &*ctx.stores, &owner, child).await? == Applied::Written {
            ctx.metrics.wrote(child.kind.as_str());
        }
    }
    Ok(table)
}

/// Who may call, written down for the Pods.
async fn table(
    ctx: &Context,
    job: &Job<'_>,
    plane: &DataPlane<'_>,
    owner: &Owner,
    clients: &Clients<'_>,
) -> Result<Option<Table>, ReconcileError> {
    let table = match job.auth {
        ClientAuth::None => None,
        ClientAuth::Apikey => Some(clients.settle().await?),
        ClientAuth::ServiceAccount => Some(clients.believe(job.allowed).await?),
    };
    if let Some(table) = &table {
        apply_one(ctx, owner, &render::client_table(plane, &table.bytes)).await?;
    }
    match &table {
        Some(table) if job.auth == ClientAuth::Apikey => {
            ctx.ledger(&clients.target, |ledger| ledger.written(&table.digest));
            clients.take_back(table).await?;
        }
        // Nobody needs a key.
        _ => clients.end_all().await?,
    }
    Ok(table)
}

pub(super) async fn apply_one(
    ctx: &Context,
    owner: &Owner,
    child: &Child,
) -> Result<(), ReconcileError> {
    if apply(&ctx.client, &*ctx.stores, owner, child).await? == Applied::Written {
        ctx.metrics.wrote(child.kind.as_str());
    }
    Ok(())
}

/// What trying again does not mend becomes a condition.
pub(super) fn condition(error: ReconcileError) -> Result<NotApplied, ReconcileError> {
    let reason = match &error {
        ReconcileError::Apply(ApplyError::NameTaken { .. }) => "NameTaken",
        ReconcileError::Apply(ApplyError::Api { source, .. }) if is_refusal(source) => {
            "ApplyFailed"
        }
        ReconcileError::Signers { source, .. } if is_refusal(source) => "TokensNotVerifiable",
        ReconcileError::NoSigners => "TokensNotVerifiable",
        _ => return Err(error),
    };
    Ok(NotApplied {
        reason,
        message: error.to_string(),
    })
}

fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 400 | 403 | 404 | 422))
}

fn missing(reference: &MissingRef) -> Missing {
    Missing {
        upstream: reference.upstream.clone(),
        reason: reference.reason(),
        message: reference.to_string(),
    }
}

/// Its Pods by name: a store has no order, and what is said must not change
/// with it.
fn pods_of(ctx: &Context, job: &Job<'_>) -> Vec<Arc<PodShape>> {
    let selector = names::selector(job.kind, job.name());
    let mut pods = ctx.stores.pods.state_filter(|pod| {
        pod.metadata.namespace.as_deref() == Some(job.namespace())
            && selector
                .iter()
                .all(|(key, value)| pod.label(key) == Some(value))
    });
    pods.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    pods
}

async fn rollout(ctx: &Context, job: &Job<'_>, pods: &[Arc<PodShape>]) -> Rollout {
    let alive: Vec<_> = pods.iter().filter(|pod| !pod.is_over()).collect();
    let ready = alive
        .iter()
        .filter(|pod| pod.is_ready())
        .filter_map(|pod| Some((pod.metadata.name.clone()?, pod.ip()?.to_owned())));
    let ready: Vec<_> = ready.collect();
    let waiting = alive.iter().find_map(|pod| {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        Some(format!("Pod {name}: {}", pod.why_not_ready()?))
    });
    Rollout {
        wanted: job.replicas,
        digest: job
            .plan
            .as_ref()
            .map(|plan| plan.digest.to_string())
            .unwrap_or_default(),
        pods: u32::try_from(alive.len()).unwrap_or(u32::MAX),
        waiting,
        ready: ctx.digests.all(ready).await,
    }
}

/// Tells the kubelets that mounted files changed.
async fn nudge(
    ctx: &Context,
    job: &Job<'_>,
    plan: &Plan,
    table: Option<&Table>,
    pods: &[Arc<PodShape>],
    rollout: &Rollout,
) {
    let mut parts = vec![plan.digest.to_string()];
    parts.extend(table.map(|table| table.digest.to_string()));
    let names: BTreeSet<&str> = plan
        .secrets
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    for name in names {
        parts.push(version(&ctx.stores, job.namespace(), name));
    }
    let value = mounted(parts.iter().map(String::as_str));
    for pod in pods {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let report = rollout.ready.iter().find(|(ready, _)| ready == name);
        let follows = match report.map(|(_, report)| report) {
            Some(Ok(report)) => follows(report, plan, table),
            Some(Err(_)) | None => true,
        };
        ctx.nudges.nudge(&ctx.client, pod, &value, follows).await;
    }
}

/// A Secret as it is now; also one that is not there.
fn version(stores: &Stores, namespace: &str, name: &str) -> String {
    let secret = stores.secrets.get(&ObjectRef::new(name).within(namespace));
    let version = secret.and_then(|secret| secret.metadata.resource_version.clone());
    format!("{name}@{}", version.unwrap_or_default())
}

/// Whether a replica serves what is mounted, as far as its report tells: the plan,
/// the clients, and the credentials of every upstream whose Secret is there.
fn follows(report: &DigestReport, plan: &Plan, table: Option<&Table>) -> bool {
    let clients = report.clients.as_ref().map(|clients| &clients.digest);
    let is_missing = |upstream: &str| {
        let mut missing = plan.missing.iter();
        missing.any(|it| it.by_plane && it.upstream == upstream)
    };
    report.plan.digest == plan.digest
        && clients == table.map(|table| &table.digest)
        && report
            .upstreams
            .iter()
            .all(|upstream| upstream.credentials != is_missing(&upstream.name))
}

fn again(facts: &Facts, waits: bool) -> Option<Duration> {
    if waits || (!facts.rollout.ready.is_empty() && !facts.rollout.is_programmed()) {
        Some(SOON)
    } else if facts.rollout.ready.is_empty() && facts.not_applied.is_none() {
        None
    } else {
        Some(CALM)
    }
}
