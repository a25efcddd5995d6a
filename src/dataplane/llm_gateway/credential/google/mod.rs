//! Tokens of Google: for what a Secret holds, or as the pod itself.
//!
//! The pod is who `GOOGLE_APPLICATION_CREDENTIALS` says, where that is set (a
//! cluster outside of Google Cloud), else who the metadata server says.

mod external;
mod metadata;
mod service_account;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use serde::Deserialize;

use self::external::External;
use self::service_account::ServiceAccount;
use super::tokens::{self, Ask, Calls};
use crate::upstream::Issued;

/// What all tokens are for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// "Application Default Credentials".
const CREDENTIALS_FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// What a JSON file of credentials holds.
pub(super) enum Account {
    Service(ServiceAccount),
    External(External),
}

#[derive(Deserialize)]
struct Kind {
    r#type: String,
}

impl Account {
    /// Reads a file. `local`: the upstream is on this machine, and so may be the
    /// servers that give its tokens.
    ///
    /// # Errors
    /// What the file is, as the rest of a sentence.
    pub(super) fn read(json: &str, local: bool) -> Result<Self, &'static str> {
        let kind: Kind =
            serde_json::from_str(json).map_err(|_| "is no JSON of a Google account")?;
        match kind.r#type.as_str() {
            "service_account" => ServiceAccount::read(json, local).map(Self::Service),
            "external_account" => External::read(json, local).map(Self::External),
            _ => Err("is of another type than service_account and external_account"),
        }
    }

    /// How its tokens are asked for.
    pub(super) fn ask<C: Calls>(self, client: C) -> Ask {
        let account = std::sync::Arc::new(self);
        Box::new(move || {
            let (account, client) = (std::sync::Arc::clone(&account), client.clone());
            Box::pin(async move { account.fetch(client).await })
        })
    }

    async fn fetch<C: Calls>(&self, client: C) -> Result<Issued, String> {
        match self {
            Self::Service(account) => account.fetch(client).await,
            Self::External(account) => account.fetch(client).await,
        }
    }
}

/// How the pod's own tokens are asked for.
///
/// `client` calls Google, `metadata` may call what no upstream may be.
pub(super) fn workload<C: Calls>(client: C, metadata: C, local: bool) -> Ask {
    Box::new(move || {
        let (client, metadata) = (client.clone(), metadata.clone());
        Box::pin(async move {
            // Read each time: the platform may replace the file.
            match super::environment(CREDENTIALS_FILE) {
                None => metadata::fetch(metadata, super::environment(metadata::HOST)).await,
                Some(path) => {
                    let json = tokens::file(CREDENTIALS_FILE, &path).await?;
                    let account = Account::read(&json, local);
                    let account = account.map_err(|why| format!("{CREDENTIALS_FILE} {why}"))?;
                    account.fetch(client).await
                }
            }
        })
    })
}

/// A URL that a file of credentials names. Whoever writes the file would else be
/// sent what it is exchanged for.
fn googles(url: &str, local: bool) -> Option<Uri> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host().unwrap_or_default();
    let googles = host.ends_with(".googleapis.com") || host == "accounts.google.com";
    let usual = matches!(uri.port_u16(), None | Some(443));
    let is_googles = uri.scheme_str() == Some("https") && googles && usual;
    (is_googles || (local && super::is_loopback(url))).then_some(uri)
}

/// A form for Google's token endpoints.
fn posted(url: &Uri, fields: &[(&str, &str)]) -> Request<Full<Bytes>> {
    tokens::posted(url.clone(), fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_googles_own_hosts_are_asked() {
        for url in [
            "https://oauth2.googleapis.com/token",
            "https://sts.googleapis.com:443/v1/token",
            "https://accounts.google.com/o/oauth2/token",
        ] {
            assert!(googles(url, false).is_some(), "{url}");
        }
        for url in [
            "http://oauth2.googleapis.com/token",
            "https://oauth2.googleapis.com:8443/token",
            "https://googleapis.com.evil.example/token",
            "https://evilgoogleapis.com/token",
            "https://x@evil.example/.googleapis.com",
            "http://127.0.0.1:1/token",
            "http://169.254.169.254/token",
        ] {
            assert!(googles(url, false).is_none(), "{url}");
        }
        assert!(googles("http://127.0.0.1:1/token", true).is_some());
        assert!(googles("https://evil.example/token", true).is_none());
    }

    #[test]
    fn what_is_no_account_is_told_by_what_it_is() {
        let read = |json: &str| Account::read(json, false).err().unwrap();
        assert_eq!(read("key"), "is no JSON of a Google account");
        let user = r#"{"type": "authorized_user", "refresh_token": "s3cr3t"}"#;
        assert!(read(user).starts_with("is of another type"));
        let key = r#"{"type": "service_account", "client_email": "a@b", "private_key": "s3cr3t"}"#;
        assert_eq!(read(key), "has a private_key that is no RSA key");
    }
}
