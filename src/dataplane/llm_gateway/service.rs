//! A request from its head to an answer: route, authenticate, collect, peek,
//! resolve the model, dispatch.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use agentkube_llm::custody::SignatureStore;
use agentkube_llm::models::{self, Model};
use agentkube_llm::{
    Action, ApiError, Dialect, ErrorKind, Operation, RouteError, names, peek, route,
};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body as HttpBody;
use tower::Service;

use super::budget::RetryBudget;
use super::capabilities::Capabilities;
use super::dial::Dial;
use super::dice::Dice;
use super::dispatch::{ChatCall, dispatch};
use super::error::GatewayError;
use super::headers::ClientHeaders;
use super::plane::GatewayRoute;
use super::table::{Lookup, ModelRoute, Table};
use crate::edge::{Body, BodyBudget, Client, CollectError, Routed, collect_held, discard};

/// The gateway's own service, inside the shared layers. It is cloned for each
/// request, so it is one pointer.
pub struct GatewayService<D: Dial>(Arc<Shared<D>>);

/// What all requests of a gateway use.
pub(super) struct Shared<D: Dial> {
    pub(super) table: Arc<ArcSwap<Table<D::Client>>>,
    pub(super) dice: Arc<dyn Dice>,
    pub(super) store: Arc<dyn SignatureStore>,
    pub(super) budget: Arc<RetryBudget>,
    pub(super) bodies: BodyBudget,
    pub(super) capabilities: Capabilities,
    pub(super) body_limit: usize,
}

impl<D: Dial> Clone for GatewayService<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Dial> std::fmt::Debug for GatewayService<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GatewayService")
    }
}

impl<D: Dial> GatewayService<D> {
    pub(super) fn new(shared: Shared<D>) -> Self {
        Self(Arc::new(shared))
    }
}

impl<D, B> Service<Routed<GatewayRoute, B>> for GatewayService<D>
where
    D: Dial,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = GatewayFault;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, GatewayFault>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), GatewayFault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, routed: Routed<GatewayRoute, B>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(shared.answer(routed))
    }
}

/// The error that [`GatewayService`] hands to the edge.
#[derive(Debug)]
pub struct GatewayFault(pub(super) GatewayError);

/// What is known of a request once all of it was read.
enum Read<'a, C> {
    /// Its answer.
    Answer(Response<Body>),
    /// Upstreams have the answer.
    Call(ChatCall<'a, C>),
}

impl<D: Dial> Shared<D> {
    async fn answer<B>(
        self: Arc<Self>,
        routed: Routed<GatewayRoute, B>,
    ) -> Result<Response<Body>, GatewayFault>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
    {
        // What reading needs takes no room any more while upstreams are asked.
        let answer = match self.read(routed).await {
            Ok(Read::Answer(response)) => Ok(response),
            Ok(Read::Call(call)) => dispatch::<D>(&call, &*self.dice).await,
            Err(error) => Err(error),
        };
        answer.map_err(GatewayFault)
    }

