//! Pins in a cluster: status says what drifted, an annotation approves.

use agentkube_crds::mcp::{ToolDrift, pins};
use agentkube_crds::{MCP, keys};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;

use super::{Found, Object, Wanted, chosen};
use crate::cli::process::chain;

/// Tries to write over what somebody else wrote meanwhile.
const ATTEMPTS: usize = 5;

async fn client() -> Result<Client, String> {
    let client = Client::try_default().await;
    client.map_err(|error| {
        format!(
            "no cluster: {} (--local is what `agentkube run` serves)",
            chain(&error)
        )
    })
}

fn found(mcp: MCP) -> Found {
    let object = Object {
        namespace: mcp.metadata.namespace.unwrap_or_default(),
        name: mcp.metadata.name.unwrap_or_default(),
    };
    Found {
        mcp: object,
        status: mcp.status.unwrap_or_default(),
    }
}

/// One MCP, or all that may be listed.
pub(super) async fn find(mcp: Option<&Object>) -> Result<Vec<Found>, String> {
    let client = client().await?;
    let Some(mcp) = mcp else {
        let all = Api::<MCP>::all(client).list(&ListParams::default()).await;
        let all = all.map_err(|error| chain(&error))?;
        return Ok(all.items.into_iter().map(found).collect());
    };
    let api = Api::<MCP>::namespaced(client, &mcp.namespace);
    let one = api.get(&mcp.name).await;
    one.map(|mcp| vec![found(mcp)])
        .map_err(|error| format!("mcp {mcp}: {}", chain(&error)))
}

/// Annotates the MCP with the digests that are approved: what changes again between
/// this and the operator's look is not.
pub(super) async fn approve(
    mcp: &Object,
    wanted: &Wanted<'_>,
) -> Result<Vec<(String, ToolDrift)>, String> {
    let failed = |error: kube::Error| format!("mcp {mcp}: {}", chain(&error));
    let api = Api::<MCP>::namespaced(client().await?, &mcp.namespace);
    for _ in 0..ATTEMPTS {
        let object = api.get(&mcp.name).await.map_err(failed)?;
        let status = object.status.clone().unwrap_or_default();
        let chosen = chosen(mcp, &status, wanted)?;
        if chosen.is_empty() {
            return Ok(chosen);
        }
        let annotations = object.metadata.annotations.as_ref();
        let before = annotations.and_then(|all| all.get(keys::APPROVE_TOOLS));
        let text = pins::annotation(before.map_or("", String::as_str), &status, &chosen);
        let patch = json!({
            "metadata": {
                "resourceVersion": object.metadata.resource_version,
                "annotations": { keys::APPROVE_TOOLS: text },
            },
        });
        let patched = api
            .patch(&mcp.name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        match patched {
            Ok(_) => return Ok(chosen),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(format!(
        "mcp {mcp}: it is being changed all the time; try again"
    ))
}
