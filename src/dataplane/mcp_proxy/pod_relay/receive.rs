//! The port where other replicas hand on what only this Pod can serve.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderValue, Request, Response};
use http_body::Body as HttpBody;
use tower::Service;
use tracing::{error, warn};

use super::envelope::{ADDED, Letter, TICKET};
use super::{tag_of, tell};
use crate::edge::{Body, Fault, InFlight, Plane, Routed, collect};
use crate::mcp_proxy::proxy::State;
use crate::mcp_proxy::route::{ProxyError, ProxyPlane, Route};
use crate::mcp_proxy::service::{self, Way};
use crate::mcp_proxy::serving::Serving;
use crate::mcp_proxy::telling;

/// The shared layers on the port of replicas. Routes are only for counting: what a
/// request is says its ticket.
#[derive(Clone, Copy, Debug)]
pub struct RelayedPlane;

impl Plane for RelayedPlane {
    type Route = Route;
    type Error = ProxyError;

    fn route<B>(&self, request: &Request<B>) -> Route {
        match request.uri().path() {
            tell::PATH => Route::Told,
            _ => Route::Relayed,
        }
    }

    fn render(&self, route: Route, fault: Fault<ProxyError>) -> Response<Body> {
        ProxyPlane.render(route, fault)
    }
}

/// Serves what other replicas hand on.
#[derive(Clone)]
pub struct Relayed {
    state: Arc<State>,
    /// Bounded behind the proof: a refusal that nobody proves is taken for another
    /// Pod's, and the session for gone.
    work: InFlight<Work>,
}

impl Relayed {
    /// At most so many requests at once.
    pub(in crate::mcp_proxy) fn new(state: Arc<State>, most: usize) -> Self {
        let work = InFlight::new(most, Work);
        Self { state, work }
    }
}

impl std::fmt::Debug for Relayed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relayed").finish_non_exhaustive()
    }
}

type Answering<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

impl<B> Service<Routed<Route, B>> for Relayed
where
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = ProxyError;
    type Future = Answering<ProxyError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, routed: Routed<Route, B>) -> Self::Future {
        Box::pin(receive(self.clone(), routed.request))
    }
}

/// The ticket is checked before a byte of the body is read. Who was asked proves
/// it in every answer from then on, whatever that is.
async fn receive<B>(relayed: Relayed, request: Request<B>) -> Result<Response<Body>, ProxyError>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    let Relayed { state, mut work } = relayed;
    let serving = state.serving().ok_or(ProxyError::NoPlan)?;
    let here = state.relays.here().ok_or(ProxyError::NoReplica)?;
    let (sealer, object) = (&serving.sealer, serving.loaded.plan.object.to_string());
    let letter = Letter::open(sealer, &object, request.headers());
    let letter = letter.ok_or(ProxyError::NoReplica)?;
    let is_told = letter.to == tag_of(here.address);
    // A session that lives in a Pod goes with it. What is told concerns calls that the
    // Pod still works on.
    let is_handed_on = letter.to == here.pod && !state.closing.is_cancelled();
    if !is_told && !is_handed_on {
        return Err(ProxyError::NoReplica);
    }
    if !state.relays.admits(&letter) {
        warn!("a request of another replica is old or came twice: do the clocks agree?");
        return Err(ProxyError::NoReplica);
    }
    let proof = letter.proof(sealer, &object).ok_or(ProxyError::NoReplica)?;
    let answer = work.call(Opened {
        state,
        serving,
        letter,
        is_told,
        body: request.into_body(),
    });
    Ok(proven(answer, proof).await)
}

/// The answer, or what went wrong, with the proof.
async fn proven(
    answer: impl Future<Output = Result<Response<Body>, Fault<ProxyError>>>,
    proof: HeaderValue,
) -> Response<Body> {
    // Unwind safety: a future that panicked is never polled again.
    let answer = AssertUnwindSafe(answer).catch_unwind().await;
    let answer = answer.unwrap_or_else(|_| {
        // The panic hook printed where; the payload may hold user data.
        error!("the handler of another replica's request panicked");
        // Whether the call was made is not known, so it must not be made again.
        Err(Fault::Failed(ProxyError::Broken))
    });
    let mut response = answer.unwrap_or_else(|fault| RelayedPlane.render(Route::Relayed, fault));
    response.headers_mut().insert(TICKET, proof);
    response
}

/// A request whose ticket was opened.
struct Opened<B> {
    state: Arc<State>,
    serving: Arc<Serving>,
    letter: Letter,
    /// A word about a session; else a request of its client.
    is_told: bool,
    body: B,
}

/// Does what the letters say.
#[derive(Clone, Copy, Debug)]
struct Work;

impl<B> Service<Opened<B>> for Work
where
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = ProxyError;
    type Future = Answering<ProxyError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, opened: Opened<B>) -> Self::Future {
        Box::pin(serve(opened))
    }
}

async fn serve<B>(opened: Opened<B>) -> Result<Response<Body>, ProxyError>
where
    B: HttpBody<Data = Bytes>,
{
    let Opened {
        state,
        serving,
        letter,
        is_told,
        body,
    } = opened;
    let plan = &serving.loaded.plan;
    let object = plan.object.to_string();
    let limit = match is_told {
        true => tell::MAX_TOLD,
        false => usize::try_from(plan.limits.message_bytes).unwrap_or(usize::MAX),
    };
    let body = collect(body, limit.saturating_add(ADDED)).await?;
    if is_told {
        let word = letter.body(&serving.sealer, &object, &body);
        let heard = word.zip(letter.session()).and_then(|(word, session)| {
            let heard = telling::hear(&state, &serving, &letter.client, session, &word)?;
            letter.seal_answer(&serving.sealer, &object, &heard)
        });
        return heard
            .map(|heard| Response::new(Body::full(heard)))
            .ok_or(ProxyError::Session);
    }
    let request = letter.request(&serving.sealer, &object, &body);
    let request = request.ok_or(ProxyError::NoReplica)?;
    service::serve(&state, &serving, &letter.client, Way::Relayed, request).await
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    async fn status_of(
        answer: impl Future<Output = Result<Response<Body>, Fault<ProxyError>>>,
    ) -> StatusCode {
        let response = proven(answer, HeaderValue::from_static("proof")).await;
        assert_eq!(response.headers()[TICKET], "proof");
        response.status()
    }

    #[tokio::test]
    async fn a_defect_and_a_refusal_are_proven_and_no_session_is_told_to_be_gone() {
        let defect = async { panic!("a defect") };
        assert_eq!(status_of(defect).await, StatusCode::BAD_GATEWAY);
        let refused = async { Err(Fault::Overloaded) };
        assert_eq!(status_of(refused).await, StatusCode::SERVICE_UNAVAILABLE);
    }
}
