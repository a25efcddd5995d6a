//! `LLMGateway` → what a data plane can serve.

use agentkube_plan::{
    Alias, ClientAuth, GatewayPlan, GatewayUpstream, ModelPattern, ObjectName, Retries, RetryOn,
    Routing, SecretEntry, UnknownModel,
};
use serde_json::Value;

use super::{LLMGateway, RetryReason, RoutingSpec, UnknownModelPolicy};
use crate::admission::{NotEnforced, not_enforced, unsupported};
use crate::field::{FieldError, FieldPath, Reason};
use crate::shared::parse::{Errors, not_empty, object_name, read, repeated};
use crate::shared::{AllowedNamespaces, PodTemplate};
use crate::{Kind, nearest};

/// An `LLMGateway` of which every value is legal and supported.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedGateway {
    /// The object.
    pub object: ObjectName,
    /// Port of the Service.
    pub port: u16,
    /// Data-plane pods.
    pub replicas: u32,
    /// The providers, in the order of the spec.
    pub upstreams: Vec<GatewayUpstream>,
    /// Which model goes where.
    pub routing: Routing,
    /// What happens to what a provider's dialect cannot carry.
    pub translation: agentkube_plan::Translation,
    /// Who may call.
    pub auth: ClientAuth,
    /// Whose agents may use it.
    pub allowed_namespaces: AllowedNamespaces,
    /// How its pods are scheduled and labelled.
    pub pod_template: PodTemplate,
    /// Settings that have no effect yet.
    pub not_enforced: Vec<NotEnforced>,
}

impl CheckedGateway {
    /// The plan of its data plane.
    #[must_use]
    pub fn plan(&self) -> GatewayPlan {
        GatewayPlan {
            object: self.object.clone(),
            upstreams: self.upstreams.clone(),
            routing: self.routing.clone(),
            translation: self.translation,
            auth: self.auth,
        }
    }

    /// The Secret entries that it reads, each with the index of its upstream.
    pub fn secrets(&self) -> impl Iterator<Item = (usize, &SecretEntry)> {
        let upstreams = self.upstreams.iter().enumerate();
        upstreams.flat_map(|(index, upstream)| {
            let entries = upstream.credentials.needed();
            entries.map(move |entry| (index, entry))
        })
    }
}

impl LLMGateway {
    /// Reads the JSON of an object.
    ///
    /// # Errors
    /// The first field that has the wrong type.
    pub fn read(raw: &Value) -> Result<Self, FieldError> {
        read(Kind::LLMGateway, raw)
    }

    /// Every value of the object, checked. An object that admission let through parses.
    ///
    /// # Errors
    /// Everything that is wrong, at its field path.
    pub fn parse(&self) -> Result<CheckedGateway, Vec<FieldError>> {
        let raw = serde_json::to_value(self).unwrap_or_default();
        let spec = FieldPath::spec();
        let mut errors = Errors::default();
        errors.extend(unsupported(Kind::LLMGateway, &raw).0);

        let path = spec.child("upstreams");
        not_empty(&path, &self.spec.upstreams, &mut errors);
        repeated(
            &path,
            self.spec.upstreams.iter().map(|it| it.name.as_str()),
            &mut errors,
        );
        let mut upstreams = Vec::new();
        for (index, upstream) in self.spec.upstreams.iter().enumerate() {
            upstreams.push(upstream.parse(&path.index(index), &mut errors));
        }
        let upstreams: Option<Vec<GatewayUpstream>> = upstreams.into_iter().collect();
        let routing = self.spec.routing.parse(&spec.child("routing"), &mut errors);
        if let (Some(upstreams), Some(routing)) = (&upstreams, &routing) {
            check_routing(upstreams, routing, &spec.child("routing"), &mut errors);
        }

        let checked = || {
            Some(CheckedGateway {
                object: object_name(&self.metadata),
                port: self.spec.port,
                replicas: self.spec.replicas,
                upstreams: upstreams?,
                routing: routing?,
                translation: match self.spec.translation {
                    super::Translation::Lenient => agentkube_plan::Translation::Lenient,
                    super::Translation::Strict => agentkube_plan::Translation::Strict,
                },
                auth: self.spec.auth.mode.into(),
                allowed_namespaces: self.spec.allowed_namespaces.clone(),
                pod_template: self.spec.pod_template.clone().unwrap_or_default(),
                not_enforced: not_enforced(Kind::LLMGateway, &raw),
            })
        };
        let checked = checked();
        errors.unless_found(checked)
    }
}

