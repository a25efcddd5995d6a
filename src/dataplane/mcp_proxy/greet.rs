//! What the proxy says of itself: `initialize` and `server/discover`.

use futures::future::join_all;

use agentkube_mcp::bridge::{self, Route};
use agentkube_mcp::capability::Promise;
use agentkube_mcp::method::Method;
use agentkube_mcp::probe::Offer;
use agentkube_mcp::{Era, ErrorObject, Id, Message, Version, capability, error, json};
use http::{HeaderValue, StatusCode};

use super::dispatch::{Caller, failure};
use super::in_session::may_listen;
use super::party::Party;
use super::reply::Reply;
use super::sessions;
use super::untold::Untold;
use super::upstream::Lane;

/// Greets a legacy client and opens its session, with a session of its own at
/// every upstream that keeps some. The id carries all that, so any replica can
/// serve it.
pub(super) async fn initialize(caller: &Caller<'_>, message: &Message<'_>, id: &Id<'_>) -> Reply {
    let Some(requested) = message.param("protocolVersion") else {
        let text = "params.protocolVersion must be a string";
        return failure(caller, id, &ErrorObject::new(error::INVALID_PARAMS, text));
    };
    let on_stream = matches!(caller.party, Party::Opening);
    let mut version = Version::negotiate(&requested);
    if on_stream {
        // From 2025-11-25 on servers let go of streams that clients resume.
        version = version.min(Version::V2025_06_18);
    }
    let declared = message
        .params()
        .and_then(|params| params.value("capabilities"));
    let plan = &caller.serving.loaded.plan;
    let live = caller.state.sessions.begin(
        plan.limits.sessions,
        sessions::owner(&plan.object, caller.client),
        version,
        &capability::of_client(declared),
    );
    let Some(live) = live else {
        let text = "too many sessions are open (spec.limits.sessions); try again later";
        let error = ErrorObject::new(error::INTERNAL_ERROR, text);
        return Reply::failure(Some(id), StatusCode::SERVICE_UNAVAILABLE, &error);
    };
    if on_stream {
        live.keep_to_stream();
    }
    let untold = Untold::new(caller.state, caller.serving, live.clone());
    let party = Party::Session(live.clone());
    let about = About::of(caller, &party).await;
    let (capabilities, info) = (&about.capabilities, &caller.serving.info);
    let instructions = about.instructions_member();
    let result = format!(
        "{{\"protocolVersion\":\"{version}\",\"capabilities\":{capabilities},\
         \"serverInfo\":{info}{instructions}}}"
    );
    let reply = Reply::result(id, &caller.serving.redact(result.into()));
    // Whichever replica is asked next, the children on stdio are here.
    let bound = caller
        .serving
        .upstreams
        .iter()
        .any(|it| it.binds_sessions());
    let home = caller.state.relays.here().filter(|_| bound);
    if home.is_some() {
        live.keep_here();
    }
    let session = caller
        .state
        .sessions
        .seal(&caller.serving.sealer, &live, home);
    match session.and_then(|session| HeaderValue::try_from(session).ok()) {
        Some(session) => reply.opening(session, untold),
        None => reply,
    }
}

/// Describes the proxy to a modern client. Legacy revisions are served too, but
/// not under a modern envelope, so they are not listed.
pub(super) async fn discover(caller: &Caller<'_>, id: &Id<'_>) -> Reply {
    let about = About::of(caller, &Party::Modern).await;
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
    async fn of(caller: &Caller<'_>, party: &Party) -> Self {
        let upstreams = &caller.serving.upstreams;
        let lanes = join_all(upstreams.iter().map(|upstream| upstream.greet(party))).await;
        let offers: Vec<Option<&Offer>> = lanes
            .iter()
            .map(|lane| lane.as_ref().ok().and_then(|lane| lane.offer()))
            .collect();
        let promises: Vec<_> = upstreams
            .iter()
            .zip(&lanes)
            .map(|(upstream, lane)| {
                let lane = lane.as_ref().ok()?;
                let legacy = matches!(lane, Lane::Legacy(_));
                let session = party.session().is_some();
                let listens = party.session().is_none_or(|it| may_listen(caller, it));
                Some(Promise {
                    capabilities: &lane.offer()?.capabilities,
                    list_changed: true,
                    // A legacy client follows resources in its own session.
                    subscribe: legacy || listens,
                    tasks: match legacy {
                        true => session,
                        false => party.era() == Era::Modern,
                    },
                    logging: !legacy || session || !upstream.mixes(lane),
                    extensions: !legacy && party.era() == Era::Modern,
                    bridged: lane.era() != party.era(),
                })
            })
            .collect();
        let named = upstreams.iter().map(|upstream| upstream.name.as_str());
        let instructions: Vec<_> = named
            .zip(&offers)
            .map(|(name, offer)| (name, offer.and_then(|offer| offer.instructions.as_deref())))
            .collect();
        Self {
            capabilities: capability::merge(&promises),
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
