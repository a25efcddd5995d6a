//! From manifests to what is to be served: load, judge, resolve.

use std::fmt;
use std::path::PathBuf;

use agentkube_crds::{FieldError, Kind, LLMGateway, MCP};
use agentkube_dataplane::source::{Plan as _, Secrets};
use agentkube_operator::resolve::{self, Hops};
use agentkube_plan::{ClientAuth, GatewayPlan, ProxyPlan, SecretEntry};
use agentkube_webhooks::admit::Mode;

use super::admission;
use super::clients::Clients;
use super::pins::{Pinning, WithPins};
use super::report::Reporter;
use super::secrets::{SecretFlag, SecretValues};
use super::state::StateDir;
use crate::cli::manifest::{Manifest, Unreadable, load};
use crate::cli::offline::{Judged, Offline};

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}/{}",
            self.kind.singular(),
            self.namespace,
            self.name
        )
    }
}

/// One object that is to be served.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Desired {
    pub(super) identity: Identity,
    pub(super) port: u16,
    pub(super) plan: Plan,
    pub(super) clients: Clients,
    pub(super) secrets: Secrets,
    /// Set for an MCP whose tools are pinned.
    pub(super) pinning: Option<Pinning>,
}

/// The plan where one process is all there is, however many replicas a cluster would
/// have.
fn in_one_process(plan: ProxyPlan) -> ProxyPlan {
    ProxyPlan {
        alone: true,
        peers: Vec::new(),
        ..plan
    }
}

/// The plan of either plane.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plan {
    Gateway(GatewayPlan),
    Proxy(ProxyPlan),
}

/// Manifests that passed admission. Other pins are resolved with these, whatever
/// the files have become since.
pub(super) struct Loaded {
    offline: Offline,
    manifests: Vec<Manifest>,
    values: SecretValues,
}

impl Loaded {
    /// Reads the manifests and prints what admission says.
    ///
    /// # Errors
    /// When a file cannot be read or an object is denied.
    pub(super) fn read(
        paths: &[PathBuf],
        flags: &[SecretFlag],
        report: &Reporter,
    ) -> Result<Self, String> {
        let manifests = load(paths).map_err(|found| unreadable(&found))?;
        let values = SecretValues::gather(&manifests, flags)?;
        let offline = Offline::judge(manifests, flags, Mode::Local);
        admission::answer(&offline, report)?;
        let manifests = offline.judged.iter();
        let manifests = manifests.map(|judged| judged.manifest.clone()).collect();
        Ok(Self {
            offline,
            manifests,
            values,
        })
    }

    /// Resolves them, with what the state directory holds.
    ///
    /// # Errors
    /// When an object cannot be resolved, or there is nothing to serve.
    pub(super) fn desired(&self, state: &StateDir) -> Result<Vec<Desired>, String> {
        let context = Context {
            offline: &self.offline,
            manifests: &self.manifests,
            values: &self.values,
            state,
        };
        let mut desired = Vec::new();
        for judged in &self.offline.judged {
            desired.extend(context.one(judged)?);
        }
        if desired.is_empty() {
            return Err("nothing to serve: no LLMGateway and no MCP in these files".to_owned());
        }
        Ok(desired)
    }
}

struct Context<'a> {
    offline: &'a Offline,
    manifests: &'a [Manifest],
    values: &'a SecretValues,
    state: &'a StateDir,
}

