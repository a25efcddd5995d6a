//! Which models a gateway serves, and whether its routing names them.

use agentkube_crds::{Reason, nearest};

use super::Subject;
use crate::findings::Findings;
use crate::node::Node;

pub(super) fn check(subject: &Subject<'_>, out: &mut Findings) {
    let catalog = Catalog::of(subject);
    for alias in &catalog.aliases {
        alias_target(&catalog, alias, out);
    }
    shadowed(&catalog, out);
    default_model(subject, &catalog, out);
    prices(subject, &catalog, out);
    for upstream in &catalog.upstreams {
        model_names(upstream, out);
    }
    ambiguous_shares(&catalog, out);
}

/// What a gateway serves, by what its spec says.
pub(crate) struct Catalog<'a> {
    upstreams: Vec<Upstream<'a>>,
    aliases: Vec<Alias<'a>>,
}

struct Upstream<'a> {
    node: Node<'a>,
    name: &'a str,
    models: Vec<&'a str>,
    /// It is asked for its models, so any name may be one of them.
    discovers: bool,
}

struct Alias<'a> {
    node: Node<'a>,
    from: &'a str,
    to: &'a str,
    upstream: Option<&'a str>,
}

impl<'a> Catalog<'a> {
    fn of(subject: &Subject<'a>) -> Self {
        Self::read(&subject.spec())
    }

    pub(crate) fn read(spec: &Node<'a>) -> Self {
        let upstreams = spec.get("upstreams").items().map(|node| Upstream {
            name: node.get("name").text().unwrap_or_default(),
            models: node
                .get("models")
                .items()
                .filter_map(|model| model.text())
                .collect(),
            discovers: node.get("models").is_empty()
                && matches!(node.get("provider").text(), Some("ollama" | "vllm")),
            node,
        });
        let aliases = spec
            .get("routing")
            .get("modelMap")
            .items()
            .map(|node| Alias {
                from: node.get("from").text().unwrap_or_default(),
                to: node.get("to").text().unwrap_or_default(),
                upstream: node.get("upstream").text(),
                node,
            });
        let upstreams: Vec<_> = upstreams.collect();
        let aliases: Vec<_> = aliases.collect();
        Self { upstreams, aliases }
    }

    /// True when some upstream serves the model, or may.
    fn serves(&self, model: &str) -> bool {
        self.upstreams.iter().any(|upstream| upstream.serves(model))
    }

    fn alias(&self, model: &str) -> Option<&Alias<'a>> {
        self.aliases.iter().find(|alias| covers(alias.from, model))
    }

    /// True when a client may ask for this name.
    pub(crate) fn resolves(&self, model: &str) -> bool {
        self.serves(model) || self.alias(model).is_some()
    }

    /// The nearest of the names that a client may ask for.
    pub(crate) fn suggestion(&self, model: &str) -> Option<String> {
        let served = self
            .upstreams
            .iter()
            .flat_map(|upstream| upstream.models.iter().copied());
        let aliases = self.aliases.iter().map(|alias| alias.from);
        near(model, served.chain(aliases))
    }
}

impl Upstream<'_> {
    fn serves(&self, model: &str) -> bool {
        self.discovers || self.models.iter().any(|pattern| covers(pattern, model))
    }
}

/// True when a name or a `prefix*` covers a name.
fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

/// True when some name is covered by both.
fn overlap(one: &str, other: &str) -> bool {
    match (one.strip_suffix('*'), other.strip_suffix('*')) {
        (Some(one), Some(other)) => one.starts_with(other) || other.starts_with(one),
        _ => covers(one, other) || covers(other, one),
    }
}

fn near<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    nearest(name, known).map(str::to_owned)
}

