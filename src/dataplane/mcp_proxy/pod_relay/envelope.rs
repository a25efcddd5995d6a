//! What is sealed from one replica to another.

use agentkube_mcp::header;
use agentkube_mcp::seal::{Purpose, Sealer};
use agentkube_mcp::session::PodTag;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::Full;
use serde::{Deserialize, Serialize};

use crate::mcp_proxy::sessions::{now, random};

/// The header of the ticket, and of the proof that it could be opened.
pub(super) const TICKET: HeaderName = HeaderName::from_static("x-agentkube-relay");

/// What sealing adds to a body.
pub(super) const ADDED: usize = 64;

/// Longest ticket: a session id of 4,096 characters and a mark to read on from fit.
const MAX_TICKET: usize = 16 * 1024;

/// The headers that say what a client takes, and where it is in its session.
/// Credentials stay where they were checked.
static CARRIED: [HeaderName; 5] = [
    ACCEPT,
    CONTENT_TYPE,
    header::LAST_EVENT_ID,
    header::PROTOCOL_VERSION,
    header::SESSION_ID,
];

/// Tells a ticket from the others.
pub(super) type TicketId = [u8; 12];

/// A client's request but for its body, from one replica to another.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) id: TicketId,
    /// Seconds since 1970.
    pub(super) at: u64,
    /// For this Pod and no other: by its identity what is handed on, by its address what
    /// is told.
    pub(super) to: PodTag,
    /// Who was authenticated.
    pub(super) client: String,
    method: String,
    /// Path and query.
    target: String,
    headers: Vec<(String, String)>,
}

impl Letter {
    /// `None` without randomness.
    pub(super) fn new(to: PodTag, client: &str, request: &Request<Bytes>) -> Option<Self> {
        let headers = CARRIED.iter().filter_map(|name| {
            let value = request.headers().get(name)?.to_str().ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        });
        let target = request.uri().path_and_query();
        Some(Self {
            id: random()?,
            at: now(),
            to,
            client: client.to_owned(),
            method: request.method().to_string(),
            target: target.map_or_else(|| "/".to_owned(), ToString::to_string),
            headers: headers.collect(),
        })
    }

    /// The ticket and the sealed body; `None` without a key, and for a ticket that
    /// is too long.
    pub(super) fn seal(
        &self,
        sealer: &Sealer,
        object: &str,
        body: &[u8],
    ) -> Option<(String, Vec<u8>)> {
        let plain = serde_json::to_vec(self).ok()?;
        let ticket = sealer.seal(Purpose::Relay, &ticket_of(object), random()?, &plain)?;
        let owner = self.part(object, "body");
        let body = sealer.seal_bytes(Purpose::Relay, &owner, random()?, body)?;
        (ticket.len() <= MAX_TICKET).then_some((ticket, body))
    }

    /// The letter of a ticket; `None` unless a replica of the object wrote it.
    pub(super) fn open(sealer: &Sealer, object: &str, headers: &HeaderMap) -> Option<Self> {
        let ticket = headers.get(TICKET)?.to_str().ok()?;
        let ticket = (ticket.len() <= MAX_TICKET).then_some(ticket)?;
        let plain = sealer.open(Purpose::Relay, &ticket_of(object), ticket)?;
        serde_json::from_slice(&plain).ok()
    }

    /// The body of this letter, which was sealed with it.
    pub(super) fn body(&self, sealer: &Sealer, object: &str, body: &[u8]) -> Option<Vec<u8>> {
        let owner = self.part(object, "body");
        sealer.open_bytes(Purpose::Relay, &owner, body)
    }

    /// The session that it is about.
    pub(super) fn session(&self) -> Option<&str> {
        let named = |name: &str| header::SESSION_ID == name;
        let (_, id) = self.headers.iter().find(|(name, _)| named(name))?;
        Some(id)
    }

