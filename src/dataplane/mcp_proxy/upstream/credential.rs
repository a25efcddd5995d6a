//! What an upstream is told about us, and how its values are kept out of answers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use agentkube_mcp::json;
use agentkube_plan::{
    ChildVariable, OAuth2, ProxyTimeouts, ProxyUpstream, SecretEntry, UpstreamAuth, UpstreamKind,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, StatusCode};
use secrecy::{ExposeSecret, SecretString};

use super::UpstreamError;
use super::grant::Grant;
use super::token::{self, Token, Tokens};
use crate::source::{SecretValue, Secrets};
use crate::upstream::{TlsRoots, UpstreamClient};

/// Shorter values occur in ordinary text, and replacing them would only spoil it.
const MIN_REDACTED: usize = 8;

/// What proves who we are in one request.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    token: Option<Arc<Token>>,
}

/// What proves to an upstream who we are, or why there is nothing that does.
#[derive(Clone)]
pub(super) struct Credential {
    proof: Proof,
    needles: Arc<[Needle]>,
    /// The values that it was made of, in the order of [`UpstreamAuth::secrets`].
    values: Values,
}

type Values = Vec<Option<Arc<SecretValue>>>;

#[derive(Clone)]
enum Proof {
    /// The upstream wants none.
    None,
    /// A header.
    Header(HeaderName, HeaderValue),
    /// A token that is asked for.
    Token(Tokens),
    /// The Secret or its entry is not there.
    Missing(SecretEntry),
    /// It is there and of no use.
    Unusable(SecretEntry),
}

impl Credential {
    pub(super) fn new(config: &ProxyUpstream, secrets: &Secrets, roots: &TlsRoots) -> Self {
        let mut needles = Vec::new();
        let proof = match &config.auth {
            UpstreamAuth::Oauth2(oauth2) => {
                tokens(oauth2, &config.timeouts, secrets, roots, &mut needles)
            }
            auth => Proof::new(auth, secrets, &mut needles),
        };
        let proof = proof.and_then(|proof| {
            environment(config, secrets, &mut needles)
                .map_or(Ok(proof), |entry| Err(Proof::Missing(entry.clone())))
        });
        Self {
            proof: proof.unwrap_or_else(|lacking| lacking),
            needles: needles.into(),
            values: values(config, secrets),
        }
    }

    /// True when these Secrets give the same credential as those before.
    pub(super) fn has_values_of(&self, config: &ProxyUpstream, secrets: &Secrets) -> bool {
        self.values == values(config, secrets)
    }

    /// Whether there is what is needed, known without asking anybody.
    pub(super) fn check(&self) -> Result<(), UpstreamError> {
        match &self.proof {
            Proof::None | Proof::Header(..) | Proof::Token(_) => Ok(()),
            Proof::Missing(entry) => Err(UpstreamError::MissingSecret(entry.clone())),
            Proof::Unusable(entry) => Err(UpstreamError::UnusableSecret(entry.clone())),
        }
    }

    /// The header that goes with every request.
    pub(super) async fn prove(&self) -> Result<Option<Proven>, UpstreamError> {
        self.check()?;
        Ok(match &self.proof {
            Proof::Header(name, value) => Some(Proven {
                name: name.clone(),
                value: value.clone(),
                token: None,
            }),
            Proof::Token(tokens) => Some(Proven::token(tokens.token().await?)),
            Proof::None | Proof::Missing(_) | Proof::Unusable(_) => None,
        })
    }

    /// What to send once more after an answer with this status; `None` when that
    /// answer stands.
    pub(super) async fn prove_again(
        &self,
        before: Option<&Proven>,
        status: StatusCode,
    ) -> Result<Option<Proven>, UpstreamError> {
        let Some(token) = before.and_then(|before| before.token.as_ref()) else {
            return Ok(None);
        };
        if status != StatusCode::UNAUTHORIZED {
            token.accept();
            return Ok(None);
        }
        let Proof::Token(tokens) = &self.proof else {
            return Ok(None);
        };
        Ok(tokens.instead_of(token).await?.map(Proven::token))
    }

    /// A message without the values, should the upstream have echoed one.
    pub(super) fn redact<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        let needles = self.needles.iter();
        let text = needles.fold(text, |text, needle| needle.redact(text));
        match &self.proof {
            Proof::Token(tokens) => tokens.redact(text),
            _ => text,
        }
    }
}

impl Proven {
    fn token(token: Arc<Token>) -> Self {
        Self {
            name: AUTHORIZATION,
            value: token.value.clone(),
            token: Some(token),
        }
    }
}

impl Proof {
    fn new(
        auth: &UpstreamAuth,
        secrets: &Secrets,
        needles: &mut Vec<Needle>,
    ) -> Result<Self, Self> {
        let read = |entry: &SecretEntry| {
            let value = secrets.get(entry);
            value.ok_or_else(|| Self::Missing(entry.clone()))
        };
        let (name, prefix, value, entry) = match auth {
            UpstreamAuth::None | UpstreamAuth::Oauth2(_) => return Ok(Self::None),
            UpstreamAuth::Bearer { secret } => {
                (AUTHORIZATION, "Bearer ", Arc::clone(read(secret)?), secret)
            }
            UpstreamAuth::Header { header, secret } => {
                // A plan whose header has no name is not loaded (`Plan::check`).
                let name = header.parse().map_err(|_| Self::Unusable(secret.clone()))?;
                (name, "", Arc::clone(read(secret)?), secret)
            }
            UpstreamAuth::Basic { username, password } => {
                let user = read(username)?;
                let word = read(password)?;
                // RFC 7617, 2: a colon in the user name would begin the password.
                if user.expose().contains(&b':') {
                    return Err(Self::Unusable(username.clone()));
                }
                needles.extend(Needle::new(word));
                let pair = [user.expose(), b":", word.expose()].concat();
                let pair = SecretValue::new(STANDARD.encode(pair).into_bytes());
                let pair = pair.ok_or_else(|| Self::Missing(password.clone()))?;
                (AUTHORIZATION, "Basic ", Arc::new(pair), password)
            }
        };
        needles.extend(Needle::new(&value));
        let header = value.header(prefix);
        let header = header.ok_or_else(|| Self::Unusable(entry.clone()))?;
        Ok(Self::Header(name, header))
    }
}

