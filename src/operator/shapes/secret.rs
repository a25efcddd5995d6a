//! A Secret without its values.

use std::collections::BTreeMap;

use agentkube_webhooks::SecretFacts;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Helm keeps its releases in Secrets of this type: large, many, none of ours.
pub(crate) const NOT_HELM: &str = "type!=helm.sh/release.v1";

/// Type and key names of a Secret. The values are skipped while decoding, so no
/// dump of this process holds a credential that it only watches.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct SecretShape {
    #[serde(default)]
    pub(crate) metadata: ObjectMeta,
    #[serde(default, rename = "type")]
    type_: Option<String>,
    #[serde(default)]
    data: Option<BTreeMap<String, IgnoredAny>>,
}

super::core_v1!(
    SecretShape,
    "Secret",
    "secrets",
    kube::core::NamespaceResourceScope
);

impl SecretShape {
    pub(crate) fn facts(&self) -> SecretFacts {
        SecretFacts {
            type_: self.type_.clone().unwrap_or_else(|| "Opaque".to_owned()),
            keys: self
                .data
                .iter()
                .flat_map(|data| data.keys().cloned())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_gone_after_decoding() {
        let text = r#"{"metadata":{"name":"pat","resourceVersion":"7"},"type":"Opaque",
            "data":{"token":"Z2hwX3NlY3JldA==","other":"eA=="},"immutable":true}"#;
        let secret: SecretShape = serde_json::from_str(text).unwrap();
        assert!(!format!("{secret:?}").contains("Z2hw"));
        let facts = secret.facts();
        assert_eq!(facts.type_, "Opaque");
        assert_eq!(facts.keys, ["other", "token"].map(str::to_owned).into());
    }

    #[test]
    fn a_secret_without_data_has_no_keys() {
        let secret: SecretShape =
            serde_json::from_str(r#"{"metadata":{"name":"a"},"data":null}"#).unwrap();
        assert!(secret.facts().keys.is_empty());
    }
}
