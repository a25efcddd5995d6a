//! Takes back the keys of targets that are gone. Their Secrets are in the
//! namespaces of clients and owned by them, so no garbage collector does it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agentkube_crds::{Kind, LLMGateway, MCP};
use agentkube_webhooks::{Lookup as _, TargetRef};
use kube::Api;
use kube::runtime::reflector::ObjectRef;
use tokio::time::sleep;
use tracing::warn;

use super::{Context, ReconcileError};
use crate::clients::{ClientKeys, minted_for};

/// How often is looked.
const PERIOD: Duration = Duration::from_secs(20);

/// Looks for such keys, for ever.
pub(super) async fn run(ctx: &Context) {
    loop {
        forget(ctx);
        if let Err(error) = once(ctx).await {
            warn!(%error, "keys of targets that are gone were not all taken back");
        }
        sleep(PERIOD).await;
    }
}

/// What is remembered of Secrets and Pods goes with them.
fn forget(ctx: &Context) {
    let secrets = &ctx.stores.secrets;
    ctx.keys.retain(|namespace, name| {
        secrets
            .get(&ObjectRef::new(name).within(namespace))
            .is_some()
    });
    let pods: BTreeSet<String> = ctx
        .stores
        .pods
        .state()
        .iter()
        .filter_map(|pod| pod.metadata.uid.clone())
        .collect();
    ctx.nudges.retain(|uid| pods.contains(uid));
}

pub(super) async fn once(ctx: &Context) -> Result<(), ReconcileError> {
    let mut orphans: BTreeMap<TargetRef, Vec<_>> = BTreeMap::new();
    for secret in ctx.stores.secrets.state() {
        let owned = secret
            .metadata
            .owner_references
            .as_ref()
            .is_some_and(|it| !it.is_empty());
        if let (Some(target), true) = (minted_for(&secret.metadata), owned)
            && !is_known(ctx, &target)
        {
            orphans.entry(target).or_default().push(secret);
        }
    }
    for (target, secrets) in orphans {
        // The watch may be behind; a key is not given back by mistake.
        if exists(ctx, &target).await? {
            continue;
        }
        ctx.forget(&target);
        let keys = ClientKeys {
            client: &ctx.client,
            cache: &ctx.keys,
        };
        for secret in secrets {
            keys.take_back(&secret).await?;
            ctx.metrics.wrote("Secret");
        }
    }
    Ok(())
}

fn is_known(ctx: &Context, target: &TargetRef) -> bool {
    match target.kind {
        Kind::LLMGateway => ctx
            .stores
            .gateway(&target.namespace, &target.name)
            .is_some(),
        Kind::MCP => ctx.stores.mcp(&target.namespace, &target.name).is_some(),
        Kind::Agent | Kind::AgentPolicy => true,
    }
}

async fn exists(ctx: &Context, target: &TargetRef) -> Result<bool, kube::Error> {
    let (client, namespace, name) = (ctx.client.clone(), &target.namespace, &target.name);
    Ok(match target.kind {
        Kind::MCP => Api::<MCP>::namespaced(client, namespace)
            .get_metadata_opt(name)
            .await?
            .is_some(),
        _ => Api::<LLMGateway>::namespaced(client, namespace)
            .get_metadata_opt(name)
            .await?
            .is_some(),
    })
}
