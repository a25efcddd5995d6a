//! The way to an upstream, whatever kind it is of.

use std::collections::BTreeMap;

use agentkube_plan::{ChildVariable, ProxyPlan, ProxyUpstream, UpstreamKind};
use http::Uri;
use secrecy::SecretString;

use super::ProxyParts;
use crate::source::Secrets;
use crate::stdio::{Inherit, Launch, Shim};
use crate::upstream::{Local, UpstreamClient};

/// Where requests go when there is no host.
const PROGRAM: &str = "http://program.invalid/mcp";

/// How an upstream is reached.
pub(super) struct Reach {
    pub(super) client: UpstreamClient,
    pub(super) uri: Uri,
    /// Why there is nothing to be reached.
    pub(super) absent: Option<String>,
}

impl Reach {
    pub(super) fn new(
        plan: &ProxyPlan,
        config: &ProxyUpstream,
        secrets: &Secrets,
        parts: &ProxyParts,
    ) -> Self {
        let local = |server| Self {
            client: UpstreamClient::local(server),
            uri: Uri::from_static(PROGRAM),
            absent: None,
        };
        let net = |endpoint: &str, absent| Self {
            client: UpstreamClient::new(&parts.roots, config.timeouts.connect),
            // A plan whose endpoint is no URL is not loaded (`Plan::check`).
            uri: endpoint
                .parse()
                .unwrap_or_else(|_| Uri::from_static(PROGRAM)),
            absent,
        };
        match &config.kind {
            UpstreamKind::Absent { reason } => net("", Some(reason.clone())),
            UpstreamKind::Child { command, env } => {
                let launch = Launch {
                    name: config.name.clone(),
                    command: command.clone(),
                    inherit: Inherit::Basics,
                    env: environment(env, secrets),
                    message_bytes: usize::try_from(plan.limits.message_bytes).unwrap_or(usize::MAX),
                    idle: plan.limits.session_idle,
                };
                local(Local::Shim(Shim::new(launch, &parts.programs)))
            }
            UpstreamKind::Http { endpoint, .. } => net(endpoint, None),
            UpstreamKind::Socket { path } => local(Local::Socket(path.into())),
        }
    }
}

/// Without the variables whose Secrets are missing: the program is not started
/// then, unless they are optional.
fn environment(env: &[ChildVariable], secrets: &Secrets) -> BTreeMap<String, SecretString> {
    let variables = env.iter().filter_map(|variable| match variable {
        ChildVariable::Text { name, value } => Some((name.clone(), value.clone().into())),
        ChildVariable::Secret { name, secret, .. } => {
            let value = secrets.get(secret)?;
            let text = String::from_utf8_lossy(value.expose()).into_owned();
            Some((name.clone(), text.into()))
        }
    });
    variables.collect()
}