fn alias_target(catalog: &Catalog<'_>, alias: &Alias<'_>, out: &mut Findings) {
    let pinned = match alias.upstream {
        None => None,
        Some(name) => {
            let found = catalog
                .upstreams
                .iter()
                .find(|upstream| upstream.name == name);
            if found.is_none() {
                let message = format!("there is no upstream {name:?}");
                let names = catalog.upstreams.iter().map(|upstream| upstream.name);
                let finding = out.error(&alias.node.get("upstream"), Reason::NotFound, message);
                finding.suggestion = near(name, names);
            }
            found
        }
    };
    let to = alias.to;
    let served = pinned.map_or_else(|| catalog.serves(to), |upstream| upstream.serves(to));
    if to.is_empty() || served {
        return;
    }
    let node = alias.node.get("to");
    let other = catalog
        .alias(to)
        .filter(|other| other.to != to && catalog.serves(other.to));
    if let (Some(other), false) = (other, catalog.serves(to)) {
        let message = format!("{to:?} is an alias itself; name a served model");
        out.error(&node, Reason::Invalid, message).suggestion = Some(other.to.to_owned());
    } else if let Some(upstream) = pinned {
        let message = format!("upstream {:?} does not serve {to:?}", upstream.name);
        let suggestion = near(to, upstream.models.iter().copied());
        out.error(&node, Reason::NotFound, message).suggestion = suggestion;
    } else {
        let message = format!("no upstream serves {to:?}");
        let models = catalog
            .upstreams
            .iter()
            .flat_map(|upstream| upstream.models.iter().copied());
        out.error(&node, Reason::NotFound, message).suggestion = near(to, models);
    }
}

/// An alias that an earlier prefix swallows. Equal ones are duplicates.
fn shadowed(catalog: &Catalog<'_>, out: &mut Findings) {
    for (index, alias) in catalog.aliases.iter().enumerate() {
        let swallows = |earlier: &&Alias<'_>| {
            earlier.from != alias.from
                && earlier
                    .from
                    .strip_suffix('*')
                    .is_some_and(|prefix| alias.from.trim_end_matches('*').starts_with(prefix))
        };
        if let Some(earlier) = catalog.aliases.iter().take(index).find(swallows) {
            let message = format!(
                "never used: {:?} at {} comes first",
                earlier.from,
                earlier.node.path()
            );
            out.warn(&alias.node.get("from"), Reason::Invalid, message);
        }
    }
}

fn default_model(subject: &Subject<'_>, catalog: &Catalog<'_>, out: &mut Findings) {
    let routing = subject.spec().get("routing");
    let node = routing.get("defaultModel");
    match node.text() {
        Some(model) if !catalog.resolves(model) => {
            let message = format!("{model:?} is neither served by an upstream nor an alias");
            out.error(&node, Reason::NotFound, message).suggestion = catalog.suggestion(model);
        }
        _ => {}
    }
}

fn prices(subject: &Subject<'_>, catalog: &Catalog<'_>, out: &mut Findings) {
    for (model, node) in subject.spec().get("prices").entries() {
        if !catalog.serves(model) {
            let message = format!("no upstream serves {model:?}, so this price is never used");
            out.warn(&node, Reason::NotFound, message);
        }
    }
}

fn model_names(upstream: &Upstream<'_>, out: &mut Findings) {
    for (model, node) in upstream.node.get("modelNames").entries() {
        if !upstream.serves(model) {
            let message = format!("this upstream does not list {model:?}");
            let suggestion = near(model, upstream.models.iter().copied());
            out.warn(&node, Reason::NotFound, message).suggestion = suggestion;
        }
    }
}

/// Two upstreams of one priority serve the same model, and nobody said in which
/// proportion.
fn ambiguous_shares(catalog: &Catalog<'_>, out: &mut Findings) {
    let priority = |upstream: &Upstream<'_>| upstream.node.get("priority").number().unwrap_or(1);
    let unsaid = |upstream: &&Upstream<'_>| !upstream.node.get("weight").is_set();
    for (index, later) in catalog
        .upstreams
        .iter()
        .enumerate()
        .filter(|(_, it)| unsaid(it))
    {
        let rivals = catalog.upstreams.iter().take(index).filter(unsaid);
        let shared = rivals
            .filter(|earlier| priority(earlier) == priority(later))
            .find_map(|earlier| {
                let both = |model: &&str| earlier.models.iter().any(|other| overlap(model, other));
                later
                    .models
                    .iter()
                    .copied()
                    .find(both)
                    .map(|model| (earlier.name, model))
            });
        if let Some((earlier, model)) = shared {
            let message = format!(
                "{earlier:?} serves {model:?} at the same priority: write weights, or all get equal shares"
            );
            out.warn(&later.node.get("weight"), Reason::Invalid, message);
        }
    }
}
