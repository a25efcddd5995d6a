//! Durations as Kubernetes writes them, and the circuit breaker made of them.

use std::borrow::Cow;

use kube_derive::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A duration such as `300ms`, `5s` or `1h30m` (Gateway API, GEP-2257), longer than zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DurationText(pub String);

impl From<&str> for DurationText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl JsonSchema for DurationText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": 32,
            "x-kubernetes-validations": [{
                "rule": "self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') && self.matches('[1-9]')",
                "message": "write a duration longer than zero such as 300ms, 5s, 10m or 1h30m",
            }],
        })
    }
}

/// When an upstream that keeps failing is left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct BreakerSpec {
    /// Failures within `window` that stop further calls to the upstream.
    #[schemars(range(min = 1, max = 10000))]
    #[serde(default = "failures")]
    pub failures: u32,
    /// Time in which the failures are counted.
    #[serde(default = "half_a_minute")]
    pub window: DurationText,
    /// Time after which one call is let through to see whether the upstream is back.
    #[serde(default = "half_a_minute")]
    pub cooldown: DurationText,
}

const fn failures() -> u32 {
    5
}

fn half_a_minute() -> DurationText {
    "30s".into()
}

impl Default for BreakerSpec {
    fn default() -> Self {
        Self {
            failures: failures(),
            window: half_a_minute(),
            cooldown: half_a_minute(),
        }
    }
}
