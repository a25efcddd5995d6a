//! One attempt at one upstream: send, read the head of the answer, and only then
//! say whether it is one.

use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use agentkube_llm::{End, Head, classify};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, LOCATION};
use http::{Method, Response, StatusCode, Uri, response};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;
use tower::Service;

use super::clock::Clock;
use super::credential::Proven;
use super::dial::{Dial, UpstreamRequest};
use super::failed::{Failed, Kind, Refusal};
use super::headers::{self, ClientHeaders};
use super::metrics::Outcome;
use super::settle::Settlement;
use super::stream::{RestBody, StreamBody};
use super::table::{Candidate, Upstream};
use super::wire::Wire;
use crate::edge::Body;

/// Of an answer in one piece, how much is read before any of it goes to the
/// client, so that one that is cut can fail over. More is passed on as it comes.
const WHOLE: usize = 4 * 1024 * 1024;

/// Of an answer that is translated, which has to be read as a whole: pictures and
/// embeddings are large.
const TRANSLATED: usize = 32 * 1024 * 1024;

/// Of a refusal.
const REFUSAL: usize = 1024 * 1024;

/// Of a stream before its first event: comments and pings, and OpenAI's
/// announcements of a response, which repeat all tools of the request.
const PREAMBLE: usize = 4 * 1024 * 1024;

/// What an attempt sends.
pub(super) struct Outbound<'a> {
    pub(super) headers: &'a ClientHeaders,
    pub(super) wire: &'a Wire,
}

/// Makes one attempt. On success the response is ready to go to the client.
pub(super) async fn attempt<D: Dial>(
    candidate: &Candidate<D::Client>,
    outbound: Outbound<'_>,
) -> Result<Response<Body>, Failed> {
    let upstream = &candidate.upstream;
    let timeouts = &upstream.spec.timeouts;
    let now = Instant::now();
    let mut settlement = Settlement::open(candidate, outbound.wire.counts(), now);
    let mut clock = Clock::start(now, timeouts.first_token);
    let wire = outbound.wire;
    let sent = {
        // Pinned here, so that waiting for it does not hold it a second time.
        let sending = pin!(send(upstream, outbound));
        clock.within(sending).await
    };
    let result = match sent {
        None => Err(late(timeouts.first_token)),
        Some(Err(failed)) => Err(failed),
        Some(Ok(response)) => {
            let (head, body) = response.into_parts();
            let exchange = Exchange {
                upstream,
                wire,
                clock,
                settlement: &mut settlement,
            };
            let body = exchange.read(&head, body).await;
            body.map(|body| {
                // Nothing else of the upstream's head is ours.
                let mut response = Response::new(body);
                *response.status_mut() = head.status;
                let headers = response.headers_mut();
                *headers = headers::to_client(head.headers);
                wire.announce(headers);
                response
            })
        }
    };
    result.map_err(|failed| {
        settlement.close(failed.kind.outcome());
        failed.without_key(&upstream.key)
    })
}

/// What an attempt holds while it reads the head of an answer.
struct Exchange<'a, C> {
    upstream: &'a Upstream<C>,
    wire: &'a Wire,
    clock: Clock,
    settlement: &'a mut Settlement,
}

