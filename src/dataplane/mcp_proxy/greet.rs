//! What the proxy says of itself: `initialize` and `server/discover`.

use futures::future::join_all;

use agentkube_mcp::bridge::{self, Route};
use agentkube_mcp::method::Method;
use agentkube_mcp::probe::Offer;
use agentkube_mcp::{Era, ErrorObject, Id, Message, Version, capability, error, json};

use super::dispatch::{Caller, failure};
use super::reply::Reply;

/// Greets a legacy client. No session is made: what a client needs to say again
/// it says in each request, so any replica can serve it.
pub(super) async fn initialize(caller: &Caller<'_>, message: &Message<'_>, id: &Id<'_>) -> Reply {
    let Some(requested) = message.param("protocolVersion") else {
        let text = "params.protocolVersion must be a string";
        return failure(caller, id, &ErrorObject::new(error::INVALID_PARAMS, text));
    };
    let version = json::quote(Version::negotiate(&requested).as_str());
    let about = About::of(caller).await;
    let (capabilities, info) = (&about.capabilities, &caller.serving.info);
    let instructions = about.instructions_member();
    let result = format!(
        "{{\"protocolVersion\":{version},\"capabilities\":{capabilities},\
         \"serverInfo\":{info}{instructions}}}"
    );
    Reply::result(id, &caller.serving.redact(result.into()))
}

/// Describes the proxy to a modern client. Legacy revisions are served too, but
/// not under a modern envelope, so they are not listed.
pub(super) async fn discover(caller: &Caller<'_>, id: &Id<'_>) -> Reply {
    let about = About::of(caller).await;
    let (capabilities, version) = (&about.capabilities, Version::LATEST);
    let instructions = about.instructions_member();
    let result = format!(
        "{{\"supportedVersions\":[\"{version}\"],\"capabilities\":{capabilities}{instructions}}}"
    );
    let route = Route {
        client: Era::Modern,
        upstream: Era::Modern,
        method: Method::Discover,
        server_info: &caller.serving.info,
    };
    let result = bridge::result_for(&result, route);
    Reply::result(id, &caller.serving.redact(result))
}

/// What the upstreams offer together.
struct About {
    capabilities: String,
    instructions: Option<String>,
}

impl About {
    async fn of(caller: &Caller<'_>) -> Self {
        let upstreams = &caller.serving.upstreams;
        let lanes = join_all(
            upstreams
                .iter()
                .map(|upstream| upstream.greet(caller.era())),
        )
        .await;
        let offers: Vec<Option<&Offer>> = lanes
            .iter()
            .map(|lane| lane.as_ref().ok().and_then(|lane| lane.offer()))
            .collect();
        let capabilities: Vec<_> = offers
            .iter()
            .map(|offer| offer.map(|offer| offer.capabilities.as_str()))
            .collect();
        let named = upstreams.iter().map(|upstream| upstream.name.as_str());
        let instructions: Vec<_> = named
            .zip(&offers)
            .map(|(name, offer)| (name, offer.and_then(|offer| offer.instructions.as_deref())))
            .collect();
        Self {
            capabilities: capability::merge(&capabilities),
            instructions: capability::merge_instructions(&instructions),
        }
    }

    fn instructions_member(&self) -> String {
        match &self.instructions {
            Some(text) => format!(",\"instructions\":{}", json::quote(text)),
            None => String::new(),
        }
    }
}
