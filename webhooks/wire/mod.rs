//! What an agent's Pod is given: one pure function for the webhook, the
//! operator, `agentkube explain` and the tests.
//!
//! Guarantees
//! - What the user set is never overwritten, with one exception: a provider's
//!   own key beside a gateway, which would let the Pod walk around it.
//! - Wiring a wired Pod changes nothing.
//! - No Secret is written and no value is read: keys are referred to by name.

mod container;
mod mount;
mod tokens;
mod tools_file;
mod variables;
mod wants;

use agentkube_crds::{FieldError, Reason, keys, names};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::findings::Findings;
use crate::lookup::Lookup;
use crate::node::Node;
use crate::target::{Found, Target, TargetRef};

pub(crate) use variables::names_for;
pub use variables::{Source, Variable, mcp_prefix};
pub use wants::{Wants, is_wired};

/// Keys of providers: beside a gateway they are removed or replaced.
pub const PROVIDER_KEYS: [&str; 6] = [
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "AWS_BEARER_TOKEN_BEDROCK",
];

/// The runtime of which nothing is known.
pub(crate) const CUSTOM: &str = "Custom";

/// A Pod, or the template of one, that is to be wired.
#[derive(Clone, Debug)]
pub struct WireRequest<'a> {
    /// Namespace of the Pod; the Pod itself may name none yet.
    pub namespace: &'a str,
    /// `metadata` and `spec`.
    pub pod: &'a Value,
    /// What it is to be wired to.
    pub wants: Wants,
    /// Whether a target that is not there denies.
    pub missing: Missing,
}

/// What a missing target means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// The Pod is refused: one that started unwired would never be mended, and
    /// its controller tries again.
    #[default]
    Denied,
    /// It may be elsewhere: `lint` sees only some files.
    Said,
}

/// What became of a Pod.
#[derive(Clone, Debug)]
pub struct Wired {
    /// The Pod with its wiring; as it was when something denies.
    pub pod: Value,
    /// What it was given; absent when something denies.
    pub wiring: Option<Wiring>,
    /// What denies.
    pub errors: Vec<FieldError>,
    /// What is only said.
    pub warnings: Vec<FieldError>,
}

/// What a Pod is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// Who calls: `namespace/serviceaccount`.
    pub client: String,
    /// The gateway.
    pub gateway: Option<Target>,
    /// The MCPs, in the order in which they were named.
    pub mcps: Vec<Target>,
    /// Variables of every container.
    pub env: Vec<Variable>,
    /// Contents of `/etc/agentkube/mcp.json`.
    pub mcp_json: Option<String>,
}

/// Wires a Pod.
#[must_use]
pub fn wire(request: &WireRequest<'_>, lookup: &dyn Lookup) -> Wired {
    let mut found = Findings::default();
    let wanted = wants::read(request, lookup, &mut found);
    let targets = wanted
        .refs()
        .filter_map(|named| usable(request, &named.target, &named.field, lookup, &mut found));
    let targets: Vec<Target> = targets.collect();
    if !found.errors.is_empty() || targets.is_empty() {
        return Wired {
            pod: request.pod.clone(),
            wiring: None,
            errors: found.errors,
            warnings: found.warnings,
        };
    }
    let wiring = Wiring::of(request, targets, wanted.model);
    let pod = apply(request.pod, &wiring, lookup, request.namespace, &mut found);
    Wired {
        pod,
        wiring: Some(wiring),
        errors: found.errors,
        warnings: found.warnings,
    }
}

impl Wiring {
    fn of(request: &WireRequest<'_>, targets: Vec<Target>, model: Option<String>) -> Self {
        let account = request
            .pod
            .pointer("/spec/serviceAccountName")
            .and_then(Value::as_str);
        let account = account.filter(|name| !name.is_empty()).unwrap_or("default");
        let client = format!("{}/{account}", request.namespace);
        let (gateways, mcps): (Vec<_>, Vec<_>) = targets
            .into_iter()
            .partition(|target| target.reference.kind == agentkube_crds::Kind::LLMGateway);
        let gateway = gateways.into_iter().next();
        let env = variables::of(&client, gateway.as_ref(), &mcps, model);
        let mcp_json = (!mcps.is_empty()).then(|| tools_file::contents(&mcps));
        Self {
            client,
            gateway,
            mcps,
            env,
            mcp_json,
        }
    }

    /// `llmgateway platform/shared-gateway, mcp team-a/github-tools`.
    #[must_use]
    pub fn wired_by(&self) -> String {
        let all = self.gateway.iter().chain(&self.mcps);
        let names: Vec<String> = all.map(|target| target.reference.printed()).collect();
        names.join(", ")
    }

    /// Changes when anything that the Pod was given changes.
    #[must_use]
    pub fn hash(&self) -> String {
        let env: Vec<Value> = self.env.iter().map(Variable::to_json).collect();
        let mut all = vec![json!(self.client), json!(env), json!(self.mcp_json)];
        all.extend(self.tokens().map(|mount| mount.source));
        let all = Value::Array(all);
        let mut digest = hex::encode(Sha256::digest(all.to_string()));
        digest.truncate(16);
        digest
    }

