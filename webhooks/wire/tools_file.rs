//! `/etc/agentkube/mcp.json`: the MCPs in the form that most clients read.
//!
//! The contents are an annotation of the Pod, and the file a downward-API volume
//! over it: no ConfigMap has to be made, so admission has no side effect.

use agentkube_crds::keys;
use serde_json::{Map, json};

use super::mount::Mount;
use super::variables::{is_keyed, mcp_prefix};
use crate::target::Target;

const DIRECTORY: &str = "/etc/agentkube";
const FILE: &str = "mcp.json";

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

/// The volume with the file.
pub(super) fn mount() -> Mount<'static> {
    let source = format!("metadata.annotations['{}']", keys::MCP_JSON);
    Mount {
        volume: "agentkube-wiring",
        source: json!({
            "downwardAPI": {
                "defaultMode": 420,
                "items": [{
                    "path": FILE,
                    "fieldRef": {"apiVersion": "v1", "fieldPath": source},
                }],
            },
        }),
        known_by: "/downwardAPI/items/0/fieldRef/fieldPath",
        at: DIRECTORY,
        what: FILE,
    }
}
