//! A plan made ready for requests: what takes time is done once a plan, not once
//! a request.

mod upstream;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use agentkube_llm::ServedName;
use agentkube_plan::{GatewayPlan, ModelPattern, UnknownModel};
use http::HeaderValue;

use super::dial::Dial;
use super::discovery::Discovered;
use super::metrics::GatewayMetrics;
use crate::source::Loaded;
pub(super) use upstream::{Candidate, Slot, Upstream};

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

/// A served model and who serves it, sorted by priority, then in the order of the
/// spec. In which dialect does not matter here: what differs is translated.
pub(super) struct ModelRoute<C> {
    pub(super) model: Arc<str>,
    pub(super) header: HeaderValue,
    /// As answers name it.
    pub(super) name: ServedName,
    candidates: Vec<Candidate<C>>,
    /// False where the candidates only may serve it.
    known: bool,
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
                Upstream::new(spec, discovered, &loaded, known, dial, metrics).map(Arc::new)
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
            // Admission saw to it that `to` is served, or may be by an upstream that
            // says itself what it serves.
            let only = alias.upstream.as_deref();
            let route = self.serve(&alias.to, only);
            let Some(route) = route.or_else(|| self.hope(&alias.to, only, |_| true)) else {
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
        let upstreams = self.upstreams.iter();
        let upstreams = upstreams.filter(|it| only.is_none_or(|only| it.spec.name == only));
        let candidates = upstreams.filter_map(|it| Upstream::candidate(it, model));
        ModelRoute::new(model, candidates.collect(), true)
    }

    /// Who may serve a name that nobody is known to serve: those who say themselves
    /// what they serve.
    fn hope(
        &self,
        model: &str,
        only: Option<&str>,
        may: impl Fn(&Upstream<C>) -> bool,
    ) -> Option<ModelRoute<C>> {
        let upstreams = self.upstreams.iter();
        let upstreams = upstreams.filter(|it| only.is_none_or(|only| it.spec.name == only));
        let candidates = upstreams
            .filter(|it| may(it))
            .filter_map(|it| Upstream::hoped(it, model));
        ModelRoute::new(model, candidates.collect(), false)
    }

    /// Where a request goes that names this model, or none.
    pub(super) fn lookup(&self, model: Option<&str>) -> Lookup<C> {
        let routing = &self.loaded.plan.routing;
        let default = || {
            let model = routing.default_model.as_deref()?;
            let hoped = || self.hope(model, None, |_| true).map(Arc::new);
            self.find(model).or_else(hoped)
        };
        let Some(model) = model else {
            return default().map_or(Lookup::NoneNamed, Lookup::Found);
        };
        if let Some(route) = self.find(model) {
            return Lookup::Found(route);
        }
        match routing.unknown_model {
            // Before an upstream said what it serves, nobody knows what it does not.
            UnknownModel::Reject => {
                let hoped = self.hope(model, None, |upstream| !upstream.is_listed());
                hoped.map_or(Lookup::Unknown, |route| Lookup::Found(Arc::new(route)))
            }
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
            .filter(|(_, route)| route.known)
    }
}

impl<C> ModelRoute<C> {
    /// None without anybody to serve it.
    fn new(model: &str, mut candidates: Vec<Candidate<C>>, known: bool) -> Option<Self> {
        if candidates.is_empty() {
            return None;
        }
        candidates.sort_by_key(|candidate| candidate.upstream.priority);
        Some(Self {
            model: model.into(),
            header: upstream::header(model),
            name: ServedName::new(model),
            candidates,
            known,
        })
    }

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