impl<C> Exchange<'_, C> {
    async fn read<B>(mut self, head: &response::Parts, body: B) -> Result<Body, Failed>
    where
        B: HttpBody<Data = Bytes, Error: Into<crate::edge::BoxError>> + Send + Unpin + 'static,
    {
        if head.status.is_redirection() {
            return Err(redirected(head));
        }
        if !head.status.is_success() {
            return Err(Box::pin(self.refused(head, body)).await);
        }
        let encoded = head.headers.contains_key(CONTENT_ENCODING);
        let streamed = is_stream(&head.headers, self.wire) && !encoded;
        let unreadable = encoded && self.wire.is_translated();
        if unreadable || self.wire.must_stream().is_some_and(|must| must != streamed) {
            let what = "the provider answered in another form than it was asked for";
            return Err(Failed::new(Kind::ServerError, what));
        }
        if streamed {
            Box::pin(self.stream(body)).await
        } else {
            self.whole(&head.headers, body, encoded).await
        }
    }

    async fn refused<B>(&mut self, head: &response::Parts, mut body: B) -> Failed
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let mut bytes = BytesMut::new();
        // A refusal that is cut is still one.
        while bytes.len() < REFUSAL {
            match self.clock.within(body.frame()).await {
                Some(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        bytes.extend_from_slice(&chunk);
                    }
                }
                _ => break,
            }
        }
        let body = bytes.freeze();
        let failure = classify(head.status, &head.headers, &body, SystemTime::now());
        let dialect = self.wire.service().dialect;
        let legible = !self.wire.is_translated() && !failure.is_foreign_to(dialect);
        let mut failed = Failed::provider(failure, head.status, &self.upstream.spec);
        // Its own words are the best ones, where the client can read them.
        failed.refusal = legible.then(|| {
            Box::new(Refusal {
                status: head.status,
                headers: head.headers.clone(),
                body,
            })
        });
        failed
    }

    /// Reads until the first event: until then nothing reached the client and
    /// another upstream may still be tried.
    async fn stream<B>(mut self, mut body: B) -> Result<Body, Failed>
    where
        B: HttpBody<Data = Bytes, Error: Into<crate::edge::BoxError>> + Send + Unpin + 'static,
    {
        let mut tap = self.wire.tap();
        let mut preamble = 0;
        while matches!(tap.head(), Head::Awaited) && preamble < PREAMBLE {
            let frame = self.clock.within(body.frame()).await;
            let end = match frame {
                None => return Err(late(self.upstream.spec.timeouts.first_token)),
                Some(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        preamble += chunk.len();
                        // An event over the limit shows in the head.
                        let _ = tap.feed(chunk);
                    }
                    continue;
                }
                Some(Some(Err(_))) => End::Cut,
                Some(None) => End::Clean,
            };
            tap.finish(end);
            if matches!(tap.head(), Head::Awaited) {
                return Err(Failed::new(
                    Kind::ServerError,
                    "the provider's stream was empty",
                ));
            }
        }
        if let Head::Failed(failure) = tap.head() {
            let spec = &self.upstream.spec;
            return Err(Failed::provider(failure.clone(), StatusCode::OK, spec));
        }
        self.settlement.first_token();
        let settlement = self.settlement.take();
        let idle = self.upstream.spec.timeouts.idle;
        Ok(StreamBody::body(body, tap, self.clock, idle, settlement))
    }

    async fn whole<B>(
        mut self,
        head: &HeaderMap,
        mut body: B,
        encoded: bool,
    ) -> Result<Body, Failed>
    where
        B: HttpBody<Data = Bytes, Error: Into<crate::edge::BoxError>> + Send + Unpin + 'static,
    {
        let idle = self.upstream.spec.timeouts.idle;
        let mut whole = Whole::Nothing;
        loop {
            match self.clock.within(body.frame()).await {
                None => return Err(Failed::new(Kind::Timeout, "the provider's answer stalled")),
                Some(Some(Err(_))) => {
                    return Err(Failed::new(
                        Kind::ServerError,
                        "the provider's answer was cut",
                    ));
                }
                Some(None) => break,
                Some(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        whole.push(chunk);
                    }
                }
            }
            let translated = self.wire.is_translated();
            if whole.len() > if translated { TRANSLATED } else { WHOLE } {
                if translated {
                    let limit = TRANSLATED >> 20;
                    let what = format!("the provider's answer is larger than {limit} MiB");
                    return Err(Failed::new(Kind::ServerError, what));
                }
                self.settlement.first_token();
                let settlement = self.settlement.take();
                self.clock.restart(idle);
                let mut read = whole.take();
                if !encoded {
                    read = self.wire.beginning(read);
                }
                let dialect = self.wire.service().dialect;
                let rest = RestBody::body(dialect, read, body, self.clock, idle, settlement);
                return Ok(rest);
            }
            if body.is_end_stream() {
                break;
            }
            self.clock.restart(idle);
        }
        let mut bytes = whole.take();
        if !encoded {
            let read = self.wire.whole(head, bytes).map_err(|failure| {
                Failed::provider(failure, StatusCode::OK, &self.upstream.spec)
            })?;
            self.settlement.used(read.1);
            bytes = read.0;
        }
        // Not before it is known to be one: an error under 200 is no answer.
        self.settlement.first_token();
        self.settlement.close(Outcome::Ok);
        Ok(Body::full(bytes))
    }
}