    /// The client's request as it came to the other replica.
    pub(super) fn request(
        &self,
        sealer: &Sealer,
        object: &str,
        body: &[u8],
    ) -> Option<Request<Full<Bytes>>> {
        let body = self.body(sealer, object, body)?;
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(&self.target);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::from(body)).ok()
    }

    /// An answer to it that only who wrote the letter can open.
    pub(super) fn seal_answer(
        &self,
        sealer: &Sealer,
        object: &str,
        plain: &[u8],
    ) -> Option<Vec<u8>> {
        let owner = self.part(object, "answer body");
        sealer.seal_bytes(Purpose::Relay, &owner, random()?, plain)
    }

    /// What [`Letter::seal_answer`] sealed.
    pub(super) fn open_answer(
        &self,
        sealer: &Sealer,
        object: &str,
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        let owner = self.part(object, "answer body");
        sealer.open_bytes(Purpose::Relay, &owner, sealed)
    }

    /// Tells the other replica that this one has the key, and is whom it meant.
    pub(super) fn proof(&self, sealer: &Sealer, object: &str) -> Option<HeaderValue> {
        let owner = self.part(object, "answer");
        let proof = sealer.seal(Purpose::Relay, &owner, random()?, &[])?;
        HeaderValue::try_from(proof).ok()
    }

    /// Whether an answer's head has that proof.
    pub(super) fn is_proven(&self, sealer: &Sealer, object: &str, headers: &HeaderMap) -> bool {
        let owner = self.part(object, "answer");
        let proof = headers.get(TICKET).and_then(|value| value.to_str().ok());
        proof.is_some_and(|proof| sealer.open(Purpose::Relay, &owner, proof).is_some())
    }

    /// Binds what belongs to this ticket to it.
    fn part(&self, object: &str, part: &str) -> String {
        format!("{object}\0{part}\0{}", hex::encode(self.id))
    }
}

fn ticket_of(object: &str) -> String {
    format!("{object}\0ticket")
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn sealer() -> Sealer {
        Sealer::new(b"0123456789abcdef", None).unwrap()
    }

    fn asked() -> Request<Bytes> {
        Request::post("/mcp?a=1")
            .header("mcp-session-id", "s")
            .header("accept", "text/event-stream")
            .header("authorization", "Bearer secret")
            .body(Bytes::from_static(b"{\"prompt\":1}"))
            .unwrap()
    }

    fn headers(ticket: &str) -> HeaderMap {
        HeaderMap::from_iter([(TICKET, HeaderValue::try_from(ticket).unwrap())])
    }

    #[tokio::test]
    async fn a_request_arrives_as_it_was_but_for_the_clients_credential() {
        let letter = Letter::new([1; 8], "ci", &asked()).unwrap();
        let (ticket, body) = letter.seal(&sealer(), "a/b", asked().body()).unwrap();
        assert!(!body.windows(6).any(|it| it == b"prompt"), "sealed");
        let opened = Letter::open(&sealer(), "a/b", &headers(&ticket)).unwrap();
        assert_eq!((opened.to, opened.client.as_str()), ([1; 8], "ci"));
        let request = opened.request(&sealer(), "a/b", &body).unwrap();
        assert_eq!(request.uri(), "/mcp?a=1");
        assert_eq!(request.headers()["mcp-session-id"], "s");
        assert!(!request.headers().contains_key("authorization"));
        let body = request.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, asked().body());
    }

    #[test]
    fn a_ticket_opens_for_its_object_only_and_with_its_own_body() {
        let seal = |letter: &Letter| letter.seal(&sealer(), "a/b", b"{}").unwrap();
        let letter = Letter::new([1; 8], "ci", &asked()).unwrap();
        let (ticket, _) = seal(&letter);
        assert!(Letter::open(&sealer(), "a/other", &headers(&ticket)).is_none());
        let stranger = Sealer::new(b"fedcba9876543210", None).unwrap();
        assert!(Letter::open(&stranger, "a/b", &headers(&ticket)).is_none());
        let (_, other) = seal(&Letter::new([1; 8], "ci", &asked()).unwrap());
        assert!(letter.request(&sealer(), "a/b", &other).is_none());
    }

    #[test]
    fn a_proof_is_of_one_ticket() {
        let letter = Letter::new([1; 8], "ci", &asked()).unwrap();
        let other = Letter::new([1; 8], "ci", &asked()).unwrap();
        let proof = letter.proof(&sealer(), "a/b").unwrap();
        let headers = HeaderMap::from_iter([(TICKET, proof)]);
        assert!(letter.is_proven(&sealer(), "a/b", &headers));
        assert!(!other.is_proven(&sealer(), "a/b", &headers));
        assert!(!letter.is_proven(&sealer(), "a/b", &HeaderMap::new()));
    }
}
