//! `/etc/agentkube/mcp.json`: the MCPs in the form that most clients read.
//!
//! The contents are an annotation of the Pod, and the file a downward-API volume
//! over it: no ConfigMap has to be made, so admission has no side effect.

use agentkube_crds::{FieldError, Reason, keys};
use serde_json::{Map, Value, json};

use super::variables::{is_keyed, mcp_prefix};
use crate::findings::Findings;
use crate::target::Target;

const DIRECTORY: &str = "/etc/agentkube";
const FILE: &str = "mcp.json";
const VOLUME: &str = "agentkube-wiring";

pub(super) fn path() -> String {
    format!("{DIRECTORY}/{FILE}")
}

/// The key stays in the environment: clients put it in for `${…}` themselves.
pub(super) fn contents(mcps: &[Target]) -> String {
    let mut servers = Map::new();
    for mcp in mcps {
        let name = &mcp.reference.name;
        let mut server = json!({"type": "http", "url": mcp.url});
        if let (true, Some(server)) = (is_keyed(mcp), server.as_object_mut()) {
            let header = format!("Bearer ${{{}_KEY}}", mcp_prefix(name));
            server.insert("headers".to_owned(), json!({"Authorization": header}));
        }
        servers.insert(name.clone(), server);
    }
    json!({"mcpServers": servers}).to_string()
}

/// The volume, spelled with what the API server would fill in, so that a second
/// call finds what the first one left.
pub(super) fn add_volume(pod: &mut Value, found: &mut Findings) {
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
    if volumes.is_null() {
        *volumes = json!([]);
    }
    let Some(volumes) = volumes.as_array_mut() else {
        return;
    };
    let source = format!("metadata.annotations['{}']", keys::MCP_JSON);
    match volumes
        .iter()
        .position(|volume| volume.get("name") == Some(&json!(VOLUME)))
    {
        None => volumes.push(json!({
            "name": VOLUME,
            "downwardAPI": {
                "defaultMode": 420,
                "items": [{
                    "path": FILE,
                    "fieldRef": {"apiVersion": "v1", "fieldPath": source},
                }],
            },
        })),
        Some(index) => {
            let ours = volumes.get(index).and_then(|volume| {
                volume
                    .pointer("/downwardAPI/items/0/fieldRef/fieldPath")?
                    .as_str()
            });
            if ours != Some(source.as_str()) {
                let field = format!("spec.volumes[{index}]");
                let message = format!(
                    "is kept as written, so {} does not come from agentkube",
                    path()
                );
                found
                    .warnings
                    .push(FieldError::new(field, Reason::Forbidden, message));
            }
        }
    }
}

/// The mount. One that the user put there wins.
pub(super) fn add_mount(container: &mut Map<String, Value>, path: &str, found: &mut Findings) {
    let mounts = container.entry("volumeMounts").or_insert_with(|| json!([]));
    if mounts.is_null() {
        *mounts = json!([]);
    }
    let Some(mounts) = mounts.as_array_mut() else {
        return;
    };
    let taken = mounts.iter().position(|mount| {
        mount
            .get("mountPath")
            .and_then(Value::as_str)
            .is_some_and(is_ours)
    });
    match taken {
        None => mounts.push(json!({"name": VOLUME, "mountPath": DIRECTORY, "readOnly": true})),
        Some(index) => {
            let name = mounts.get(index).and_then(|mount| mount.get("name"));
            if name != Some(&json!(VOLUME)) {
                let field = format!("{path}.volumeMounts[{index}]");
                let message = format!("is kept, so {FILE} is not at {DIRECTORY} in this container");
                found
                    .warnings
                    .push(FieldError::new(field, Reason::Forbidden, message));
            }
        }
    }
}

/// True for our directory and everything in it.
fn is_ours(mount: &str) -> bool {
    let mount = mount.trim_end_matches('/');
    mount == DIRECTORY
        || mount
            .strip_prefix(DIRECTORY)
            .is_some_and(|rest| rest.starts_with('/'))
}
