//! Who signs the tokens of ServiceAccounts: asked of the API server, and kept a
//! while. The data planes are told, so they ask nobody.

use std::time::{Duration, Instant};

use agentkube_plan::TokenKey;
use kube::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use super::ReconcileError;

/// New keys are published well before they sign.
const KEPT: Duration = Duration::from_secs(300);

/// The cluster as an issuer of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signers {
    /// What its tokens call it.
    pub(crate) issuer: String,
    /// Its public keys, by name.
    pub(crate) keys: Vec<TokenKey>,
}

/// What the API server publishes, as last read.
#[derive(Default)]
pub(crate) struct ClusterSigners(Mutex<Option<(Instant, Signers)>>);

/// OpenID Connect Discovery 1.0, 3; of it the issuer only: where the keys are said to
/// be may be an address that is not meant for us.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
}

/// RFC 7517, 5.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl ClusterSigners {
    /// The signers; older ones when the API server does not answer.
    pub(crate) async fn get(&self, client: &Client) -> Result<Signers, ReconcileError> {
        let mut kept = self.0.lock().await;
        if let Some((read, signers)) = &*kept
            && read.elapsed() < KEPT
        {
            return Ok(signers.clone());
        }
        match read(client).await {
            Ok(signers) => {
                *kept = Some((Instant::now(), signers.clone()));
                Ok(signers)
            }
            Err(error) => match &*kept {
                Some((_, signers)) => {
                    tracing::warn!(%error, "the keys of service account tokens cannot be read; older ones stay");
                    Ok(signers.clone())
                }
                None => Err(error),
            },
        }
    }
}

async fn read(client: &Client) -> Result<Signers, ReconcileError> {
    let discovery: Discovery = get(client, "/.well-known/openid-configuration").await?;
    let set: KeySet = get(client, "/openid/v1/jwks").await?;
    let known = set.keys.into_iter();
    // Keys of kinds that are not known here sign tokens that are not believed.
    let mut keys: Vec<TokenKey> = known
        .filter_map(|key| serde_json::from_value(key).ok())
        .collect();
    keys.sort_by(|one, other| one.kid().cmp(other.kid()));
    if keys.is_empty() {
        return Err(ReconcileError::NoSigners);
    }
    Ok(Signers {
        issuer: discovery.issuer,
        keys,
    })
}

async fn get<T: DeserializeOwned>(
    client: &Client,
    path: &'static str,
) -> Result<T, ReconcileError> {
    let request = http::Request::get(path).body(Vec::new());
    let request = request.map_err(kube::Error::HttpError)?;
    let answer = client.request(request).await;
    answer.map_err(|error| ReconcileError::Signers {
        path,
        source: Box::new(error),
    })
}
