//! A plan made ready for requests: what takes time is done once a plan, not once
//! a request.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use agentkube_llm::Profile;
use agentkube_plan::{GatewayPlan, GatewayUpstream, ModelPattern, UnknownModel};
use http::HeaderValue;

use super::credential::Key;
use super::dial::Dial;
use super::discovery::Discovered;
use super::health::Health;
use super::load::EngineLoad;
use super::locate::Addresses;
use super::metrics::{GatewayMetrics, ModelMetrics};
use crate::source::{Loaded, SecretValue};
use crate::upstream::Breaker;

/// A compiled plan.
pub(super) struct Table<C> {
    pub(super) loaded: Arc<Loaded<GatewayPlan>>,
    pub(super) upstreams: Vec<Arc<Upstream<C>>>,
    /// Names that are served exactly.
    exact: BTreeMap<String, Arc<ModelRoute<C>>>,
    /// `from` exact → its place among the aliases and where it leads.
    alias_names: HashMap<String, (usize, Arc<ModelRoute<C>>)>,
    /// `from` a prefix, with its place among the aliases.
    alias_prefixes: Vec<(usize, String, Arc<ModelRoute<C>>)>,
}

/// One upstream and what is known of it.
pub(super) struct Upstream<C> {
    pub(super) spec: GatewayUpstream,
    pub(super) name: HeaderValue,
    pub(super) priority: u32,
    pub(super) weight: u32,
    pub(super) profile: &'static Profile,
    pub(super) addresses: Addresses,
    pub(super) key: Key,
    /// What the key was made of, in the order of the plan.
    values: Vec<Option<Arc<SecretValue>>>,
    pub(super) client: C,
    pub(super) health: Arc<Health>,
    pub(super) engine: Arc<EngineLoad>,
    slots: Vec<Arc<Slot>>,
}

/// What is kept of one model pattern at one upstream.
pub(super) struct Slot {
    pub(super) pattern: ModelPattern,
    pub(super) breaker: Arc<Breaker>,
    pub(super) metrics: ModelMetrics,
    /// Attempts under way, also those that began under an earlier plan.
    pending: Arc<AtomicU32>,
}

/// A served model and who serves it, sorted by priority, then in the order of the
/// spec. In which dialect does not matter here: what differs is translated.
pub(super) struct ModelRoute<C> {
    pub(super) model: Arc<str>,
    pub(super) header: HeaderValue,
    candidates: Vec<Candidate<C>>,
}

/// One upstream that serves a model.
pub(super) struct Candidate<C> {
    pub(super) upstream: Arc<Upstream<C>>,
    pub(super) slot: Arc<Slot>,
    /// What this upstream calls the model.
    pub(super) model: Arc<str>,
}

/// What a request's model name leads to.
pub(super) enum Lookup<C> {
    Found(Arc<ModelRoute<C>>),
    /// The request names none, and there is no default.
    NoneNamed,
    Unknown,
}

impl<C: Clone> Table<C> {
    /// Compiles a plan. What an upstream has learned (its pool, its breakers, its
    /// health) is taken over from `previous` where the upstream is the same.
    pub(super) fn compile<D: Dial<Client = C>>(
        loaded: Arc<Loaded<GatewayPlan>>,
        discovered: &Discovered,
        previous: Option<&Self>,
        dial: &D,
        metrics: &GatewayMetrics,
    ) -> Self {
        let upstreams: Vec<_> = loaded
            .plan
            .upstreams
            .iter()
            .filter_map(|spec| {
                let known = previous.and_then(|table| table.upstream(&spec.name));
                let models = discovered.models(spec);
                Upstream::new(spec, models, &loaded, known, dial, metrics).map(Arc::new)
            })
            .collect();
        let mut table = Self {
            loaded: Arc::clone(&loaded),
            upstreams,
            exact: BTreeMap::new(),
            alias_names: HashMap::new(),
            alias_prefixes: Vec::new(),
        };
        table.add_exact_names();
        table.add_aliases();
        table
    }

    fn upstream(&self, name: &str) -> Option<&Upstream<C>> {
        self.upstreams
            .iter()
            .map(Arc::as_ref)
            .find(|upstream| upstream.spec.name == name)
    }

    fn add_exact_names(&mut self) {
        let served = self.upstreams.iter().flat_map(|u| u.exact_names());
        let names: Vec<String> = served.map(str::to_owned).collect();
        for name in names {
            if let Some(route) = self.serve(&name, None) {
                self.exact.insert(name, Arc::new(route));
            }
        }
    }

    fn add_aliases(&mut self) {
        let loaded = Arc::clone(&self.loaded);
        for (place, alias) in loaded.plan.routing.aliases.iter().enumerate() {
            // Admission saw to it that `to` is served; where a discovering
            // upstream has to, the route is found at the request.
            let Some(route) = self.serve(&alias.to, alias.upstream.as_deref()) else {
                continue;
            };
            let route = Arc::new(route);
            match &alias.from {
                ModelPattern::Exact(from) => {
                    let from = self.alias_names.entry(from.clone());
                    from.or_insert((place, route));
                }
                ModelPattern::Prefix(from) => {
                    self.alias_prefixes.push((place, from.clone(), route));
                }
            }
        }
    }

    /// Who serves this name, aliases aside.
    fn serve(&self, model: &str, only: Option<&str>) -> Option<ModelRoute<C>> {
        let mut candidates: Vec<_> = self
            .upstreams
            .iter()
            .filter(|upstream| only.is_none_or(|only| upstream.spec.name == only))
            .filter_map(|upstream| Upstream::candidate(upstream, model))
            .collect();
        if candidates.is_empty() {
            return None;
        }
        candidates.sort_by_key(|candidate| candidate.upstream.priority);
        Some(ModelRoute {
            model: model.into(),
            header: header(model),
            candidates,
        })
    }