/// An answer in one piece; nearly always it comes in one chunk.
enum Whole {
    Nothing,
    One(Bytes),
    Many(BytesMut),
}

impl Whole {
    fn push(&mut self, chunk: Bytes) {
        *self = match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => Self::One(chunk),
            Self::One(first) => {
                let mut many = BytesMut::with_capacity((first.len() + chunk.len()) * 2);
                many.extend_from_slice(&first);
                many.extend_from_slice(&chunk);
                Self::Many(many)
            }
            Self::Many(mut many) => {
                many.extend_from_slice(&chunk);
                Self::Many(many)
            }
        };
    }

    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::One(bytes) => bytes.len(),
            Self::Many(bytes) => bytes.len(),
        }
    }

    fn take(&mut self) -> Bytes {
        match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => Bytes::new(),
            Self::One(bytes) => bytes,
            Self::Many(bytes) => bytes.freeze(),
        }
    }
}

async fn send<C, B>(upstream: &Upstream<C>, outbound: Outbound<'_>) -> Result<Response<B>, Failed>
where
    C: Service<UpstreamRequest, Response = Response<B>, Error = crate::upstream::SendError> + Clone,
{
    let body = outbound.wire.body();
    let mut again = true;
    loop {
        let (request, proven) = prove(upstream, &outbound, &body).await?;
        let mut client = upstream.client.clone();
        let ready = poll_fn(|cx| client.poll_ready(cx)).await;
        ready.map_err(Failed::send)?;
        let answer = client.call(request).await.map_err(Failed::send)?;
        // A refusal did nothing, so every request may be sent again.
        let key = &upstream.key;
        let (status, headers) = (answer.status(), answer.headers());
        if !again || !key.may_try_again(&proven, status, headers).await {
            return Ok(answer);
        }
        again = false;
    }
}

/// The request with what proves who sends it.
async fn prove<C>(
    upstream: &Upstream<C>,
    outbound: &Outbound<'_>,
    body: &Bytes,
) -> Result<(UpstreamRequest, Proven), Failed> {
    let wire = outbound.wire;
    let mut request = UpstreamRequest::new(Full::new(body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = wire.uri().clone();
    let headers = request.headers_mut();
    *headers = wire.headers(outbound.headers);
    headers.insert(HOST, upstream.addresses.host().clone());
    for (name, value) in wire.service().default_headers {
        headers
            .entry(*name)
            .or_insert(http::HeaderValue::from_static(value));
    }
    let proven = upstream.key.prove(&mut request, body).await?;
    Ok((request, proven))
}

fn late(limit: Duration) -> Failed {
    let what = format!("the provider sent nothing within {}ms", limit.as_millis());
    Failed::new(Kind::Timeout, what)
}

fn redirected(head: &response::Parts) -> Failed {
    let status = head.status.as_u16();
    let host = head
        .headers
        .get(LOCATION)
        .and_then(|location| location.to_str().ok()?.parse::<Uri>().ok())
        .and_then(|location| location.host().map(str::to_owned));
    let what = match host {
        Some(host) => format!("it redirects to {host} ({status}); redirects are not followed"),
        None => format!("it redirects ({status}); redirects are not followed"),
    };
    Failed::new(Kind::ServerError, what)
}

/// Whether the answer comes in the events of the provider's wire.
fn is_stream(headers: &HeaderMap, wire: &Wire) -> bool {
    let framing = wire.service().dialect.framing();
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        let media = value.split(|b| *b == b';').next().unwrap_or_default();
        let media = media.trim_ascii();
        media.eq_ignore_ascii_case(framing.content_type().as_bytes())
    })
}
