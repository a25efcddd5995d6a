//! Who may call an object and from where it may be referenced.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube_derive::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may call this object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct ClientAuthSpec {
    /// How callers prove who they are. `apikey`: with a key that agentkube makes for each
    /// client and hands to its pods (or that you put into a Secret labelled
    /// `agentkube.io/client-of`); `serviceAccount`: with a projected service account token;
    /// `none`: not at all, everybody who reaches the Service may call and all callers count
    /// as one client.
    #[serde(default)]
    pub mode: AuthMode,
}

/// How callers prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuthMode {
    /// A key of the client's own.
    #[default]
    Apikey,
    /// Not at all.
    None,
    /// A projected service account token.
    ServiceAccount,
}

/// Whose agents and MCPs may reference this object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new("(self.from == 'Selector') == has(self.selector)")
        .message("write a selector exactly when from is Selector")
        .field_path(".selector")
)]
#[serde(rename_all = "camelCase")]
pub struct AllowedNamespaces {
    /// `Same`: only this object's own namespace. `All`: every namespace. `Selector`: the
    /// namespaces whose labels match `selector`.
    #[serde(default)]
    pub from: NamespacesFrom,
    /// Labels that a namespace must carry, with `from: Selector`. Every namespace carries
    /// `kubernetes.io/metadata.name: <its name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// Which namespaces may reference an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NamespacesFrom {
    /// Every namespace.
    All,
    /// The object's own namespace.
    #[default]
    Same,
    /// The namespaces that a label selector matches.
    Selector,
}
