//! Tokens of Google: for what a Secret holds, or as the pod itself.
//!
//! The pod is who `GOOGLE_APPLICATION_CREDENTIALS` says, where that is set (a
//! cluster outside of Google Cloud), else who `gcloud` logged in (`agentkube run`), else
//! who the metadata server says: "Application Default Credentials", in their order.

mod external;
mod metadata;
mod service_account;
mod user;

use bytes::Bytes;
use http::{HeaderName, Request, Uri};
use http_body_util::Full;
use serde::Deserialize;

use self::external::External;
use self::service_account::ServiceAccount;
use self::user::User;
use super::tokens::{self, Ask, Calls, Given};

/// What all tokens are for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Who pays for a request of somebody who belongs to no project.
pub(super) const PROJECT: HeaderName = HeaderName::from_static("x-goog-user-project");

/// The variable that names a file of credentials.
const CREDENTIALS_FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// What a JSON file of credentials holds.
pub(super) enum Account {
    Service(ServiceAccount),
    External(External),
    User(User),
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
            "authorized_user" => User::read(json, local).map(Self::User),
            _ => {
                Err("is of another type than service_account, external_account and authorized_user")
            }
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

    async fn fetch<C: Calls>(&self, client: C) -> Result<Given, String> {
        match self {
            Self::Service(account) => account.fetch(client).await.map(Into::into),
            Self::External(account) => account.fetch(client).await.map(Into::into),
            Self::User(user) => user.fetch(client).await,
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
            let named = super::environment(CREDENTIALS_FILE).map(|path| (CREDENTIALS_FILE, path));
            let left = || {
                Some((
                    "gcloud's file of credentials",
                    logged_in(super::environment)?,
                ))
            };
            let Some((name, path)) = named.or_else(left) else {
                let host = super::environment(metadata::HOST);
                return metadata::fetch(metadata, host).await.map(Into::into);
            };
            let json = tokens::file(name, &path).await?;
            let account = Account::read(&json, local);
            let account = account.map_err(|why| format!("{name} {why}"))?;
            account.fetch(client).await
        })
    })
}

/// What `gcloud auth application-default login` left, if it did. No pod has it.
fn logged_in(env: impl Fn(&str) -> Option<String>) -> Option<String> {
    const FILE: &str = "application_default_credentials.json";
    let folder = env("CLOUDSDK_CONFIG").or_else(|| Some(env("HOME")? + "/.config/gcloud"))?;
    let path = format!("{folder}/{FILE}");
    std::path::Path::new(&path).is_file().then_some(path)
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
    fn a_login_is_found_where_gcloud_leaves_it() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".config/gcloud");
        let home = home.path().to_str().unwrap().to_owned();
        let env = |name: &str| (name == "HOME").then(|| home.clone());
        assert_eq!(logged_in(env), None);
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("application_default_credentials.json");
        std::fs::write(&file, "{}").unwrap();
        assert_eq!(logged_in(env).as_deref(), file.to_str());
        let moved = |name: &str| (name == "CLOUDSDK_CONFIG").then(|| "/nowhere".to_owned());
        assert_eq!(logged_in(moved), None);
    }

    #[test]
    fn what_is_no_account_is_told_by_what_it_is() {
        let read = |json: &str| Account::read(json, false).err().unwrap();
        assert_eq!(read("key"), "is no JSON of a Google account");
        let user = r#"{"type": "authorized_user", "refresh_token": "s3cr3t"}"#;
        assert_eq!(read(user), "is no JSON of a person's credentials");
        let other = r#"{"type": "gdch_service_account"}"#;
        assert!(read(other).starts_with("is of another type"));
        let key = r#"{"type": "service_account", "client_email": "a@b", "private_key": "s3cr3t"}"#;
        assert_eq!(read(key), "has a private_key that is no RSA key");
    }
}
