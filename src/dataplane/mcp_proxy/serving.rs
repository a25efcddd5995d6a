//! What is being served: a plan with the upstreams that live through it.

use std::borrow::Cow;
use std::sync::Arc;

use agentkube_mcp::seal::Sealer;
use agentkube_mcp::session::Fingerprint;
use agentkube_mcp::{Access, json};
use agentkube_plan::ProxyPlan;
use tracing::warn;

use super::ProxyParts;
use super::guard::Guard;
use super::sessions::{Live, Sessions};
use super::upstream::{Upstream, Withheld, access};
use crate::source::{Loaded, SecretValue};

/// One loaded plan, ready to serve.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) loaded: Arc<Loaded<ProxyPlan>>,
    pub(super) upstreams: Vec<Arc<Upstream>>,
    pub(super) guard: Guard,
    pub(super) access: Access,
    /// Who the proxy is, as JSON text, to both sides.
    pub(super) info: Arc<str>,
    /// Seals what clients carry for us.
    pub(super) sealer: Arc<Sealer>,
    /// What is cut out of everything that upstreams say.
    pub(super) withheld: Withheld,
}

impl Serving {
    /// Serves this plan. Upstreams that did not change are taken over from what
    /// was served before, with their sessions and lists.
    pub(super) fn new(
        loaded: Arc<Loaded<ProxyPlan>>,
        before: Option<&Self>,
        parts: &ProxyParts,
        own_key: &[u8],
    ) -> Self {
        let plan = &loaded.plan;
        let info: Arc<str> = info(plan).into();
        let upstreams = plan.upstreams.iter().map(|config| {
            let kept = before
                .into_iter()
                .flat_map(|before| &before.upstreams)
                .find(|upstream| upstream.serves(plan, config, &loaded.secrets));
            if let Some(kept) = kept {
                kept.pin(&config.pins);
            }
            kept.map_or_else(
                || {
                    Arc::new(Upstream::new(
                        plan,
                        config,
                        &loaded.secrets,
                        parts,
                        Arc::clone(&info),
                    ))
                },
                Arc::clone,
            )
        });
        let upstreams: Vec<_> = upstreams.collect();
        Self {
            withheld: Withheld::of(&upstreams),
            upstreams,
            guard: Guard::new(&plan.hosts),
            access: access(&plan.access),
            info,
            sealer: Arc::new(sealer(&loaded, own_key)),
            loaded,
        }
    }

    /// True when another plan is the same to this client: what it opened under one
    /// goes on under the other.
    pub(super) fn is_same_for(&self, client: &str, other: &Self) -> bool {
        let upstreams = self.upstreams.iter().zip(&other.upstreams);
        self.upstreams.len() == other.upstreams.len()
            && upstreams
                .into_iter()
                .all(|(one, two)| Arc::ptr_eq(one, two))
            && self.loaded.plan.access == other.loaded.plan.access
            && self.session_keys() == other.session_keys()
            && self
                .loaded
                .clients
                .is_same_for(client, &other.loaded.clients)
    }

    fn session_keys(&self) -> Option<[Option<&Arc<SecretValue>>; 2]> {
        let keys = self.loaded.plan.session_keys.as_ref()?;
        Some([&keys.current, &keys.previous].map(|key| self.loaded.secrets.get(key)))
    }

    /// Ends the sessions of clients with upstreams that are not served any more.
    pub(super) fn end_gone(&self, next: &Self, sessions: &Sessions) {
        let gone = self.upstreams.iter();
        for upstream in gone.filter(|it| next.upstream(it.fingerprint).is_none()) {
            for link in sessions.unlink(upstream.fingerprint) {
                upstream.end_link(&link);
            }
        }
    }

    /// Ends the sessions with upstreams that belong to this one.
    pub(super) fn end_links(&self, live: &Live) {
        for upstream in &self.upstreams {
            if let Some(link) = live.linked(upstream.fingerprint) {
                upstream.end_link(&link);
            }
        }
    }

    /// The upstream of this fingerprint.
    pub(super) fn upstream(&self, fingerprint: Fingerprint) -> Option<&Arc<Upstream>> {
        let mut upstreams = self.upstreams.iter();
        upstreams.find(|upstream| upstream.fingerprint == fingerprint)
    }

    /// A message without the credentials of any upstream.
    pub(super) fn redact<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        self.withheld.redact(text)
    }

    /// True when some tools may be there that a caller must not learn of.
    pub(super) fn hides_tools(&self) -> bool {
        let upstreams = &mut self.upstreams.iter();
        !self.access.is_open()
            || upstreams.any(|upstream| upstream.surface.hides_tools() || upstream.may_block())
    }

    /// The only upstream, when names pass through it as they are: nothing needs
    /// to be looked up to know where a request goes.
    pub(super) fn only(&self) -> Option<&Arc<Upstream>> {
        match self.upstreams.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// A sealer with the keys of the plan's Secret. Without them the process seals
/// with a key of its own: no other replica opens that.
fn sealer(loaded: &Loaded<ProxyPlan>, own_key: &[u8]) -> Sealer {
    let keys = loaded.plan.session_keys.as_ref();
    let current = keys.and_then(|keys| loaded.secrets.get(&keys.current));
    let others = keys.iter().flat_map(|keys| keys.opening());
    let others = others.filter_map(|entry| loaded.secrets.get(entry));
    let others: Vec<&[u8]> = others.map(|secret| secret.expose()).collect();
    let sealer = current.and_then(|current| Sealer::new(current.expose(), others));
    if sealer.is_none() && keys.is_some() {
        warn!(object = %loaded.plan.object, "no session key: sessions stay with this process");
    }
    sealer
        .or_else(|| Sealer::new(own_key, None))
        .unwrap_or_else(Sealer::closed)
}

fn info(plan: &ProxyPlan) -> String {
    let title = json::quote(&plan.object.to_string());
    let version = env!("CARGO_PKG_VERSION");
    format!("{{\"name\":\"agentkube\",\"title\":{title},\"version\":\"{version}\"}}")
}
