//! A word to another replica about a session that either may serve.
//!
//! It goes the way of what is handed on. But which Pod has an address is not known
//! beforehand, only that it serves the same object: the ticket is for whoever has that
//! address and the key.

use std::net::SocketAddr;

use agentkube_mcp::header;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};

use super::envelope::Letter;
use super::{Lost, post, tag_of};
use crate::edge::{CollectError, collect};
use crate::mcp_proxy::proxy::State;
use crate::mcp_proxy::serving::Serving;

/// The path of words, which only says how they are counted.
pub(super) const PATH: &str = "/told";

/// Longest word, and longest answer, whatever a client's messages may be. What is told of
/// a session is bounded well below it.
pub(super) const MAX_TOLD: usize = 4 * 1024 * 1024;

/// Why a replica was not told.
#[derive(Debug, thiserror::Error)]
pub(in crate::mcp_proxy) enum Untold {
    /// It was not reached, or is another one.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// It has too much to do, or does not know the session.
    #[error("it answers with {0}")]
    Refused(StatusCode),
    /// Its answer broke off.
    #[error(transparent)]
    Cut(#[from] CollectError),
    /// Its answer is not sealed.
    #[error("its answer is not sealed for us")]
    Unsealed,
}

/// Tells the replica at this address something of the session of this id and client.
/// The answer is what it says.
pub(in crate::mcp_proxy) async fn tell(
    state: &State,
    serving: &Serving,
    to: SocketAddr,
    client: &str,
    session: &HeaderValue,
    word: &Bytes,
) -> Result<Bytes, Untold> {
    let mut request = Request::new(word.clone());
    let headers = request.headers_mut();
    headers.insert(header::SESSION_ID, session.clone());
    let letter = Letter::new(tag_of(to), client, &request).ok_or(Lost::Unsealed)?;
    let answer = post(state, serving, (to, PATH), &letter, request.body()).await?;
    if answer.status() != StatusCode::OK {
        return Err(Untold::Refused(answer.status()));
    }
    let answer = collect(answer.into_body(), MAX_TOLD).await?;
    let object = serving.loaded.plan.object.to_string();
    let answer = letter.open_answer(&serving.sealer, &object, &answer);
    answer.map(Bytes::from).ok_or(Untold::Unsealed)
}
