//! What is done with a message, by its method.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use agentkube_mcp::inbound::Session;
use agentkube_mcp::method::{ListKind, Method};
use agentkube_mcp::{Era, ErrorObject, Granted, Id, Kind, Message, error, message, param};

use super::calls::Call;
use super::forward::{self, Errand};
use super::locate::{self, Found};
use super::party::Party;
use super::proxy::State;
use super::reply::Reply;
use super::serving::Serving;
use super::upstream::{Outgoing, UpstreamError};
use super::{greet, in_session, listen, lists, request_state, tasks};
use crate::edge::Tally;

/// Who sent a message, and what serves it.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) state: &'a Arc<State>,
    pub(super) serving: &'a Arc<Serving>,
    /// The tools that exist for it.
    pub(super) granted: &'a Granted<'a>,
    /// Its name.
    pub(super) client: &'a str,
    pub(super) party: &'a Party,
    /// How the request is counted.
    pub(super) tally: &'a Tally,
    pub(super) session: Session,
    /// The headers of the request, for `Mcp-Param-*`.
    pub(super) headers: &'a HeaderMap,
}

impl Caller<'_> {
    pub(super) fn era(&self) -> Era {
        self.session.era()
    }
}

/// Answers one message. The call ends with the answer, or with its stream.
pub(super) async fn dispatch(
    caller: &Caller<'_>,
    message: &Message<'_>,
    call: Option<Call>,
) -> Reply {
    match message.kind() {
        Kind::Request { id, method } => request(caller, message, id, method, call).await,
        Kind::Notification { method } => {
            notification(caller, message, method);
            Reply::Accepted
        }
        // 2026-07-28: "Clients MUST NOT send JSON-RPC responses".
        Kind::Result { .. } | Kind::Error { .. } if caller.era() == Era::Modern => {
            let text = "a client sends requests and notifications, no responses";
            let error = ErrorObject::new(error::INVALID_REQUEST, text);
            Reply::failure(None, StatusCode::BAD_REQUEST, &error)
        }
        Kind::Result { .. } | Kind::Error { .. } => in_session::answer(caller, message).await,
    }
}

async fn request(
    caller: &Caller<'_>,
    message: &Message<'_>,
    id: &Id<'_>,
    name: &str,
    call: Option<Call>,
) -> Reply {
    let method = Method::parse(name);
    let found = match method {
        Method::Initialize => return greet::initialize(caller, message, id).await,
        Method::Discover if caller.era() == Era::Modern => {
            return greet::discover(caller, id).await;
        }
        Method::Ping => return Reply::result(id, "{}"),
        Method::List(kind) => return lists::answer(caller, message, id, kind).await,
        Method::SetLevel => {
            return Box::pin(in_session::set_level(caller, message, id)).await;
        }
        Method::Subscribe | Method::Unsubscribe => {
            let follows = method == Method::Subscribe;
            match Box::pin(in_session::subscription(caller, message, follows)).await {
                Ok(None) => return Reply::result(id, "{}"),
                Ok(Some(found)) => Ok(found),
                Err(error) => Err(error),
            }
        }
        Method::Listen if caller.era() == Era::Modern => {
            return listen::open(caller, message, id).await;
        }
        Method::Discover | Method::Listen => Err(ErrorObject::unknown_method(name)),
        Method::ToolCall => match locate::named(caller, message, ListKind::Tools).await {
            Ok(found) => match tasks::cannot_run(caller, &found).await {
                Some(error) => Err(error),
                None => Ok(found),
            },
            Err(error) => Err(error),
        },
        Method::PromptGet => locate::named(caller, message, ListKind::Prompts).await,
        Method::ResourceRead => locate::resource(caller, message).await,
        Method::Complete => locate::reference(caller, message).await,
        Method::Task => tasks::located(caller, message, name).await,
        // An upstream's list may hold what it did for other clients.
        Method::TaskList => Err(ErrorObject::unknown_method(name)),
        Method::Other => unknown(caller, name),
    };
    let scope = request_state::scope(caller, message);
    let found = found.and_then(|found| {
        let found = check_mirrored(caller, message, found)?;
        let sealer = &caller.serving.sealer;
        Ok((
            found,
            request_state::opened(sealer, scope.as_deref(), message)?,
        ))
    });
    match found {
        Ok((found, state)) => {
            forward::serve(Errand {
                caller,
                message,
                id,
                method,
                found,
                call,
                scope,
                state,
            })
            .await
        }
        Err(error) => failure(caller, id, &error),
    }
}

