//! One POST to an upstream and the head of its answer.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;

use agentkube_mcp::{Kind, MAX_DEPTH, Message, Version, error, header};

use super::UpstreamError;
use super::clock::Clock;
use super::credential::{Credential, Proven};
use super::endpoint::Endpoint;
use super::events::{self, Events};
use super::lane::Lane;
use super::sse::Streams;
use crate::upstream::{UpstreamBody, UpstreamClient};

/// Codes that JSON-RPC leaves to servers, less those that the protocol took.
const SERVER_CODES: std::ops::RangeInclusive<i64> = -32019..=-32000;

/// Bytes of a failed answer that are looked at.
pub(super) const MAX_FAILURE: usize = 64 * 1024;

/// A message on its way to an upstream.
#[derive(Clone, Debug)]
pub(in crate::mcp_proxy) struct Outgoing {
    /// The message, as JSON text.
    pub(in crate::mcp_proxy) body: Bytes,
    /// Its method, for the headers of the modern era.
    pub(in crate::mcp_proxy) method: String,
    /// The upstream's own name for what it names.
    pub(in crate::mcp_proxy) name: Option<String>,
    /// `Mcp-Param-*`.
    pub(in crate::mcp_proxy) params: Vec<(HeaderName, HeaderValue)>,
}

/// What came back.
#[derive(Debug)]
pub(in crate::mcp_proxy) enum Answer {
    /// 202, or nothing.
    Accepted,
    /// One message.
    Message(Bytes),
    /// Messages until the stream ends.
    Events(Box<Events>),
}

/// An answer with the session that it opened.
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) status: StatusCode,
    pub(super) session: Option<HeaderValue>,
}

impl Outgoing {
    /// A message that names nothing.
    pub(in crate::mcp_proxy) fn plain(method: &str, body: String) -> Self {
        Self {
            body: body.into(),
            method: method.to_owned(),
            name: None,
            params: Vec::new(),
        }
    }
}

/// What a message needs to get to an upstream.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) client: UpstreamClient,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) credential: Credential,
    /// Bytes of the largest message.
    pub(super) limit: usize,
    /// The legacy transport, where it may be spoken.
    pub(super) streams: Option<Arc<Streams>>,
}

impl Wire {
    /// Posts a message and reads its answer as far as its first bytes.
    pub(super) async fn post(
        &self,
        lane: &Lane,
        outgoing: &Outgoing,
        clock: &Clock,
    ) -> Result<Answered, UpstreamError> {
        if let Some((streams, session)) = self.over_stream(lane) {
            return streams.post(session, &outgoing.body, clock).await;
        }
        let response = send(&self.client, &self.credential, clock, |proven| {
            self.request(lane, outgoing, proven)
        });
        let response = response.await?;
        let mut clock = clock.clone();
        clock.hear();
        self.read(lane, response, clock).await
    }

    /// True for a session over the legacy transport.
    pub(super) fn is_stream(&self, lane: &Lane) -> bool {
        self.over_stream(lane).is_some()
    }

