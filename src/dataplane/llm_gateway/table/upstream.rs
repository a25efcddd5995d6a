//! One upstream of a compiled plan, and what is kept of its models.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use agentkube_llm::Profile;
use agentkube_plan::{GatewayPlan, GatewayUpstream, ModelPattern, Provider};
use http::HeaderValue;

use crate::llm_gateway::credential::Key;
use crate::llm_gateway::dial::Dial;
use crate::llm_gateway::discovery::Discovered;
use crate::llm_gateway::health::Health;
use crate::llm_gateway::load::EngineLoad;
use crate::llm_gateway::locate::Addresses;
use crate::llm_gateway::metrics::{GatewayMetrics, ModelMetrics};
use crate::source::{Loaded, SecretValue};
use crate::upstream::Breaker;

/// One upstream and what is known of it.
pub(in crate::llm_gateway) struct Upstream<C> {
    pub(in crate::llm_gateway) spec: GatewayUpstream,
    pub(in crate::llm_gateway) name: HeaderValue,
    pub(in crate::llm_gateway) priority: u32,
    pub(in crate::llm_gateway) weight: u32,
    pub(in crate::llm_gateway) profile: &'static Profile,
    pub(in crate::llm_gateway) addresses: Addresses,
    pub(in crate::llm_gateway) key: Key,
    /// What the key was made of, in the order of the plan.
    values: Vec<Option<Arc<SecretValue>>>,
    pub(in crate::llm_gateway) client: C,
    pub(in crate::llm_gateway) health: Arc<Health>,
    pub(in crate::llm_gateway) engine: Arc<EngineLoad>,
    slots: Vec<Arc<Slot>>,
    /// For models that it may serve, where only it knows.
    any: Option<Arc<Slot>>,
    /// What it serves is known.
    listed: bool,
}

/// What is kept of one model pattern at one upstream.
pub(in crate::llm_gateway) struct Slot {
    pub(in crate::llm_gateway) pattern: ModelPattern,
    pub(in crate::llm_gateway) breaker: Arc<Breaker>,
    pub(in crate::llm_gateway) metrics: ModelMetrics,
    /// Attempts under way, also those that began under an earlier plan.
    pending: Arc<AtomicU32>,
}

/// One upstream that serves a model.
pub(in crate::llm_gateway) struct Candidate<C> {
    pub(in crate::llm_gateway) upstream: Arc<Upstream<C>>,
    pub(in crate::llm_gateway) slot: Arc<Slot>,
    /// What this upstream calls the model.
    pub(in crate::llm_gateway) model: Arc<str>,
}

impl<C: Clone> Upstream<C> {
    pub(super) fn new<D: Dial<Client = C>>(
        spec: &GatewayUpstream,
        discovered: &Discovered,
        loaded: &Loaded<GatewayPlan>,
        known: Option<&Self>,
        dial: &D,
        metrics: &GatewayMetrics,
    ) -> Option<Self> {
        // Plan::check refused what is not a URL, and the profiles cover every
        // provider of the plan.
        let profile = match spec.api_version {
            Some(_) => Profile::azure_deployments(),
            None => Profile::of(spec.provider.as_str())?,
        };
        let version = spec.api_version.as_deref();
        let addresses = Addresses::new(&spec.base_url, profile, version)?;
        let known = known.filter(|known| same_place(&known.spec, spec));
        let entries = spec.credentials.secrets();
        let values: Vec<_> = entries.map(|it| loaded.secrets.get(it).cloned()).collect();
        let same =
            |known: &&Self| known.spec.credentials == spec.credentials && known.values == values;
        let key = known.filter(same).map_or_else(
            || Key::of(spec, profile, &loaded.secrets, dial),
            // With the tokens that it has.
            |known| known.key.clone(),
        );
        let slot = |pattern: &ModelPattern| {
            let known = known.and_then(|known| known.slot(pattern));
            Arc::new(Slot::new(pattern, spec, loaded, known, metrics))
        };
        let asked = spec.models.is_empty();
        Some(Self {
            name: header(&spec.name),
            priority: spec.priority,
            weight: spec.weight,
            profile,
            addresses,
            key,
            values,
            client: known.map_or_else(
                || dial.client(spec.timeouts.connect),
                |known| known.client.clone(),
            ),
            health: known
                .map(|known| Arc::clone(&known.health))
                .unwrap_or_default(),
            engine: known
                .map(|known| Arc::clone(&known.engine))
                .unwrap_or_default(),
            slots: discovered.models(spec).iter().map(slot).collect(),
            any: asked.then(|| slot(&ModelPattern::Prefix(String::new()))),
            listed: !asked || discovered.said(spec),
            spec: spec.clone(),
        })
    }