/// A modern client repeats marked arguments in headers; whoever serves it
/// compares them, which a legacy upstream cannot.
fn check_mirrored(
    caller: &Caller<'_>,
    message: &Message<'_>,
    found: Found,
) -> Result<Found, ErrorObject> {
    let arguments = message
        .params()
        .and_then(|params| params.value("arguments"));
    match param::disagreement(&found.params, arguments, caller.headers) {
        Some(header) if caller.era() == Era::Modern => {
            let text = format!("the {header} header is missing or disagrees with its argument");
            Err(ErrorObject::new(error::HEADER_MISMATCH, text))
        }
        _ => Ok(found),
    }
}

/// A method that the proxy does not know can only mean the only upstream.
fn unknown(caller: &Caller<'_>, method: &str) -> Result<Found, ErrorObject> {
    let only = caller
        .serving
        .only()
        .ok_or_else(|| ErrorObject::unknown_method(method))?;
    // What such a method says of which tool only the upstream knows, and it may
    // show one client the tasks of another.
    let tells_tools = method.starts_with("tools/") && caller.serving.hides_tools();
    if tells_tools || method.starts_with("tasks/") {
        return Err(ErrorObject::unknown_method(method));
    }
    Ok(Found::whole(only))
}

/// A failure under the status that the client's era gives it.
pub(super) fn failure(caller: &Caller<'_>, id: &Id<'_>, error: &ErrorObject) -> Reply {
    caller.tally.set(error::fault(error.code));
    let status = match caller.era() {
        Era::Modern => error.modern_status(),
        Era::Legacy => StatusCode::OK,
    };
    Reply::failure(Some(id), status, error)
}

/// The failure of an upstream. A missing Secret is 503: not the call is wrong,
/// and it will work once the Secret is there.
pub(super) fn upstream_failure(
    caller: &Caller<'_>,
    id: &Id<'_>,
    upstream: &str,
    error: &UpstreamError,
) -> Reply {
    caller.tally.set(StatusCode::BAD_GATEWAY);
    let status = match error {
        UpstreamError::MissingSecret(_) | UpstreamError::UnusableSecret(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::OK,
    };
    Reply::failure(Some(id), status, &upstream_error(upstream, error))
}

/// The failure of an upstream as an error object.
pub(super) fn upstream_error(upstream: &str, failure: &UpstreamError) -> ErrorObject {
    ErrorObject::new(
        error::INTERNAL_ERROR,
        format!("upstream {upstream:?}: {failure}"),
    )
}

/// What a client says without wanting an answer. Ids and tokens that are of one
/// hop end here, unless the client is in a session.
fn notification(caller: &Caller<'_>, message: &Message<'_>, method: &str) {
    if let Some(live) = caller.party.session()
        && in_session::notification(caller, live, message, method)
    {
        return;
    }
    if matches!(
        method,
        "notifications/initialized"
            | "notifications/cancelled"
            | "notifications/progress"
            | "notifications/roots/list_changed"
    ) {
        return;
    }
    // A request without an id is no notification: an upstream might do what it
    // says, past the filter.
    if !method.starts_with("notifications/") {
        return;
    }
    if let Some(only) = caller.serving.only() {
        let (name, params) = (method.to_owned(), message.object().value("params"));
        let text = message::notification(method, params);
        only.notify_soon(caller.party.clone(), move |_| Outgoing::plain(&name, text));
    }
}
