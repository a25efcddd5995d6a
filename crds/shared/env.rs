//! Environment variables, written as in a Pod: a value, or an entry of a Secret.

use kube_derive::KubeSchema;
use serde::{Deserialize, Serialize};

/// One environment variable, as in a Pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new("!(has(self.value) && has(self.valueFrom))")
        .message("write value or valueFrom, not both")
        .field_path(".valueFrom")
        .reason(Reason::FieldValueForbidden)
)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    /// Name of the variable.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z][-._a-zA-Z0-9]*$')").message(
        "an environment variable's name has letters, digits, '_', '-' and '.' and does not \
         begin with a digit"
    ))]
    pub name: String,
    /// Its value. Credentials belong into `valueFrom`.
    #[schemars(length(max = 16384))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Takes the value from a Secret of the same namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvVarSource>,
}

/// Where the value of a variable comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct EnvVarSource {
    /// The entry of a Secret in the same namespace.
    pub secret_key_ref: SecretEnvSource,
}

/// One entry of a Secret, for an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct SecretEnvSource {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Entry in the Secret's data.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// When true, a missing Secret or entry leaves the variable unset instead of keeping the
    /// container from starting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}