    /// The legacy transport, and the session, when the lane is one over it.
    fn over_stream<'l>(&self, lane: &'l Lane) -> Option<(&Arc<Streams>, Option<&'l HeaderValue>)> {
        let streams = self.streams.as_ref()?;
        match lane {
            Lane::Greeting => streams.is_spoken().then_some((streams, None)),
            Lane::Legacy(session) => {
                let id = session.id().filter(|id| Streams::is_id(id))?;
                Some((streams, Some(id)))
            }
            Lane::Modern(_) | Lane::Probe => None,
        }
    }

    /// Ends a session (2025-11-25, Transports, "Session Management").
    pub(super) async fn end(&self, lane: &Lane) -> Result<(), UpstreamError> {
        if let Some((streams, Some(session))) = self.over_stream(lane) {
            streams.end(session);
            return Ok(());
        }
        let mut request = Request::new(Full::default());
        *request.method_mut() = http::Method::DELETE;
        *request.uri_mut() = self.endpoint.uri().clone();
        let proven = self.credential.prove().await?;
        common_headers(request.headers_mut(), proven.as_ref());
        lane.add_headers(request.headers_mut());
        self.client.send(request).await?;
        Ok(())
    }

    /// Opens the upstream's own stream of a session; `None` when it has none.
    pub(super) async fn get(
        &self,
        lane: &Lane,
        after: Option<&HeaderValue>,
        clock: &Clock,
    ) -> Result<Option<Events>, UpstreamError> {
        if let Some((streams, Some(session))) = self.over_stream(lane) {
            return streams.listen(session).map(Some);
        }
        let mut request = Request::new(Full::default());
        *request.uri_mut() = self.endpoint.uri().clone();
        let proven = self.credential.prove().await?;
        common_headers(request.headers_mut(), proven.as_ref());
        lane.add_headers(request.headers_mut());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(after) = after {
            headers.insert(header::LAST_EVENT_ID, after.clone());
        }
        let response = clock.wait(self.client.send(request)).await??;
        let (head, body) = response.into_parts();
        match head.status {
            StatusCode::METHOD_NOT_ALLOWED => Ok(None),
            status if !status.is_success() => {
                let body = events::whole(body, clock.clone(), MAX_FAILURE).await?;
                Err(match failed(lane, status, body) {
                    Err(error) => error,
                    Ok(_) => UpstreamError::Status(status),
                })
            }
            _ if media_type(&head.headers) == b"text/event-stream" => {
                Ok(Some(Events::new(body, Clock::endless(), self.limit)))
            }
            _ => Ok(None),
        }
    }

    fn request(
        &self,
        lane: &Lane,
        outgoing: &Outgoing,
        proven: Option<&Proven>,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(outgoing.body.clone()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.endpoint.uri().clone();
        let headers = request.headers_mut();
        common_headers(headers, proven);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        lane.add_headers(headers);
        // These are hop by hop: made from what this hop says, never relayed.
        if let Lane::Modern(_) | Lane::Probe = lane {
            headers.insert(header::METHOD, header::encode(&outgoing.method));
            if let Some(name) = &outgoing.name {
                headers.insert(header::NAME, header::encode(name));
            }
            for (name, value) in &outgoing.params {
                headers.insert(name.clone(), value.clone());
            }
        }
        request
    }

    async fn read(
        &self,
        lane: &Lane,
        response: Response<UpstreamBody>,
        clock: Clock,
    ) -> Result<Answered, UpstreamError> {
        let (head, body) = response.into_parts();
        // It is kept for long, and is a part of all that was read with it.
        let session = head.headers.get(header::SESSION_ID);
        let session = session.and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok());
        let done = |answer| Answered {
            answer,
            status: head.status,
            session,
        };
        if !head.status.is_success() {
            let body = events::whole(body, clock, MAX_FAILURE).await?;
            if let Lane::Probe = lane {
                return Ok(done(Answer::Message(body)));
            }
            return failed(lane, head.status, body).map(|bytes| done(Answer::Message(bytes)));
        }
        match media_type(&head.headers) {
            b"text/event-stream" => Ok(done(Answer::Events(Box::new(Events::new(
                body, clock, self.limit,
            ))))),
            _ if head.status == StatusCode::ACCEPTED || head.status == StatusCode::NO_CONTENT => {
                Ok(done(Answer::Accepted))
            }
            _ => {
                let bytes = events::whole(body, clock, self.limit).await?;
                if bytes.trim_ascii().is_empty() {
                    return Ok(done(Answer::Accepted));
                }
                Ok(done(Answer::Message(bytes)))
            }
        }
    }
}

/// Sends a request that `make` spells for what proves who we are.
pub(super) async fn send(
    client: &UpstreamClient,
    credential: &Credential,
    clock: &Clock,
    make: impl Fn(Option<&Proven>) -> Request<Full<Bytes>>,
) -> Result<Response<UpstreamBody>, UpstreamError> {
    let mut clock = clock.clone();
    let mut proven = credential.prove().await?;
    loop {
        clock.ask();
        let response = clock.wait(client.send(make(proven.as_ref()))).await??;
        let status = response.status();
        // A refusal did nothing, so every call may be sent again.
        match credential.prove_again(proven.as_ref(), status).await? {
            Some(again) => proven = Some(again),
            None => return Ok(response),
        }
    }
}

/// The headers of every request. The client's own are never among them.
pub(super) fn common_headers(headers: &mut HeaderMap, proven: Option<&Proven>) {
    let accept = HeaderValue::from_static("application/json, text/event-stream");
    headers.insert(ACCEPT, accept);
    let agent = HeaderValue::from_static(concat!("agentkube/", env!("CARGO_PKG_VERSION")));
    headers.insert(USER_AGENT, agent);
    if let Some(proven) = proven {
        headers.insert(proven.name.clone(), proven.value.clone());
    }
}

