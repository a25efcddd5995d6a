//! The CA in its Secret, and the leaf of this replica.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use agentkube_certs::{Authority, Resolver};
use agentkube_crds::keys;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};
use tracing::{error, info};

use crate::apply::FIELD_MANAGER;
use crate::metrics::Metrics;
use crate::{CA_SECRET, Error, Options, WebhookEndpoint};

/// The Secret with the CA.
#[derive(Clone)]
pub(crate) struct CaSecret {
    api: Api<Secret>,
    /// The version that was read last: a write is refused when it is older.
    version: Arc<Mutex<Option<String>>>,
}

/// The leaf that this replica serves.
pub(crate) struct Leaves {
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) names: Vec<String>,
    pub(crate) serving: Arc<crate::admin::Readiness>,
    pub(crate) metrics: Metrics,
}

impl CaSecret {
    pub(crate) fn new(client: &Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client.clone(), namespace),
            version: Arc::default(),
        }
    }

    /// The authority, if the Secret is there.
    pub(crate) async fn read(&self) -> Result<Option<Authority>, Error> {
        let Some(secret) = self.api.get_opt(CA_SECRET).await? else {
            return Ok(None);
        };
        self.seen(&secret);
        let data: BTreeMap<String, Vec<u8>> = secret
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, value.0))
            .collect();
        Ok(Some(Authority::from_secret(&data)?))
    }

    /// Makes the Secret; whoever was faster wins.
    pub(crate) async fn create(&self, authority: &Authority) -> Result<Authority, Error> {
        match self.api.create(&params(), &secret(authority, None)).await {
            Ok(made) => {
                self.seen(&made);
                info!("webhook CA made");
                Ok(authority.clone())
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                self.read().await?.ok_or(Error::TaskEnded("the CA Secret"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the next state over the one that was read.
    pub(crate) async fn replace(&self, authority: &Authority) -> Result<Authority, Error> {
        let version = self
            .version
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let written = self
            .api
            .replace(CA_SECRET, &params(), &secret(authority, version))
            .await?;
        self.seen(&written);
        Ok(authority.clone())
    }

    fn seen(&self, secret: &Secret) {
        let mut version = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        version.clone_from(&secret.metadata.resource_version);
    }
}

impl Leaves {
    /// Signs a new leaf when one is due. True when one is served.
    pub(crate) fn refresh(&self, authority: &Authority, now: Timestamp) -> bool {
        self.metrics
            .ca_expires
            .set(authority.not_after().as_second());
        let due = self
            .resolver
            .leaf()
            .is_none_or(|leaf| authority.leaf_is_due(&leaf, now));
        if due {
            match authority.sign_leaf(&self.names, now) {
                Ok(leaf) => {
                    self.metrics.leaf_expires.set(leaf.not_after().as_second());
                    self.resolver.serve(leaf);
                    flag(&self.serving.serving);
                    info!("serving a new webhook certificate");
                }
                Err(error) => error!(%error, "no webhook certificate could be signed"),
            }
        }
        self.is_serving()
    }

    pub(crate) fn is_serving(&self) -> bool {
        self.resolver.leaf().is_some()
    }
}

/// The names that the API server connects to.
pub(crate) fn names(options: &Options) -> Vec<String> {
    match &options.webhook_endpoint {
        WebhookEndpoint::Service { name } => {
            let service = format!("{name}.{}.svc", options.namespace);
            vec![format!("{service}.{}", options.cluster_domain), service]
        }
        WebhookEndpoint::Url(url) => {
            let host = url
                .parse::<http::Uri>()
                .ok()
                .and_then(|uri| uri.host().map(str::to_owned));
            host.map(|host| host.trim_matches(['[', ']']).to_owned())
                .into_iter()
                .collect()
        }
    }
}

fn flag(flag: &AtomicBool) {
    flag.store(true, Ordering::Relaxed);
}

fn params() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn secret(authority: &Authority, version: Option<String>) -> Secret {
    let (managed_by, us) = keys::MANAGED_BY;
    let data = authority.to_secret();
    Secret {
        metadata: ObjectMeta {
            name: Some(CA_SECRET.to_owned()),
            labels: Some(BTreeMap::from([(managed_by.to_owned(), us.to_owned())])),
            resource_version: version,
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some(
            data.iter()
                .map(|(key, value)| (key.clone(), ByteString(value.to_vec())))
                .collect(),
        ),
        ..Secret::default()
    }
}
