//! Bearer tokens that another server gives.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::Full;
use secrecy::ExposeSecret;
use tower::{Service, ServiceExt};

use super::PATIENCE;
use crate::edge::{BoxError, collect};
use crate::source::SecretValue;
use crate::upstream::{self, Fetch, Issued, NoToken, SendError, read_token};

/// Longest answer of a token server: bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Tokens that are still looked for in answers. Older ones have expired.
const REMEMBERED: usize = 8;

/// Calls a token server.
pub(super) trait Calls:
    Service<
        Request<Full<Bytes>>,
        Response = Response<Self::Answer>,
        Error = SendError,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static
{
    /// The body of an answer.
    type Answer: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;
}

impl<C, B> Calls for C
where
    C: Service<Request<Full<Bytes>>, Response = Response<B>, Error = SendError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Answer = B;
}

/// Asks for a token. The error is a sentence for people, without secrets.
pub(super) type Ask = Box<dyn Fn() -> BoxFuture<'static, Result<Given, String>> + Send + Sync>;

/// A token that was given, and what goes along with it.
pub(super) struct Given {
    pub(super) issued: Issued,
    /// The project that pays, where the token belongs to none (Google).
    pub(super) project: Option<HeaderValue>,
}

impl From<Issued> for Given {
    fn from(issued: Issued) -> Self {
        Self {
            issued,
            project: None,
        }
    }
}

/// A token, as the headers that carry it.
pub(in crate::llm_gateway) type Token = upstream::Token<Bearer>;

/// The headers that prove who sends a request.
#[derive(Clone)]
pub(in crate::llm_gateway) struct Bearer {
    pub(super) authorization: HeaderValue,
    pub(super) project: Option<HeaderValue>,
}

/// The tokens of one upstream.
pub(in crate::llm_gateway) struct Tokens(upstream::Tokens<Asking>);

struct Asking {
    ask: Ask,
    given: Mutex<VecDeque<HeaderValue>>,
}

impl Tokens {
    pub(super) fn new(ask: Ask) -> Self {
        let asking = Asking {
            ask,
            given: Mutex::default(),
        };
        Self(upstream::Tokens::new(asking, PATIENCE))
    }

    /// A token that is good now.
    pub(super) async fn token(&self) -> Result<Arc<Token>, String> {
        self.0.token().await
    }

    /// True when there is another token than this one, which was refused.
    pub(super) async fn replaced(&self, refused: &Arc<Token>) -> bool {
        matches!(self.0.instead_of(refused).await, Ok(Some(_)))
    }

    /// True when this text holds one of the tokens.
    pub(super) fn are_quoted_in(&self, text: &[u8]) -> bool {
        let given = self.0.source().given();
        given.iter().any(|token| super::is_in(token, text))
    }
}

impl Fetch for Asking {
    type Value = Bearer;
    type Error = String;

    async fn fetch(&self) -> Result<(Bearer, Option<Duration>), String> {
        let Given { issued, project } = (self.ask)().await?;
        let bytes = issued.token.expose_secret().as_bytes().to_vec();
        let header = SecretValue::new(bytes).and_then(|value| value.header("Bearer "));
        let header = header.ok_or("the token server gave no token that a header can carry")?;
        let mut given = self.given();
        given.push_front(header.clone());
        given.truncate(REMEMBERED);
        let bearer = Bearer {
            authorization: header,
            project,
        };
        Ok((bearer, issued.lifetime))
    }

    fn slow(&self, patience: Duration) -> String {
        format!("no token within {} s", patience.as_secs())
    }
}

impl Asking {
    fn given(&self) -> MutexGuard<'_, VecDeque<HeaderValue>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a request for a token. What a server says about a refusal is not
/// repeated, but for the codes of the standards: it may quote what it was sent.
pub(super) async fn fetch<C: Calls>(
    client: C,
    request: Request<Full<Bytes>>,
) -> Result<Issued, String> {
    let from = place(request.uri());
    let answer = call(client, request).await;
    let (head, body) = answer.map_err(|why| said(&from, &why))?;
    read_token(head.status, &body).map_err(|why| said(&from, &why))
}

/// The same, and the head of the answer.
pub(super) async fn call<C: Calls>(
    client: C,
    request: Request<Full<Bytes>>,
) -> Result<(Head, Bytes), NoToken> {
    let (head, body) = client.oneshot(request).await?.into_parts();
    let body = collect(body, MAX_ANSWER).await.map_err(|_| NoToken::Cut)?;
    let head = Head {
        status: head.status,
        headers: head.headers,
    };
    Ok((head, body))
}

/// What a token server's answer begins with.
pub(super) struct Head {
    pub(super) status: http::StatusCode,
    pub(super) headers: HeaderMap,
}

/// Who was asked: without the path, which some clouds put names into.
pub(super) fn place(uri: &Uri) -> String {
    uri.host().unwrap_or_default().to_owned()
}

/// The sentence for a token that was not given.
pub(super) fn said(from: &str, why: &NoToken) -> String {
    format!("no token from {from}: {why}")
}

/// A form on its way.
pub(super) fn posted(url: Uri, fields: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::from(upstream::form(fields)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url;
    let headers = request.headers_mut();
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(CONTENT_TYPE, form);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    request
}

/// A file that the platform puts into the pod.
pub(super) async fn file(name: &str, path: &str) -> Result<String, String> {
    use tokio::io::AsyncReadExt;

    const LONGEST: u64 = 64 * 1024;
    let read = async {
        let file = tokio::fs::File::open(path).await?;
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    };
    read.await
        .map_err(|error| format!("{name} cannot be read: {error}"))
}
