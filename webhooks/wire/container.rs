//! One container: variables appended by name, the mount of the tools file.

use agentkube_crds::{FieldError, Reason};
use serde_json::{Value, json};

use super::mount::Mount;
use super::{PROVIDER_KEYS, Variable, Wiring};
use crate::findings::Findings;
use crate::lookup::Lookup;
use crate::node::Node;

pub(super) fn wire(
    container: &mut Value,
    path: &str,
    wiring: &Wiring,
    mounts: &[Mount<'_>],
    found: &mut Findings,
) {
    let Some(container) = container.as_object_mut() else {
        return;
    };
    let env = container.entry("env").or_insert_with(|| json!([]));
    if env.is_null() {
        *env = json!([]);
    }
    if let Some(env) = env.as_array_mut() {
        let (astray, given): (Vec<&Variable>, Vec<&Variable>) = wiring
            .env
            .iter()
            .partition(|key| goes_astray(env, key, &wiring.env));
        for variable in &given {
            add(env, path, variable, wiring.gateway.is_some(), found);
        }
        for key in astray {
            let message = format!(
                "{} is not given: its URL is kept as written, and our key must not go there",
                key.name
            );
            let field = format!("{path}.env");
            found
                .warnings
                .push(FieldError::new(field, Reason::Forbidden, message));
        }
        if wiring.gateway.is_some() {
            remove_provider_keys(env, path, &given, found);
        }
    }
    for mount in mounts {
        mount.add_mount(container, path, found);
    }
}

/// Variables that come from whole Secrets are not spelled out in the Pod, so a
/// provider's key among them can only be pointed at. What is `given` by us wins over
/// what is imported.
pub(super) fn warn_of_imported_keys(
    container: &Value,
    path: &str,
    given: &dyn Fn(&str) -> bool,
    lookup: &dyn Lookup,
    namespace: &str,
    found: &mut Findings,
) {
    let imports = Node::root(container).get("envFrom");
    for (index, import) in imports.items().enumerate() {
        let Some(name) = import.get("secretRef").get("name").text() else {
            continue;
        };
        let prefix = import.get("prefix").text().unwrap_or_default();
        let Some(facts) = lookup.secret(namespace, name) else {
            continue;
        };
        let imported = facts.keys.iter().map(|key| format!("{prefix}{key}"));
        for key in imported.filter(|key| PROVIDER_KEYS.contains(&key.as_str()) && !given(key)) {
            let field = format!("{path}.envFrom[{index}]");
            let message = format!("{key} of this Secret lets the container bypass the gateway");
            found
                .warnings
                .push(FieldError::new(field, Reason::Forbidden, message));
        }
    }
}

/// The variables with the URL to which a client sends this key.
fn urls_of(key: &str) -> &'static [&'static str] {
    match key {
        "ANTHROPIC_AUTH_TOKEN" => &["ANTHROPIC_BASE_URL"],
        "OPENAI_API_KEY" => &["OPENAI_API_BASE", "OPENAI_BASE_URL"],
        _ => &[],
    }
}

/// True when the container's own URL would carry our key to somebody else.
fn goes_astray(env: &[Value], key: &Variable, ours: &[Variable]) -> bool {
    urls_of(&key.name).iter().any(|url| {
        let our = ours.iter().find(|variable| variable.name == *url);
        let theirs = env.iter().find(|item| is_named(item, url));
        theirs.is_some_and(|theirs| our.is_none_or(|our| our.to_json() != *theirs))
    })
}

fn add(env: &mut Vec<Value>, path: &str, variable: &Variable, gateway: bool, found: &mut Findings) {
    let ours = variable.to_json();
    let name = variable.name.as_str();
    let Some(index) = env.iter().position(|item| is_named(item, name)) else {
        env.push(ours);
        return;
    };
    let Some(theirs) = env.get_mut(index) else {
        return;
    };
    if *theirs == ours {
        return;
    }
    let message = if gateway && PROVIDER_KEYS.contains(&name) {
        *theirs = ours;
        format!("{name} is replaced by the key for the gateway")
    } else {
        format!("{name} is kept as written, so it does not come from agentkube")
    };
    found.warnings.push(FieldError::new(
        format!("{path}.env[{index}]"),
        Reason::Forbidden,
        message,
    ));
}

fn remove_provider_keys(
    env: &mut Vec<Value>,
    path: &str,
    ours: &[&Variable],
    found: &mut Findings,
) {
    let is_stray = |item: &Value| {
        let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
        PROVIDER_KEYS.contains(&name) && ours.iter().all(|own| own.name != name)
    };
    for (index, item) in env.iter().enumerate().filter(|(_, item)| is_stray(item)) {
        let key = item.get("name").and_then(Value::as_str).unwrap_or_default();
        let message = format!("{key} is removed: it would bypass the gateway");
        let field = format!("{path}.env[{index}]");
        found
            .warnings
            .push(FieldError::new(field, Reason::Forbidden, message));
    }
    env.retain(|item| !is_stray(item));
}

fn is_named(item: &Value, name: &str) -> bool {
    item.get("name").and_then(Value::as_str) == Some(name)
}
