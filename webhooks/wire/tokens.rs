//! Tokens of the Pod's ServiceAccount, one for each target that wants one.
//!
//! The kubelet renews them in place, which an environment variable cannot follow:
//! programs are given the name of the file.

use agentkube_crds::names;
use agentkube_crds::shared::AuthMode;
use serde_json::{Value, json};

use super::mount::Mount;
use crate::target::Target;

const DIRECTORY: &str = "/var/run/agentkube";
const FILE: &str = "token";

/// What Kubernetes asks for by itself: one hour.
const SECONDS: u32 = 3600;

/// True when callers of the target need a token.
pub(super) fn are_wanted(target: &Target) -> bool {
    target.auth == AuthMode::ServiceAccount
}

/// `/var/run/agentkube/shared-gateway-llm/token`.
pub(super) fn path(target: &Target) -> String {
    format!("{DIRECTORY}/{}/{FILE}", directory(target))
}

/// The volume with the tokens; `None` when no target wants one.
pub(super) fn mount<'a>(targets: impl Iterator<Item = &'a Target>) -> Option<Mount<'static>> {
    let wanted = targets.filter(|target| are_wanted(target));
    let sources: Vec<Value> = wanted.map(projected).collect();
    (!sources.is_empty()).then(|| Mount {
        volume: "agentkube-tokens",
        source: json!({"projected": {"defaultMode": 420, "sources": sources}}),
        known_by: "/projected/sources",
        at: DIRECTORY,
        what: FILE,
    })
}

fn projected(target: &Target) -> Value {
    let reference = &target.reference;
    let audience = names::token_audience(reference.kind, &reference.namespace, &reference.name);
    json!({
        "serviceAccountToken": {
            "audience": audience,
            "expirationSeconds": SECONDS,
            "path": format!("{}/{FILE}", directory(target)),
        },
    })
}

fn directory(target: &Target) -> String {
    names::child(target.reference.kind, &target.reference.name)
}
