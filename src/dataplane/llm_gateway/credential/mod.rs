//! What proves to a provider who pays: a header that stays, a token that is asked
//! for and kept, or a signature over each request.

mod azure;
mod google;
mod sigv4;
mod tokens;

use std::fmt;
use std::time::{Duration, SystemTime};

use agentkube_llm::Profile;
use agentkube_plan::{Credentials, GatewayUpstream, SecretEntry};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, StatusCode};

use self::sigv4::Signer;
use self::tokens::Tokens;
use super::dial::{Dial, UpstreamRequest};
use super::failed::{Failed, Kind};
use crate::source::Secrets;

/// The credentials of an upstream.
pub(super) enum Key {
    NotNeeded,
    /// A header of every request.
    Present(HeaderName, HeaderValue),
    /// A bearer token of another server.
    Token(Tokens),
    /// A signature of every request.
    Signed(Box<Signer>),
    /// The Secret has no usable value, and why.
    Missing(SecretEntry, &'static str),
}

/// An entry without a usable value, and why.
struct Lacking(SecretEntry, &'static str);

/// What a request was sent with.
#[derive(Clone, Debug)]
pub(super) struct Proven(Option<HeaderValue>);

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
                let session = read(session_token).ok();
                Ok(Self::Signed(Box::new(Signer::new(
                    region, id, secret, session,
                ))))
            }
            Credentials::GoogleKey { secret } => {
                let local = is_loopback(&spec.base_url);
                let account = google::Account::read(&read(secret)?, local)
                    .map_err(|why| Lacking(secret.clone(), why))?;
                let tokens = Tokens::new(account.ask(dial.client(connect)));
                Ok(Self::Token(tokens))
            }
            Credentials::GoogleWorkload => {
                let ask = google::metadata(dial.metadata_client(connect));
                Ok(Self::Token(Tokens::new(ask)))
            }
            Credentials::AzureWorkload => {
                let ask = azure::federated(&spec.base_url, dial.client(connect));
                Ok(Self::Token(Tokens::new(ask)))
            }
            Credentials::AwsWorkload { region } => {
                Ok(Self::Signed(Box::new(Signer::workload(region))))
            }
        };
        made().unwrap_or_else(|Lacking(entry, why)| Self::Missing(entry, why))
    }

    /// Adds to a request what proves who sends it. `body` is the request's.
    pub(super) async fn prove(
        &self,
        request: &mut UpstreamRequest,
        body: &Bytes,
    ) -> Result<Proven, Failed> {
        match self {
            Self::NotNeeded | Self::Missing(..) => Ok(Proven(None)),
            Self::Present(name, value) => {
                request.headers_mut().insert(name.clone(), value.clone());
                Ok(Proven(None))
            }
            Self::Token(tokens) => {
                // On the heap, as is signing: in place they would make the future of
                // every request larger, and moving it costs.
                let token = Box::pin(tokens.token()).await;
                let token = token.map_err(|why| failed(&why))?;
                request.headers_mut().insert(AUTHORIZATION, token.clone());
                Ok(Proven(Some(token)))
            }
            Self::Signed(signer) => {
                let signed = Box::pin(signer.sign(request, body, SystemTime::now())).await;
                signed.map_err(|why| failed(&why))?;
                Ok(Proven(None))
            }
        }
    }

    /// True when another token may be accepted after an answer with this status.
    pub(super) fn may_try_again(&self, proven: &Proven, status: StatusCode) -> bool {
        match (self, &proven.0) {
            (Self::Token(tokens), Some(token)) if status == StatusCode::UNAUTHORIZED => {
                tokens.refused(token)
            }
            _ => false,
        }
    }

    /// True when this text holds the key.
    pub(super) fn is_quoted_in(&self, text: &[u8]) -> bool {
        let holds = |value: &HeaderValue| {
            let value = value.as_bytes();
            let key = value.strip_prefix(b"Bearer ").unwrap_or(value);
            !key.is_empty() && text.windows(key.len()).any(|window| window == key)
        };
        match self {
            Self::Present(_, value) => holds(value),
            Self::Token(tokens) => tokens.known().is_some_and(|token| holds(&token)),
            Self::Signed(_) | Self::NotNeeded | Self::Missing(..) => false,
        }
    }
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
