//! A person's own credentials, as `gcloud auth application-default login` leaves them: a
//! token to refresh with, traded for tokens (RFC 6749, 6).

use http::{HeaderValue, Uri};
use serde::Deserialize;

use super::super::tokens::{self, Calls, Given};
use super::{googles, posted};

/// A person, ready to ask.
pub(in crate::llm_gateway) struct User {
    client_id: String,
    client_secret: String,
    refresh_token: String,
    token_uri: Uri,
    /// Who pays: a person's credentials belong to no project.
    project: Option<HeaderValue>,
}

#[derive(Deserialize)]
struct UserFile {
    client_id: String,
    client_secret: String,
    refresh_token: String,
    quota_project_id: Option<String>,
    token_uri: Option<String>,
}

impl User {
    pub(super) fn read(json: &str, local: bool) -> Result<Self, &'static str> {
        let file: UserFile =
            serde_json::from_str(json).map_err(|_| "is no JSON of a person's credentials")?;
        let token_uri = file.token_uri.as_deref();
        let token_uri = token_uri.unwrap_or("https://oauth2.googleapis.com/token");
        let project = file.quota_project_id.map(HeaderValue::try_from);
        Ok(Self {
            client_id: file.client_id,
            client_secret: file.client_secret,
            refresh_token: file.refresh_token,
            token_uri: googles(token_uri, local).ok_or("has a token_uri that is not Google's")?,
            project: project
                .transpose()
                .map_err(|_| "has a quota_project_id that no header can carry")?,
        })
    }

    pub(super) async fn fetch<C: Calls>(&self, client: C) -> Result<Given, String> {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.as_str()),
            ("refresh_token", self.refresh_token.as_str()),
        ];
        let issued = tokens::fetch(client, posted(&self.token_uri, &fields)).await?;
        Ok(Given {
            issued,
            project: self.project.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use agentkube_testkit::{Reply, Upstream};
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;
    use crate::upstream::{TlsRoots, UpstreamClient};

    #[tokio::test]
    async fn a_person_is_asked_for_by_their_refresh_token_and_pays_for_a_project() {
        let google = Upstream::start(|request| {
            let form = String::from_utf8(request.body.to_vec()).unwrap();
            let right = "grant_type=refresh_token&client_id=id&client_secret=s3cr3t\
                         &refresh_token=1%2F%2Fr3fresh";
            if form != right {
                return Reply::json(400, &json!({"error": "invalid_grant"}));
            }
            let answer = json!({"access_token": "own", "expires_in": 3599, "token_type": "Bearer"});
            Reply::json(200, &answer)
        })
        .await;
        let client = UpstreamClient::new(&TlsRoots::load().unwrap(), Duration::from_secs(5));
        let mut file = json!({
            "type": "authorized_user", "client_id": "id", "client_secret": "s3cr3t",
            "refresh_token": "1//r3fresh", "quota_project_id": "our-project",
            "token_uri": google.url("/token"),
        });
        let user = User::read(&file.to_string(), true).unwrap();
        let given = user.fetch(client.clone()).await.unwrap();
        assert_eq!(given.issued.token.expose_secret(), "own");
        assert_eq!(given.project.unwrap(), "our-project");

        file["refresh_token"] = json!("r3voked");
        let user = User::read(&file.to_string(), true).unwrap();
        let error = user.fetch(client).await.err().unwrap();
        assert!(error.ends_with("(invalid_grant)"), "{error}");
        assert!(!error.contains("r3voked") && !error.contains("s3cr3t"));
    }

    #[test]
    fn a_refresh_token_goes_to_google_alone() {
        let file = json!({
            "client_id": "id", "client_secret": "s", "refresh_token": "r",
            "token_uri": "https://evil.example/token",
        });
        let error = User::read(&file.to_string(), false).err().unwrap();
        assert_eq!(error, "has a token_uri that is not Google's");
    }
}
