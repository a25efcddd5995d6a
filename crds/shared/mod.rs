//! The pieces that several kinds have in common.

mod access;
mod budget;
mod convert;
mod env;
mod numbers;
pub(crate) mod parse;
mod pod_template;
mod reference;
mod status;
mod time;

pub use access::{AllowedNamespaces, AuthMode, ClientAuthSpec, NamespacesFrom};
pub use budget::LimitScope;
pub use env::{EnvVar, EnvVarSource, SecretEnvSource};
pub use numbers::{IntOrText, Money, Quantity};
pub use pod_template::{PodTemplate, Resources};
pub use reference::{ObjectRef, SecretKeyRef, SecretRef};
pub use status::{StatusCondition, StatusSummary};
pub use time::{BreakerSpec, DurationText};

pub(crate) const fn port() -> u16 {
    8080
}

pub(crate) const fn one() -> u32 {
    1
}