pub(super) fn media_type(headers: &HeaderMap) -> &[u8] {
    let value = headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    value
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii()
}

/// What a failed answer means: an error of the protocol, to be passed on, or a
/// fact about the upstream.
pub(super) fn failed(lane: &Lane, status: StatusCode, body: Bytes) -> Result<Bytes, UpstreamError> {
    let message = Message::decode(&body, MAX_DEPTH).ok();
    let code = match message.as_ref().map(Message::kind) {
        Some(Kind::Error { error: text, .. }) => Some(error::code_of(text).unwrap_or_default()),
        _ => None,
    };
    match lane {
        Lane::Legacy(session) if is_session_error(session.has_id(), status, code, &body) => {
            return Err(UpstreamError::SessionLost);
        }
        Lane::Modern(_) if is_era_error(status, code) => return Err(UpstreamError::EraChanged),
        _ => {}
    }
    if code.is_some() {
        return Ok(body);
    }
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(UpstreamError::Refused(status)),
        // The Go SDK's way to say -32601 on a legacy session.
        StatusCode::BAD_REQUEST if has_word(&body, b"unsupported") => {
            Err(UpstreamError::UnknownMethod)
        }
        _ => Err(UpstreamError::Status(status)),
    }
}

/// 404 says so by the specification; real servers say 400 and explain it.
fn is_session_error(has_id: bool, status: StatusCode, code: Option<i64>, body: &[u8]) -> bool {
    match status {
        StatusCode::NOT_FOUND => has_id && code != Some(error::METHOD_NOT_FOUND),
        StatusCode::BAD_REQUEST => {
            code.is_none_or(|code| SERVER_CODES.contains(&code))
                && (has_word(body, b"session") || has_word(body, b"not initialized"))
        }
        _ => false,
    }
}

fn is_era_error(status: StatusCode, code: Option<i64>) -> bool {
    status == StatusCode::BAD_REQUEST
        && match code {
            None => true,
            Some(code) => code == error::UNSUPPORTED_VERSION || SERVER_CODES.contains(&code),
        }
}

fn has_word(body: &[u8], word: &[u8]) -> bool {
    body.windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word))
}

impl Lane {
    fn add_headers(&self, headers: &mut HeaderMap) {
        let version = match self {
            Self::Greeting => return,
            Self::Probe => Version::LATEST,
            Self::Modern(offer) => offer.version,
            Self::Legacy(session) => {
                if let Some(id) = session.id() {
                    headers.insert(header::SESSION_ID, id.clone());
                }
                session.offer().version
            }
        };
        // The header came with 2025-06-18.
        if version >= Version::V2025_06_18 {
            let value = HeaderValue::from_static(version.as_str());
            headers.insert(header::PROTOCOL_VERSION, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_errors_are_told_from_other_refusals() {
        let bad = StatusCode::BAD_REQUEST;
        assert!(is_session_error(
            true,
            StatusCode::NOT_FOUND,
            Some(-32001),
            b""
        ));
        assert!(is_session_error(
            true,
            bad,
            Some(-32000),
            b"No valid Session ID provided"
        ));
        assert!(is_session_error(
            false,
            bad,
            Some(-32000),
            b"Server not initialized"
        ));
        assert!(!is_session_error(
            true,
            StatusCode::NOT_FOUND,
            Some(-32601),
            b""
        ));
        assert!(!is_session_error(
            true,
            bad,
            None,
            b"JSON RPC not handled: x unsupported"
        ));
        assert!(!is_session_error(false, StatusCode::NOT_FOUND, None, b""));
    }

    #[test]
    fn a_modern_refusal_is_no_change_of_era() {
        let bad = StatusCode::BAD_REQUEST;
        assert!(is_era_error(bad, Some(error::UNSUPPORTED_VERSION)));
        assert!(is_era_error(bad, Some(-32000)));
        assert!(!is_era_error(bad, Some(error::HEADER_MISMATCH)));
        assert!(!is_era_error(bad, Some(error::INVALID_PARAMS)));
        assert!(!is_era_error(
            StatusCode::NOT_FOUND,
            Some(error::METHOD_NOT_FOUND)
        ));
    }
}