/// Where the tokens of an upstream come from.
fn tokens(
    oauth2: &OAuth2,
    timeouts: &ProxyTimeouts,
    secrets: &Secrets,
    roots: &TlsRoots,
    needles: &mut Vec<Needle>,
) -> Result<Proof, Proof> {
    let entry = &oauth2.secret;
    let missing = || Proof::Missing(entry.clone());
    let secret = Arc::clone(secrets.get(entry).ok_or_else(missing)?);
    needles.extend(Needle::new(&secret));
    // A plan whose tokenUrl is no URL is not loaded (`Plan::check`).
    let url = oauth2.token_url.parse().map_err(|_| missing())?;
    let grant = Grant {
        client_id: oauth2.client_id.clone(),
        secret,
        scopes: oauth2.scopes.clone(),
        audience: oauth2.audience.clone(),
    };
    let client = UpstreamClient::new(roots, timeouts.connect);
    let patience = token::PATIENCE.min(timeouts.idle).min(timeouts.total);
    let tokens = Tokens::new(client, url, entry.clone(), grant, patience);
    Ok(Proof::Token(tokens))
}

/// The values in a program's environment are secrets too. Answers the first that
/// is missing and needed.
fn environment<'c>(
    config: &'c ProxyUpstream,
    secrets: &Secrets,
    needles: &mut Vec<Needle>,
) -> Option<&'c SecretEntry> {
    let UpstreamKind::Child { env, .. } = &config.kind else {
        return None;
    };
    let mut missing = None;
    for variable in env {
        if let ChildVariable::Secret {
            secret, optional, ..
        } = variable
        {
            match secrets.get(secret) {
                Some(value) => needles.extend(Needle::new(value)),
                None if *optional => {}
                None => missing = missing.or(Some(secret)),
            }
        }
    }
    missing
}

fn values(config: &ProxyUpstream, secrets: &Secrets) -> Values {
    let entries = config.secrets();
    entries.map(|entry| secrets.get(entry).cloned()).collect()
}

/// A value that must not be in a message.
pub(super) struct Needle(SecretString);

impl Needle {
    /// `None` for a value that cannot be found there.
    fn new(value: &SecretValue) -> Option<Self> {
        Self::of(std::str::from_utf8(value.expose()).ok()?)
    }

    pub(super) fn of(text: &str) -> Option<Self> {
        (text.len() >= MIN_REDACTED).then(|| Self(text.to_owned().into()))
    }

    pub(super) fn redact<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        match json::redact(&text, self.0.expose_secret()) {
            Some(redacted) => Cow::Owned(redacted),
            None => text,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.proof {
            Proof::None => "None",
            Proof::Header(..) => "Header(…)",
            Proof::Token(_) => "Token(…)",
            Proof::Missing(_) => "Missing",
            Proof::Unusable(_) => "Unusable",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str) -> SecretEntry {
        SecretEntry {
            name: "login".to_owned(),
            key: key.to_owned(),
        }
    }

    fn basic(username: &str, password: &str) -> Credential {
        let mut secrets = Secrets::new();
        secrets.insert(entry("username"), username);
        secrets.insert(entry("password"), password);
        let auth = UpstreamAuth::Basic {
            username: entry("username"),
            password: entry("password"),
        };
        let mut needles = Vec::new();
        let proof = Proof::new(&auth, &secrets, &mut needles);
        Credential {
            proof: proof.unwrap_or_else(|lacking| lacking),
            needles: needles.into(),
            values: Vec::new(),
        }
    }

    #[tokio::test]
    async fn basic_is_the_example_of_rfc_7617() {
        let proven = basic("Aladdin", "open sesame\n").prove().await;
        let proven = proven.unwrap().unwrap();
        assert_eq!(proven.name, AUTHORIZATION);
        assert_eq!(proven.value, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(proven.value.is_sensitive());
    }

    #[test]
    fn a_user_name_with_a_colon_is_refused() {
        let unusable = UpstreamError::UnusableSecret(entry("username"));
        assert_eq!(basic("a:b", "open sesame").check(), Err(unusable));
    }

    #[test]
    fn the_password_and_the_header_are_redacted_and_the_user_is_not() {
        let text = r#"{"a":"Aladdin open sesame","b":"QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}"#;
        let redacted = basic("Aladdin", "open sesame").redact(text.into());
        assert_eq!(redacted, r#"{"a":"Aladdin [redacted]","b":"[redacted]"}"#);
    }

    #[test]
    fn a_credential_prints_nothing_of_itself() {
        assert_eq!(
            format!("{:?}", basic("Aladdin", "open sesame")),
            "Header(…)"
        );
    }
}