    /// The tokens that the Pod calls with.
    fn tokens(&self) -> Option<mount::Mount<'static>> {
        tokens::mount(self.gateway.iter().chain(&self.mcps))
    }

    /// What is mounted into every container.
    fn mounts(&self) -> Vec<mount::Mount<'static>> {
        let file = self.mcp_json.is_some().then(tools_file::mount);
        file.into_iter().chain(self.tokens()).collect()
    }

    /// The Secrets with client keys that the Pod waits for, and their targets.
    #[must_use]
    pub fn key_secrets(&self) -> Vec<(String, TargetRef)> {
        let all = self.gateway.iter().chain(&self.mcps);
        let keyed = all.filter(|target| variables::is_keyed(target));
        keyed
            .map(|target| (key_secret(&self.client, target), target.reference.clone()))
            .collect()
    }
}

/// Name of the Secret that holds a client's key for a target.
fn key_secret(client: &str, target: &Target) -> String {
    let TargetRef {
        kind,
        namespace,
        name,
    } = &target.reference;
    names::client_key_secret(client, *kind, namespace, name)
}

/// The target, if it may be used; else why not.
fn usable(
    request: &WireRequest<'_>,
    target: &TargetRef,
    field: &str,
    lookup: &dyn Lookup,
    found: &mut Findings,
) -> Option<Target> {
    let name = format!("{} \"{}/{}\"", target.kind, target.namespace, target.name);
    let namespace = request.namespace;
    let elsewhere = request.missing == Missing::Said;
    let (denied, reason, message) = match target.find(namespace, lookup) {
        Found::Usable(target) => return reaching(request, target, field, found),
        Found::Missing => {
            let strict = crate::checks::is_strict(namespace, lookup);
            (
                !elsewhere || strict,
                Reason::NotFound,
                format!("{name} does not exist"),
            )
        }
        Found::Refused(grant) => {
            let message = format!("{name} does not admit namespace {namespace:?}: {grant}");
            (true, Reason::Forbidden, message)
        }
        Found::Undecided(_) => {
            let message =
                format!("whether {name} admits namespace {namespace:?} is up to its labels");
            (!elsewhere, Reason::Forbidden, message)
        }
    };
    let list = if denied {
        &mut found.errors
    } else {
        &mut found.warnings
    };
    list.push(FieldError::new(field, reason, message));
    None
}

/// Tokens that rotate cannot travel in environment variables, which is where the
/// runtimes that we know look for a key.
fn reaching(
    request: &WireRequest<'_>,
    target: Target,
    field: &str,
    found: &mut Findings,
) -> Option<Target> {
    let known = match &request.wants {
        Wants::Agent { runtime, .. } => Some(format!("{runtime:?}")),
        Wants::Annotated => {
            let labels = Node::root(request.pod).get("metadata").get("labels");
            labels.entry(keys::RUNTIME).text().map(str::to_owned)
        }
    };
    if tokens::are_wanted(&target)
        && let Some(runtime) = known.filter(|name| name != CUSTOM)
    {
        let message = no_tokens(&runtime);
        found
            .errors
            .push(FieldError::new(field, Reason::NotSupported, message));
        return None;
    }
    Some(target)
}

/// Why a runtime cannot call a target with `auth.mode: serviceAccount`.
pub(crate) fn no_tokens(runtime: &str) -> String {
    format!(
        "wants tokens of ServiceAccounts (auth.mode serviceAccount), and {runtime} cannot read \
         one from a file: use a target with auth.mode apikey"
    )
}

fn apply(
    pod: &Value,
    wiring: &Wiring,
    lookup: &dyn Lookup,
    namespace: &str,
    found: &mut Findings,
) -> Value {
    let mut pod = pod.clone();
    let mounts = wiring.mounts();
    // Init containers too: native sidecars are among them, and a step that calls
    // a model before the start must not walk around the gateway either.
    for list in ["initContainers", "containers"] {
        let path = format!("spec.{list}");
        let containers = pod
            .pointer_mut(&format!("/spec/{list}"))
            .and_then(Value::as_array_mut);
        for (index, container) in containers.into_iter().flatten().enumerate() {
            let path = format!("{path}[{index}]");
            container::wire(container, &path, wiring, &mounts, found);
            if wiring.gateway.is_some() {
                let given = |key: &str| wiring.env.iter().any(|variable| variable.name == key);
                container::warn_of_imported_keys(
                    container, &path, &given, lookup, namespace, found,
                );
            }
        }
    }
    for mount in &mounts {
        mount.add_volume(&mut pod, found);
    }
    annotate(&mut pod, wiring);
    runtime_files(&pod, found);
    pod
}

fn annotate(pod: &mut Value, wiring: &Wiring) {
    let Some(pod) = pod.as_object_mut() else {
        return;
    };
    let metadata = pod.entry("metadata").or_insert_with(|| json!({}));
    let Some(metadata) = metadata.as_object_mut() else {
        return;
    };
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if annotations.is_null() {
        *annotations = json!({});
    }
    let Some(annotations) = annotations.as_object_mut() else {
        return;
    };
    if let Some(text) = &wiring.mcp_json {
        annotations.insert(keys::MCP_JSON.to_owned(), json!(text));
    }
    annotations.insert(keys::WIRED_BY.to_owned(), json!(wiring.wired_by()));
    annotations.insert(keys::WIRED_HASH.to_owned(), json!(wiring.hash()));
}

/// The place where a runtime's own files will be projected.
fn runtime_files(pod: &Value, found: &mut Findings) {
    let labels = Node::root(pod).get("metadata").get("labels");
    let label = labels.entry(keys::RUNTIME);
    if label.is_set() {
        let message = "a runtime's own files are not written yet: only env and mcp.json are";
        found.warn(&label, Reason::NotSupported, message);
    }
}

#[cfg(test)]
mod tests;
