//! Streamable HTTP in front of the children.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tracing::debug;

use agentkube_mcp::probe::{self, Verdict};
use agentkube_mcp::{ErrorObject, Id, Kind, MAX_DEPTH, Message, error, header, message, sse};

use super::call::Call;
use super::child::Child;
use super::opening::Opened;
use super::pool::{NoChild, Pool};

type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// For the answer to the question of the era. There are legacy servers that never
/// answer what comes before the greeting.
const PROBE: Duration = Duration::from_secs(4);

/// Serves one connection to its end.
pub(super) async fn connection<S>(pool: Arc<Pool>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stop = pool.stop.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let pool = Arc::clone(&pool);
        async move { Ok::<_, Infallible>(answer(&pool, request).await) }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = stop.cancelled() => {}
        served = served => if let Err(error) = served {
            debug!(%error, "connection to a program ended early");
        },
    }
}

async fn answer(pool: &Arc<Pool>, request: Request<Incoming>) -> Reply {
    let session = session(request.headers());
    match (request.method().clone(), session) {
        (Method::POST, session) => {
            let body = Limited::new(request.into_body(), pool.launch.message_bytes);
            let Ok(body) = body.collect().await else {
                return status(StatusCode::PAYLOAD_TOO_LARGE);
            };
            post(pool, session.as_deref(), &body.to_bytes()).await
        }
        (Method::DELETE, Some(session)) => {
            let child = pool.held().sessions.remove(&session);
            match child {
                Some(child) => {
                    child.stop();
                    status(StatusCode::OK)
                }
                None => status(StatusCode::NOT_FOUND),
            }
        }
        (Method::GET, Some(session)) => match pool.session(&session) {
            Some(child) => own_stream(&child),
            None => status(StatusCode::NOT_FOUND),
        },
        _ => {
            let mut reply = status(StatusCode::METHOD_NOT_ALLOWED);
            let allowed = HeaderValue::from_static("POST");
            reply.headers_mut().insert(ALLOW, allowed);
            reply
        }
    }
}

fn session(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(header::SESSION_ID)?;
    id.to_str().ok().map(str::to_owned)
}

async fn post(pool: &Arc<Pool>, session: Option<&str>, body: &[u8]) -> Reply {
    let message = match Message::decode(body, MAX_DEPTH) {
        Ok(message) => message,
        Err(error) => {
            let text = message::failure(None, &error.to_error());
            return json(StatusCode::BAD_REQUEST, text);
        }
    };
    let child = match session {
        Some(session) => match pool.session(session) {
            Some(child) => child,
            None => return status(StatusCode::NOT_FOUND),
        },
        None => {
            if let (Some("initialize"), Some(id)) = (message.method(), message.id()) {
                return initialize(pool, id, &message).await;
            }
            match pool.stateless().await {
                Ok(child) => child,
                Err(error) => return unavailable(message.id(), &error),
            }
        }
    };
    match (message.kind(), message.method()) {
        (Kind::Request { id, .. }, Some("server/discover")) if session.is_none() => {
            discover(pool, &child, id, &message, body).await
        }
        (Kind::Request { id, .. }, _) => {
            match Call::begin(&child, &message, body, session.is_none()).await {
                Some(call) => relay(call, id).await,
                None if child.is_over() && session.is_some() => status(StatusCode::NOT_FOUND),
                None => unavailable(Some(id), &NoChild::Ended),
            }
        }
        _ if child.write(body.to_vec()).await => status(StatusCode::ACCEPTED),
        _ if session.is_some() => status(StatusCode::NOT_FOUND),
        _ => unavailable(None, &NoChild::Ended),
    }
}

async fn initialize(pool: &Arc<Pool>, id: &Id<'_>, message: &Message<'_>) -> Reply {
    let params = message.object().value("params").unwrap_or("{}");
    let Opened { session, answer } = match pool.open(params).await {
        Ok(opened) => opened,
        Err(error) => return unavailable(Some(id), &error),
    };
    let Ok(answer) = Message::decode(&answer, MAX_DEPTH) else {
        return unavailable(Some(id), &NoChild::Ended);
    };
    let mut reply = json(StatusCode::OK, answer.with_id(id));
    if let Some(session) = session.and_then(|session| HeaderValue::try_from(session).ok()) {
        reply.headers_mut().insert(header::SESSION_ID, session);
    }
    reply
}