    async fn read<B>(
        &self,
        routed: Routed<GatewayRoute, B>,
    ) -> Result<Read<'_, D::Client>, GatewayError>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
    {
        // One snapshot a request: a plan that changes under way does not matter.
        let table = self.table.load_full();
        let limit = self.body_limit;
        let Routed { route, request } = routed;
        if route == GatewayRoute::Livez {
            return Ok(Read::Answer(Response::new(Body::full("ok\n"))));
        }
        let (head, body) = request.into_parts();
        let dialect = route.dialect();
        // It sent no body yet, and reading would ask it to (RFC 9110, 10.1.1).
        let waits = head.headers.contains_key(EXPECT);
        let (operation, client) = match admit(&table, &head) {
            Ok(admitted) => admitted,
            Err(error) => {
                if !waits {
                    Box::pin(discard(body)).await;
                }
                return Err(error);
            }
        };
        let (said, action) = match operation {
            Operation::Generate(said) => (said, Action::Generate),
            Operation::CountTokens(said) => (said, Action::CountTokens),
            Operation::Embed(form, said) => (said, Action::Embed(form)),
            Operation::ListModels => return Ok(Read::Answer(list(&table, dialect))),
            Operation::ShowModel(name) => return show(&table, dialect, &name).map(Read::Answer),
            Operation::ShowModelOfBody => {
                let mut held = self.bodies.hold();
                let raw = collect_held(body, limit, &mut held).await?;
                let peeked = peek(&raw).map_err(|error| error.to_error())?;
                let name = peeked.model.unwrap_or_default();
                return show(&table, dialect, &name).map(Read::Answer);
            }
            Operation::Version => return Ok(Read::Answer(json(models::version()))),
        };
        if waits && body.size_hint().lower() > limit as u64 {
            return Err(CollectError::TooLarge { limit }.into());
        }
        let mut held = self.bodies.hold();
        let raw = collect_held(body, limit, &mut held).await?;
        let mut peeked = peek(&raw).map_err(|error| error.to_error())?;
        // Where the path names the model or the form, the body has no say.
        peeked.stream = said.stream.unwrap_or_else(|| peeked.streams(dialect));
        peeked.model = said.model.or(peeked.model);
        let action = match action {
            Action::Generate if peeked.stream => Action::Stream,
            other => other,
        };
        let route = resolve(&table, peeked.model.as_deref())?;
        Ok(Read::Call(ChatCall {
            query: query(&head.uri),
            table,
            route,
            dialect,
            headers: ClientHeaders::new(head.headers),
            peeked,
            action,
            raw,
            client,
            store: &self.store,
            capabilities: self.capabilities.load(),
            budget: &self.budget,
            _held: held,
        }))
    }
}

/// What the head of a request decides alone.
fn admit<C>(
    table: &Table<C>,
    head: &http::request::Parts,
) -> Result<(Operation, Client), GatewayError> {
    let client = table.loaded.clients.authenticate(&head.headers)?;
    let operation = operation(head)?;
    uncompressed(&head.headers)?;
    Ok((operation, client))
}

fn operation(head: &http::request::Parts) -> Result<Operation, GatewayError> {
    match route(&head.method, head.uri.path(), &head.headers) {
        Ok(route) => Ok(route.operation),
        Err(error @ RouteError::MethodNotAllowed { allow, .. }) => {
            Err(GatewayError::Method(error.to_error(), allow))
        }
        Err(
            error @ (RouteError::NotFound { .. }
            | RouteError::NotKept { .. }
            | RouteError::NotOfOllama),
        ) => Err(error.to_error().into()),
    }
}

fn uncompressed(headers: &HeaderMap) -> Result<(), GatewayError> {
    match headers.get(CONTENT_ENCODING) {
        None => Ok(()),
        Some(encoding) if encoding == "identity" => Ok(()),
        Some(_) => {
            let message = "compressed request bodies are not supported; send it as it is";
            let error = ApiError::new(ErrorKind::InvalidRequest, message);
            Err(GatewayError::Status(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                error,
            ))
        }
    }
}

fn resolve<C: Clone>(
    table: &Table<C>,
    model: Option<&str>,
) -> Result<Arc<ModelRoute<C>>, GatewayError> {
    match table.lookup(model) {
        Lookup::Found(route) => Ok(route),
        Lookup::NoneNamed => {
            let message = "the request names no model and this gateway has no default";
            let error = ApiError::new(ErrorKind::InvalidRequest, message);
            Err(error.param("model").into())
        }
        Lookup::Unknown => Err(unknown(table, model.unwrap_or_default()).into()),
    }
}

fn unknown<C: Clone>(table: &Table<C>, model: &str) -> ApiError {
    names::unknown_model(model, table.names().map(|(name, _)| name))
}

fn list<C: Clone>(table: &Table<C>, dialect: Dialect) -> Response<Body> {
    let models: Vec<Model<'_>> = table
        .names()
        .map(|(id, route)| Model {
            id,
            owner: route.owner(),
        })
        .collect();
    json(models::list(dialect, &models))
}

fn show<C: Clone>(
    table: &Table<C>,
    dialect: Dialect,
    id: &str,
) -> Result<Response<Body>, GatewayError> {
    let route = table.find(id).ok_or_else(|| unknown(table, id))?;
    let owner = route.owner();
    Ok(json(models::show(dialect, &Model { id, owner })))
}

fn json(body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn query(uri: &http::Uri) -> String {
    uri.query()
        .filter(|query| !query.is_empty())
        .map_or_else(String::new, |query| format!("?{query}"))
}
