//! The port where other replicas hand on what only this Pod can serve.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower::Service;
use tracing::warn;

use super::envelope::{ADDED, Letter, TICKET};
use crate::edge::{Body, Fault, Plane, Routed, collect};
use crate::mcp_proxy::proxy::State;
use crate::mcp_proxy::route::{ProxyError, ProxyPlane, Route};
use crate::mcp_proxy::service::{self, Way};

/// The shared layers on the port of replicas: everything there is one route.
#[derive(Clone, Copy, Debug)]
pub struct RelayedPlane;

impl Plane for RelayedPlane {
    type Route = Route;
    type Error = ProxyError;

    fn route<B>(&self, _: &Request<B>) -> Route {
        Route::Relayed
    }

    fn render(&self, route: Route, fault: Fault<ProxyError>) -> Response<Body> {
        ProxyPlane.render(route, fault)
    }
}

/// Serves what other replicas hand on.
#[derive(Clone)]
pub struct Relayed(Arc<State>);

impl Relayed {
    pub(in crate::mcp_proxy) fn new(state: Arc<State>) -> Self {
        Self(state)
    }
}

impl std::fmt::Debug for Relayed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relayed").finish_non_exhaustive()
    }
}

impl<B> Service<Routed<Route, B>> for Relayed
where
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = ProxyError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, ProxyError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, routed: Routed<Route, B>) -> Self::Future {
        Box::pin(receive(Arc::clone(&self.0), routed.request))
    }
}

/// The ticket is checked before a byte of the body is read. Who was asked proves
/// it in every answer from then on.
async fn receive<B>(state: Arc<State>, request: Request<B>) -> Result<Response<Body>, ProxyError>
where
    B: HttpBody<Data = Bytes>,
{
    let serving = state.serving().ok_or(ProxyError::NoPlan)?;
    let here = state.relays.here().ok_or(ProxyError::NoReplica)?;
    let (sealer, object) = (&serving.sealer, serving.loaded.plan.object.to_string());
    let letter = Letter::open(sealer, &object, request.headers());
    let letter = letter.filter(|letter| letter.to == here.pod);
    let letter = letter.ok_or(ProxyError::NoReplica)?;
    if !state.relays.admits(&letter) {
        warn!("a request of another replica is old or came twice: do the clocks agree?");
        return Err(ProxyError::NoReplica);
    }
    let proof = letter.proof(sealer, &object).ok_or(ProxyError::NoReplica)?;
    let answer = async {
        let limit = usize::try_from(serving.loaded.plan.limits.message_bytes);
        let limit = limit.unwrap_or(usize::MAX).saturating_add(ADDED);
        let body = collect(request.into_body(), limit).await?;
        let request = letter.request(sealer, &object, &body);
        let request = request.ok_or(ProxyError::NoReplica)?;
        service::serve(&state, &serving, &letter.client, Way::Relayed, request).await
    };
    let mut response = match answer.await {
        Ok(response) => response,
        Err(error) => RelayedPlane.render(Route::Relayed, Fault::Failed(error)),
    };
    response.headers_mut().insert(TICKET, proof);
    Ok(response)
}