impl Context<'_> {
    /// What is to be served of one object; nothing for the kinds that `run` does
    /// not serve.
    fn one(&self, judged: &Judged) -> Result<Option<Desired>, String> {
        let Some(kind) = judged.kind else {
            return Ok(None);
        };
        let identity = Identity {
            kind,
            namespace: judged.manifest.namespace().to_owned(),
            name: judged.manifest.name().to_owned(),
        };
        let index = &WithPins {
            index: &self.offline.index,
            state: self.state,
        };
        let mut pinning = None;
        let object = judged
            .verdict
            .object
            .as_ref()
            .unwrap_or(&judged.manifest.object);
        let (port, plan) = match kind {
            Kind::LLMGateway => {
                let checked = LLMGateway::read(object).map_err(|error| vec![error]);
                let checked = checked.and_then(|gateway| gateway.parse());
                let checked = checked.map_err(|errors| refused(&identity, &errors))?;
                (
                    checked.port,
                    Plan::Gateway(resolve::gateway(&checked, index).plan),
                )
            }
            Kind::MCP => {
                let mcp = MCP::read(object).map_err(|error| refused(&identity, &[error]));
                let mut mcp = mcp?;
                // `MCP::read` gives the namespace that the manifest has, or none.
                mcp.metadata.namespace = Some(identity.namespace.clone());
                pinning = Pinning::of(self.state, &mut mcp)
                    .map_err(|error| format!("{identity}: {error}"))?;
                let checked = mcp.parse();
                let checked = checked.map_err(|errors| refused(&identity, &errors))?;
                let plan = resolve::mcp(&checked, index, Hops::Flattened).plan;
                (checked.port, Plan::Proxy(in_one_process(plan)))
            }
            Kind::Agent | Kind::AgentPolicy => return Ok(None),
        };
        let sessions = self.session_keys(&identity, &plan)?;
        let (auth, entries) = match &plan {
            Plan::Gateway(plan) => (plan.auth(), plan.secrets()),
            Plan::Proxy(plan) => (plan.auth(), plan.secrets()),
        };
        let mut secrets = self.secrets(&identity.namespace, &entries);
        if let Some((entry, key)) = sessions {
            secrets.insert(entry, key);
        }
        let clients = self.clients(&identity, auth)?;
        Ok(Some(Desired {
            identity,
            port,
            plan,
            clients,
            secrets,
            pinning,
        }))
    }

    /// Where a proxy finds the key of its sessions, and that key.
    fn session_keys(
        &self,
        identity: &Identity,
        plan: &Plan,
    ) -> Result<Option<(SecretEntry, String)>, String> {
        let Plan::Proxy(plan) = plan else {
            return Ok(None);
        };
        let Some(keys) = &plan.session_keys else {
            return Ok(None);
        };
        let key = self.state.session_key(&identity.namespace, &identity.name);
        let key = key.map_err(|error| format!("the session key of {identity}: {error}"))?;
        Ok(Some((keys.current.clone(), key)))
    }

    fn secrets(&self, namespace: &str, entries: &[&SecretEntry]) -> Secrets {
        let mut secrets = Secrets::new();
        for entry in entries {
            // A Secret of another namespace is one of an MCP that is served too.
            let (namespace, name) = entry
                .name
                .split_once('/')
                .unwrap_or((namespace, &entry.name));
            let found = self.values.entries(namespace, name);
            if let Some(value) = found.and_then(|values| values.get(&entry.key)) {
                secrets.insert((*entry).clone(), value.clone());
            }
        }
        secrets
    }

    fn clients(&self, identity: &Identity, auth: ClientAuth) -> Result<Clients, String> {
        let Identity {
            kind,
            namespace,
            name,
        } = identity;
        match auth {
            ClientAuth::None => return Ok(Clients::default()),
            ClientAuth::Apikey => {}
            ClientAuth::ServiceAccount => {
                return Err(format!(
                    "{identity}: auth.mode serviceAccount needs a cluster, which issues the \
                     tokens: write apikey or none for `run`"
                ));
            }
        }
        let labelled = Clients::labelled(*kind, namespace, name, self.manifests, self.values);
        if labelled.is_named() {
            return Ok(labelled);
        }
        let key = self.state.local_key(kind.singular(), namespace, name);
        key.map(Clients::local)
            .map_err(|error| format!("the key of {identity}: {error}"))
    }
}

fn refused(identity: &Identity, errors: &[FieldError]) -> String {
    let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
    format!("{identity}: {}", all.join("; "))
}

fn unreadable(found: &[Unreadable]) -> String {
    let line = |it: &Unreadable| {
        let Unreadable {
            file,
            position,
            message,
        } = it;
        format!(
            "{}:{}:{}: {message}",
            file.display(),
            position.line,
            position.column
        )
    };
    found.iter().map(line).collect::<Vec<_>>().join("\nerror: ")
}