impl RoutingSpec {
    fn parse(&self, path: &FieldPath, errors: &mut Errors) -> Option<Routing> {
        let aliases = self.model_map.iter().map(|mapping| Alias {
            from: ModelPattern::from(mapping.from.as_str()),
            to: mapping.to.clone(),
            upstream: mapping.upstream.clone(),
        });
        Some(Routing {
            default_model: self.default_model.clone(),
            unknown_model: match self.unknown_model {
                UnknownModelPolicy::Default => UnknownModel::Default,
                UnknownModelPolicy::Reject => UnknownModel::Reject,
            },
            aliases: aliases.collect(),
            retries: Retries {
                attempts: self.retries.attempts,
                retry_on: match &self.retries.retry_on {
                    Some(reasons) => reasons.iter().map(|reason| reason.parse()).collect(),
                    None => RetryReason::ALL
                        .iter()
                        .map(|reason| reason.parse())
                        .collect(),
                },
            },
            breaker: self.breaker.parse(&path.child("breaker"), errors)?,
        })
    }
}

impl RetryReason {
    const ALL: [Self; 7] = [
        Self::ConnectFailure,
        Self::Credentials,
        Self::Overloaded,
        Self::Quota,
        Self::RateLimited,
        Self::ServerError,
        Self::Timeout,
    ];

    fn parse(self) -> RetryOn {
        match self {
            Self::ConnectFailure => RetryOn::ConnectFailure,
            Self::Credentials => RetryOn::Credentials,
            Self::Overloaded => RetryOn::Overloaded,
            Self::Quota => RetryOn::Quota,
            Self::RateLimited => RetryOn::RateLimited,
            Self::ServerError => RetryOn::ServerError,
            Self::Timeout => RetryOn::Timeout,
        }
    }
}

/// Routing may name only what exists.
fn check_routing(
    upstreams: &[GatewayUpstream],
    routing: &Routing,
    path: &FieldPath,
    errors: &mut Errors,
) {
    // One without a list is asked for its models: any name may be one of them.
    let serves = |upstream: &GatewayUpstream, model: &str| {
        let mut patterns = upstream.models.iter();
        upstream.models.is_empty() || patterns.any(|pattern| pattern.matches(model))
    };
    for (index, alias) in routing.aliases.iter().enumerate() {
        let here = path.child("modelMap").index(index);
        let named = alias.upstream.as_deref();
        if let Some(name) = named
            && !upstreams.iter().any(|upstream| upstream.name == name)
        {
            let names = upstreams.iter().map(|it| it.name.as_str());
            errors.push(unknown(&here.child("upstream"), "upstream", name, names));
            continue;
        }
        let mut through = upstreams
            .iter()
            .filter(|upstream| named.is_none_or(|name| upstream.name == name));
        if !through.any(|upstream| serves(upstream, &alias.to)) {
            let names = exact(upstreams);
            errors.push(unknown(&here.child("to"), "served model", &alias.to, names));
        }
    }
    if let Some(model) = &routing.default_model
        && !upstreams.iter().any(|upstream| serves(upstream, model))
        && !routing
            .aliases
            .iter()
            .any(|alias| alias.from.matches(model))
    {
        let field = path.child("defaultModel");
        errors.push(unknown(
            &field,
            "served model or alias",
            model,
            exact(upstreams),
        ));
    }
}

fn exact(upstreams: &[GatewayUpstream]) -> impl Iterator<Item = &str> {
    let models = upstreams.iter().flat_map(|upstream| &upstream.models);
    models.filter_map(|pattern| match pattern {
        ModelPattern::Exact(name) => Some(name.as_str()),
        ModelPattern::Prefix(_) => None,
    })
}

fn unknown<'a>(
    field: &FieldPath,
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> FieldError {
    let error = FieldError::new(
        field.as_str(),
        Reason::NotFound,
        format!("there is no {what} {name:?}"),
    );
    match nearest(name, known) {
        Some(near) => error.suggest(near),
        None => error,
    }
}

#[cfg(test)]
mod tests;
