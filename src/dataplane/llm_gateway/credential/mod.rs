//! What proves to a provider who pays: a header that stays, a token that is asked
//! for and kept, or a signature over each request.

mod aws;
mod azure;
mod google;
mod tokens;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use agentkube_llm::Profile;
use agentkube_plan::{Credentials, GatewayUpstream, SecretEntry};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use self::aws::{RoleKeys, Signer};
use self::tokens::{Token, Tokens};
use super::dial::{Dial, UpstreamRequest};
use super::failed::{Failed, Kind};
use crate::source::Secrets;

/// The credentials of an upstream. Clones share their tokens.
#[derive(Clone)]
pub(super) enum Key {
    NotNeeded,
    /// A header of every request.
    Present(HeaderName, HeaderValue),
    /// A bearer token of another server.
    Token(Arc<Tokens>),
    /// A signature of every request.
    Signed(Arc<Signer>),
    /// The Secret has no usable value, and why.
    Missing(SecretEntry, &'static str),
}

/// An entry without a usable value, and why.
struct Lacking(SecretEntry, &'static str);

/// What a request was sent with.
pub(super) enum Proven {
    /// With what stays.
    Constant,
    /// With the keys of a role.
    Role(Arc<RoleKeys>),
    Token(Arc<Token>),
}

impl Key {
    /// The credentials that the plan names, from the Secrets as they are now.
    pub(super) fn of<D: Dial>(
        spec: &GatewayUpstream,
        profile: &Profile,
        secrets: &Secrets,
        dial: &D,
    ) -> Self {
        let read = |entry: &SecretEntry| {
            let missing = |why| Lacking(entry.clone(), why);
            let value = secrets.get(entry).ok_or_else(|| missing("is missing"))?;
            let text = std::str::from_utf8(value.expose()).map_err(|_| missing("is not text"))?;
            Ok::<_, Lacking>(text.trim().to_owned())
        };
        let connect = spec.timeouts.connect;
        let local = is_loopback(&spec.base_url);
        let made = || match &spec.credentials {
            Credentials::None => Ok(Self::NotNeeded),
            Credentials::ApiKey { secret } => {
                let header = profile.key_header.header(&read(secret)?);
                let (name, value) = header
                    .map_err(|_| Lacking(secret.clone(), "is no key that a header can carry"))?;
                Ok(Self::Present(name, value))
            }
            Credentials::AwsKeys {
                region,
                access_key_id,
                secret_access_key,
                session_token,
            } => {
                let (id, secret) = (read(access_key_id)?, read(secret_access_key)?);
                let session = secrets.get(session_token).map(|_| read(session_token));
                let session = session.transpose()?;
                let signer = Signer::new(region, id, secret, session);
                Ok(Self::Signed(Arc::new(signer)))
            }
            Credentials::GoogleKey { secret } => {
                let account = google::Account::read(&read(secret)?, local)
                    .map_err(|why| Lacking(secret.clone(), why))?;
                Ok(Self::token(account.ask(dial.client(connect))))
            }
            Credentials::GoogleWorkload => {
                let (client, metadata) = (dial.client(connect), dial.metadata_client(connect));
                Ok(Self::token(google::workload(client, metadata, local)))
            }
            Credentials::AzureWorkload => {
                let ask = azure::federated(&spec.base_url, dial.client(connect));
                Ok(Self::token(ask))
            }
            Credentials::AwsWorkload { region } => {
                let (client, agent) = (dial.client(connect), dial.metadata_client(connect));
                Ok(Self::Signed(Arc::new(Signer::workload(
                    region, client, agent,
                ))))
            }
        };
        made().unwrap_or_else(|Lacking(entry, why)| Self::Missing(entry, why))
    }

    fn token(ask: tokens::Ask) -> Self {
        Self::Token(Arc::new(Tokens::new(ask)))
    }

    /// Adds to a request what proves who sends it. `body` is the request's.
    pub(super) async fn prove(
        &self,
        request: &mut UpstreamRequest,
        body: &Bytes,
    ) -> Result<Proven, Failed> {
        match self {
            Self::NotNeeded | Self::Missing(..) => Ok(Proven::Constant),
            Self::Present(name, value) => {
                request.headers_mut().insert(name.clone(), value.clone());
                Ok(Proven::Constant)
            }
            Self::Token(tokens) => {
                // On the heap, as is signing: in place they would make the future of
                // every request larger, and moving it costs.
                let token = Box::pin(tokens.token()).await;
                let token = token.map_err(|why| failed(&why))?;
                let headers = request.headers_mut();
                headers.insert(AUTHORIZATION, token.value.authorization.clone());
                if let Some(project) = &token.value.project {
                    headers.insert(google::PROJECT, project.clone());
                }
                Ok(Proven::Token(token))
            }
            Self::Signed(signer) => {
                let signed = Box::pin(signer.sign(request, body, SystemTime::now())).await;
                let keys = signed.map_err(|why| failed(&why))?;
                Ok(keys.map_or(Proven::Constant, Proven::Role))
            }
        }
    }

    /// True when the request may be accepted if it is sent again after an answer
    /// with this head, since there is another token by now.
    pub(super) async fn may_try_again(
        &self,
        proven: &Proven,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> bool {
        match (self, proven) {
            (Self::Token(tokens), Proven::Token(token)) => {
                if status == StatusCode::UNAUTHORIZED {
                    return Box::pin(tokens.replaced(token)).await;
                }
                token.accept();
                false
            }
            (Self::Signed(signer), Proven::Role(keys)) => {
                Box::pin(signer.may_try_again(keys, status, headers)).await
            }
            _ => false,
        }
    }

    /// True when this text holds the key.
    pub(super) fn is_quoted_in(&self, text: &[u8]) -> bool {
        match self {
            Self::Present(_, value) => is_in(value, text),
            Self::Token(tokens) => tokens.are_quoted_in(text),
            Self::Signed(signer) => signer.is_quoted_in(text),
            Self::NotNeeded | Self::Missing(..) => false,
        }
    }
}

/// True when the text holds what this header carries.
fn is_in(header: &HeaderValue, text: &[u8]) -> bool {
    let value = header.as_bytes();
    holds(text, value.strip_prefix(b"Bearer ").unwrap_or(value))
}

fn holds(text: &[u8], secret: &[u8]) -> bool {
    !secret.is_empty() && text.windows(secret.len()).any(|window| window == secret)
}

/// A variable that the platform sets in the pod; none when it is empty.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn failed(why: &str) -> Failed {
    Failed::new(Kind::Credentials, why)
}

/// `agentkube run` only: admission refuses such an endpoint in a cluster.
fn is_loopback(url: &str) -> bool {
    let uri = url.parse::<http::Uri>().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || bare
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// How long a token or a signature may take: without one nothing else can begin.
const PATIENCE: Duration = Duration::from_secs(10);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotNeeded => "NotNeeded",
            Self::Present(..) => "Present(…)",
            Self::Token(_) => "Token(…)",
            Self::Signed(_) => "Signed(…)",
            Self::Missing(..) => "Missing",
        })
    }
}
