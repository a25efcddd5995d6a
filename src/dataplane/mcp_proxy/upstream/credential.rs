//! What an upstream is told about us, and how its values are kept out of answers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use agentkube_mcp::json;
use agentkube_plan::{SecretEntry, UpstreamAuth};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::UpstreamError;
use crate::source::{SecretValue, Secrets};

/// Shorter values occur in ordinary text, and replacing them would only spoil it.
const MIN_REDACTED: usize = 8;

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
    /// The Secret or its entry is not there.
    Missing(SecretEntry),
    /// It is there and of no use.
    Unusable(SecretEntry),
}

impl Credential {
    pub(super) fn new(auth: &UpstreamAuth, secrets: &Secrets) -> Self {
        let mut needles = Vec::new();
        let proof = Proof::new(auth, secrets, &mut needles);
        Self {
            proof: proof.unwrap_or_else(|lacking| lacking),
            needles: needles.into(),
            values: values(auth, secrets),
        }
    }

    /// True when these Secrets give the same credential as those before.
    pub(super) fn has_values_of(&self, auth: &UpstreamAuth, secrets: &Secrets) -> bool {
        self.values == values(auth, secrets)
    }

    /// Whether there is what is needed, known without asking anybody.
    pub(super) fn check(&self) -> Result<(), UpstreamError> {
        match &self.proof {
            Proof::None | Proof::Header(..) => Ok(()),
            Proof::Missing(entry) => Err(UpstreamError::MissingSecret(entry.clone())),
            Proof::Unusable(entry) => Err(UpstreamError::UnusableSecret(entry.clone())),
        }
    }

    /// The header that goes with every request.
    pub(super) fn header(&self) -> Result<Option<(HeaderName, HeaderValue)>, UpstreamError> {
        self.check()?;
        Ok(match &self.proof {
            Proof::Header(name, value) => Some((name.clone(), value.clone())),
            Proof::None | Proof::Missing(_) | Proof::Unusable(_) => None,
        })
    }

    /// A message without the values, should the upstream have echoed one.
    pub(super) fn redact<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        let needles = self.needles.iter();
        needles.fold(text, |text, needle| needle.redact(text))
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
            UpstreamAuth::None => return Ok(Self::None),
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

fn values(auth: &UpstreamAuth, secrets: &Secrets) -> Values {
    let entries = auth.secrets();
    entries.map(|entry| secrets.get(entry).cloned()).collect()
}

/// A value as it stands inside a JSON string.
struct Needle(SecretString);

impl Needle {
    /// `None` for a value that cannot be found there.
    fn new(value: &SecretValue) -> Option<Self> {
        let text = std::str::from_utf8(value.expose()).ok()?;
        let quoted = json::quote(text);
        let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
        (text.len() >= MIN_REDACTED).then(|| Self(inner.to_owned().into()))
    }

    fn redact<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
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
        Credential::new(&auth, &secrets)
    }

    #[test]
    fn basic_is_the_example_of_rfc_7617() {
        let (name, value) = basic("Aladdin", "open sesame\n").header().unwrap().unwrap();
        assert_eq!(name, AUTHORIZATION);
        assert_eq!(value, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(value.is_sensitive());
    }

    #[test]
    fn a_user_name_with_a_colon_is_refused() {
        let unusable = UpstreamError::UnusableSecret(entry("username"));
        assert_eq!(basic("a:b", "open sesame").header(), Err(unusable));
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
