//! Our reduced forms of core/v1 types → the types themselves.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as CoreQuantity;

use super::{EnvVar, Quantity, Resources};

impl From<&EnvVar> for core::EnvVar {
    fn from(from: &EnvVar) -> Self {
        Self {
            name: from.name.clone(),
            value: from.value.clone(),
            value_from: from.value_from.as_ref().map(|source| core::EnvVarSource {
                secret_key_ref: Some(core::SecretKeySelector {
                    name: source.secret_key_ref.name.clone(),
                    key: source.secret_key_ref.key.clone(),
                    optional: source.secret_key_ref.optional,
                }),
                ..core::EnvVarSource::default()
            }),
        }
    }
}

impl From<&Resources> for core::ResourceRequirements {
    fn from(from: &Resources) -> Self {
        Self {
            limits: quantities(&from.limits),
            requests: quantities(&from.requests),
            ..Self::default()
        }
    }
}

fn quantities(from: &BTreeMap<String, Quantity>) -> Option<BTreeMap<String, CoreQuantity>> {
    let each = from
        .iter()
        .map(|(name, quantity)| (name.clone(), CoreQuantity(quantity.0.to_string())));
    (!from.is_empty()).then(|| each.collect())
}