/// Asks for the era. An answer of any other kind, or none, means legacy
/// (2026-07-28, stdio, "Backward compatibility"); the child is then greeted.
async fn discover(
    pool: &Arc<Pool>,
    child: &Arc<Child>,
    id: &Id<'_>,
    message: &Message<'_>,
    body: &[u8],
) -> Reply {
    let Some(call) = Call::begin(child, message, body, false).await else {
        return unavailable(Some(id), &NoChild::Ended);
    };
    let mut settling = Box::pin(settled(call));
    let answer = match timeout(PROBE, &mut settling).await {
        Ok(Some(answer)) => answer,
        Ok(None) => {
            // Some end on what they do not know. Whether they start at all, the
            // greeting will tell.
            let text = "the program ended when asked";
            let error = ErrorObject::new(error::METHOD_NOT_FOUND, text);
            return json(StatusCode::OK, message::failure(Some(id), &error));
        }
        Err(_) => {
            // It may only be slow to start. So that its era is not mixed up, another
            // child is greeted, unless this one answers first.
            let (pool, child) = (Arc::clone(pool), Arc::clone(child));
            pool.tasks.clone().spawn(async move {
                if let Some(answer) = settling.await {
                    settle_era(&pool, &child, &answer);
                }
            });
            let error = ErrorObject::unknown_method("server/discover");
            return json(StatusCode::OK, message::failure(Some(id), &error));
        }
    };
    settle_era(pool, child, &answer);
    json(StatusCode::OK, answer)
}

/// What a child said of its era decides what it is for.
fn settle_era(pool: &Arc<Pool>, child: &Arc<Child>, answer: &Bytes) {
    pool.note(true);
    let read = Message::decode(answer, MAX_DEPTH).ok();
    if let Verdict::Modern(_) = probe::verdict(StatusCode::OK, read.as_ref()) {
        let mut held = pool.held();
        let spare = held.spare.as_ref();
        if spare.is_some_and(|spare| Arc::ptr_eq(spare, child)) {
            held.modern = held.spare.take();
            pool.watch(child);
        }
    }
}

async fn settled(mut call: Call) -> Option<Bytes> {
    loop {
        let bytes = call.next().await?;
        let message = Message::decode(&bytes, MAX_DEPTH).ok()?;
        if call.is_answered_by(&message) {
            return Some(bytes);
        }
    }
}

/// The answer alone as JSON; with other messages before it, as events.
async fn relay(mut call: Call, id: &Id<'_>) -> Reply {
    let Some(first) = call.next().await else {
        return unavailable(Some(id), &NoChild::Ended);
    };
    let is_answer = Message::decode(&first, MAX_DEPTH).is_ok_and(|it| call.is_answered_by(&it));
    if is_answer {
        return json(StatusCode::OK, first);
    }
    let rest = stream::unfold(
        call,
        |mut call| async move { Some((call.next().await?, call)) },
    );
    events(stream::once(async { first }).chain(rest))
}

fn own_stream(child: &Arc<Child>) -> Reply {
    let messages = child.inbox.listen();
    events(stream::unfold(messages, |mut messages| async move {
        Some((messages.recv().await?, messages))
    }))
}

fn events(messages: impl futures::Stream<Item = Bytes> + Send + 'static) -> Reply {
    let frames = messages.map(|bytes| {
        let text = sse::frame(&String::from_utf8_lossy(&bytes));
        Ok::<_, Infallible>(Frame::data(Bytes::from(text)))
    });
    typed("text/event-stream", StreamBody::new(frames).boxed_unsync())
}

fn json(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    let mut reply = typed("application/json", Full::new(text.into()).boxed_unsync());
    *reply.status_mut() = status;
    reply
}

fn typed(media_type: &'static str, body: UnsyncBoxBody<Bytes, Infallible>) -> Reply {
    let mut reply = Response::new(body);
    let value = HeaderValue::from_static(media_type);
    reply.headers_mut().insert(CONTENT_TYPE, value);
    reply
}

fn status(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::default().boxed_unsync());
    *reply.status_mut() = status;
    reply
}

/// Without a child there is no answer now, and there may be one later.
fn unavailable(id: Option<&Id<'_>>, reason: &NoChild) -> Reply {
    let error = ErrorObject::new(error::INTERNAL_ERROR, reason.to_string());
    json(
        StatusCode::SERVICE_UNAVAILABLE,
        message::failure(id, &error),
    )
}