    fn slot(&self, pattern: &ModelPattern) -> Option<&Slot> {
        let mut slots = self.slots.iter().chain(&self.any);
        slots.find(|slot| slot.pattern == *pattern).map(Arc::as_ref)
    }

    pub(super) fn candidate(this: &Arc<Self>, model: &str) -> Option<Candidate<C>> {
        // "The tag is optional, and if not provided will default to latest."
        let untagged = this.spec.provider == Provider::Ollama && !model.contains(':');
        let is =
            |name: &str| name == model || (untagged && name.strip_suffix(":latest") == Some(model));
        let exact = |slot: &&Arc<Slot>| matches!(&slot.pattern, ModelPattern::Exact(m) if is(m));
        let slot = this
            .slots
            .iter()
            .find(exact)
            .or_else(|| this.slots.iter().find(|slot| slot.pattern.matches(model)))?;
        Some(Self::by(this, slot, model))
    }

    /// A model that the plan names and nobody is known to serve. Where an upstream
    /// says itself what it serves, only that one can tell.
    pub(super) fn hoped(this: &Arc<Self>, model: &str) -> Option<Candidate<C>> {
        let slot = this.any.as_ref()?;
        Some(Self::by(this, slot, model))
    }

    fn by(this: &Arc<Self>, slot: &Arc<Slot>, model: &str) -> Candidate<C> {
        let own = this.spec.model_names.get(model);
        Candidate {
            upstream: Arc::clone(this),
            slot: Arc::clone(slot),
            model: own.map_or(model, String::as_str).into(),
        }
    }
}

/// True when what was learned of one still holds for the other.
fn same_place(a: &GatewayUpstream, b: &GatewayUpstream) -> bool {
    a.provider == b.provider && a.base_url == b.base_url && a.timeouts.connect == b.timeouts.connect
}

impl<C> Upstream<C> {
    /// False while nobody knows what it serves.
    pub(super) fn is_listed(&self) -> bool {
        self.listed
    }

    /// What it said it serves, where the spec does not say.
    pub(in crate::llm_gateway) fn discovered(&self) -> impl Iterator<Item = &str> {
        let asked = self.spec.models.is_empty();
        self.exact_names().filter(move |_| asked)
    }

    pub(super) fn exact_names(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().filter_map(|slot| match &slot.pattern {
            ModelPattern::Exact(name) => Some(name.as_str()),
            ModelPattern::Prefix(_) => None,
        })
    }
}

impl Slot {
    /// What an earlier plan kept of the same one is taken over.
    fn new(
        pattern: &ModelPattern,
        spec: &GatewayUpstream,
        loaded: &Loaded<GatewayPlan>,
        known: Option<&Self>,
        metrics: &GatewayMetrics,
    ) -> Self {
        let limits = loaded.plan.routing.breaker;
        let same = known.filter(|known| *known.breaker.limits() == limits);
        let name = String::from(pattern.clone());
        Self {
            pattern: pattern.clone(),
            breaker: same.map_or_else(
                || Arc::new(Breaker::new(limits)),
                |known| Arc::clone(&known.breaker),
            ),
            metrics: metrics.model(&loaded.plan.object, &spec.name, &name),
            pending: known
                .map(|known| Arc::clone(&known.pending))
                .unwrap_or_default(),
        }
    }

    /// An attempt begins.
    pub(in crate::llm_gateway) fn enter(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
    }

    /// An attempt is over.
    pub(in crate::llm_gateway) fn leave(&self) {
        self.pending.fetch_sub(1, Ordering::Relaxed);
    }

    pub(in crate::llm_gateway) fn pending(&self) -> u32 {
        self.pending.load(Ordering::Relaxed)
    }
}

pub(super) fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("?"))
}