    /// Where a request goes that names this model, or none.
    pub(super) fn lookup(&self, model: Option<&str>) -> Lookup<C> {
        let routing = &self.loaded.plan.routing;
        let default = || routing.default_model.as_deref().and_then(|m| self.find(m));
        let Some(model) = model else {
            return default().map_or(Lookup::NoneNamed, Lookup::Found);
        };
        if let Some(route) = self.find(model) {
            return Lookup::Found(route);
        }
        match routing.unknown_model {
            UnknownModel::Reject => Lookup::Unknown,
            UnknownModel::Default => default().map_or(Lookup::Unknown, Lookup::Found),
        }
    }

    /// The first alias that matches, else who serves this name.
    pub(super) fn find(&self, model: &str) -> Option<Arc<ModelRoute<C>>> {
        let named = self.alias_names.get(model);
        let before = named.map_or(usize::MAX, |(place, _)| *place);
        let prefixed = self
            .alias_prefixes
            .iter()
            .take_while(|(place, ..)| *place < before)
            .find(|(_, prefix, _)| model.starts_with(prefix));
        if let Some((_, _, route)) = prefixed {
            return Some(Arc::clone(route));
        }
        if let Some((_, route)) = named {
            return Some(Arc::clone(route));
        }
        if let Some(route) = self.exact.get(model) {
            return Some(Arc::clone(route));
        }
        self.serve(model, None).map(Arc::new)
    }

    /// The names that clients may use, globs aside: served models, then aliases.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &ModelRoute<C>)> + Clone {
        let aliases = &self.loaded.plan.routing.aliases;
        let aliased = aliases.iter().filter_map(|alias| match &alias.from {
            ModelPattern::Exact(from) => {
                let (_, route) = self.alias_names.get(from)?;
                Some((from.as_str(), route.as_ref()))
            }
            ModelPattern::Prefix(_) => None,
        });
        self.exact
            .iter()
            .map(|(name, route)| (name.as_str(), route.as_ref()))
            .chain(aliased)
    }
}

impl<C: Clone> Upstream<C> {
    fn new<D: Dial<Client = C>>(
        spec: &GatewayUpstream,
        models: &[ModelPattern],
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
        let slots = models.iter().map(|pattern| {
            let breaker = known.and_then(|known| known.breaker(pattern, loaded));
            Arc::new(Slot {
                pattern: pattern.clone(),
                breaker: breaker
                    .unwrap_or_else(|| Arc::new(Breaker::new(loaded.plan.routing.breaker))),
                metrics: metrics.model(
                    &loaded.plan.object,
                    &spec.name,
                    &String::from(pattern.clone()),
                ),
                pending: known
                    .and_then(|known| known.slots.iter().find(|slot| slot.pattern == *pattern))
                    .map(|slot| Arc::clone(&slot.pending))
                    .unwrap_or_default(),
            })
        });
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
            slots: slots.collect(),
            spec: spec.clone(),
        })
    }

    fn breaker(
        &self,
        pattern: &ModelPattern,
        loaded: &Loaded<GatewayPlan>,
    ) -> Option<Arc<Breaker>> {
        let slot = self.slots.iter().find(|slot| slot.pattern == *pattern)?;
        let same = *slot.breaker.limits() == loaded.plan.routing.breaker;
        same.then(|| Arc::clone(&slot.breaker))
    }

    fn candidate(this: &Arc<Self>, model: &str) -> Option<Candidate<C>> {
        let exact =
            |slot: &&Arc<Slot>| matches!(&slot.pattern, ModelPattern::Exact(m) if m == model);
        let slot = this
            .slots
            .iter()
            .find(exact)
            .or_else(|| this.slots.iter().find(|slot| slot.pattern.matches(model)))?;
        let own = this
            .spec
            .model_names
            .get(model)
            .map_or(model, String::as_str);
        Some(Candidate {
            upstream: Arc::clone(this),
            slot: Arc::clone(slot),
            model: own.into(),
        })
    }
}

/// True when what was learned of one still holds for the other.
fn same_place(a: &GatewayUpstream, b: &GatewayUpstream) -> bool {
    a.provider == b.provider && a.base_url == b.base_url && a.timeouts.connect == b.timeouts.connect
}

impl<C> Upstream<C> {
    /// What it said it serves, where the spec does not say.
    pub(super) fn discovered(&self) -> impl Iterator<Item = &str> {
        let asked = self.spec.models.is_empty();
        self.exact_names().filter(move |_| asked)
    }

    fn exact_names(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().filter_map(|slot| match &slot.pattern {
            ModelPattern::Exact(name) => Some(name.as_str()),
            ModelPattern::Prefix(_) => None,
        })
    }
}

impl Slot {
    /// An attempt begins.
    pub(super) fn enter(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
    }

    /// An attempt is over.
    pub(super) fn leave(&self) {
        self.pending.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn pending(&self) -> u32 {
        self.pending.load(Ordering::Relaxed)
    }
}

impl<C> ModelRoute<C> {
    /// Who serves it; never empty.
    pub(super) fn candidates(&self) -> &[Candidate<C>] {
        &self.candidates
    }

    /// The upstream that is named as the model's owner in lists.
    pub(super) fn owner(&self) -> &str {
        let first = self.candidates.first();
        first.map_or("", |candidate| candidate.upstream.spec.name.as_str())
    }
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("?"))
}
