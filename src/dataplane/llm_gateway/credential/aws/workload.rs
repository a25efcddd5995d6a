//! Keys of AWS for the pod's own role: web identity (IAM roles for service
//! accounts) or EKS Pod Identity, by Amazon's own code over our connections.
//!
//! The default chain is not asked: it ends at the metadata service of the node,
//! whose role is not the pod's.

use std::time::{Duration, SystemTime};

use aws_config::Region;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use super::super::environment;
use super::super::tokens::Calls;
use super::client::Client;
use crate::upstream::Fetch;

/// The variables that the webhook of EKS sets, for web identity …
const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const ROLE: &str = "AWS_ROLE_ARN";
/// … and for Pod Identity.
const AGENT: [&str; 2] = [
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
];

/// Asks for the keys of the pod's role.
pub(in crate::llm_gateway) struct Workload<C> {
    region: String,
    client: Client<C>,
    /// Pod Identity's agent has an address that no upstream may have.
    agent: Client<C>,
}

impl<C: Calls> Workload<C> {
    pub(super) fn new(region: &str, client: C, agent: C) -> Self {
        Self {
            region: region.to_owned(),
            client: Client::new(client),
            agent: Client::new(agent),
        }
    }

    fn config(&self, client: &Client<C>) -> ProviderConfig {
        ProviderConfig::without_region()
            .with_region(Some(Region::new(self.region.clone())))
            .with_http_client(client.clone())
    }

    async fn credentials(&self) -> Result<Credentials, String> {
        let has = |name: &str| environment(name).is_some();
        if has(TOKEN_FILE) && has(ROLE) {
            let provider = WebIdentityTokenCredentialsProvider::builder();
            let provider = provider.configure(&self.config(&self.client)).build();
            return given(provider, &self.client).await;
        }
        if AGENT.iter().any(|name| has(name)) {
            let provider = EcsCredentialsProvider::builder();
            let provider = provider.configure(&self.config(&self.agent)).build();
            return given(provider, &self.agent).await;
        }
        Err(format!(
            "there is neither {TOKEN_FILE} with {ROLE} nor {} in the environment: give the pods \
             a service account with a role (podTemplate.serviceAccountName), or write \
             credentialsRef",
            AGENT[0]
        ))
    }
}

/// Amazon's code logs answers as they are; here they go nowhere.
async fn given<C: Calls>(
    provider: impl ProvideCredentials,
    client: &Client<C>,
) -> Result<Credentials, String> {
    // What became of an earlier call says nothing about this one.
    client.note(None);
    let found = provider
        .provide_credentials()
        .with_subscriber(NoSubscriber::default())
        .await;
    found.map_err(|_| match client.last_failure() {
        Some(why) => format!("no keys of AWS {why}"),
        None => "no keys of AWS: the variables in the pod's environment, or the file that they \
                 name, cannot be used"
            .to_owned(),
    })
}

impl<C: Calls> Fetch for Workload<C> {
    type Value = Credentials;
    type Error = String;

    async fn fetch(&self) -> Result<(Credentials, Option<Duration>), String> {
        let keys = self.credentials().await?;
        let left = |end: SystemTime| end.duration_since(SystemTime::now()).unwrap_or_default();
        let lifetime = keys.expiry().map(left);
        Ok((keys, lifetime))
    }

    fn slow(&self, patience: Duration) -> String {
        format!("no keys of AWS within {} s", patience.as_secs())
    }
}
