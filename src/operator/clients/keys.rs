//! The Secrets with clients' keys: reads hashes, hands keys out, takes them back.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use agentkube_crds::keys;
use agentkube_plan::KeyHash;
use agentkube_webhooks::TargetRef;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Client};
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

use super::grants::{ClientOwner, secret_name};
use crate::apply::FIELD_MANAGER;
use crate::shapes::SecretShape;

/// Hashes of a Secret's keys by its uid and resourceVersion, so that an
/// unchanged Secret is read once.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    read: Mutex<Read>,
}

/// Namespace and name → version, hashes.
type Read = BTreeMap<(String, String), (String, Vec<KeyHash>)>;

/// Reads and writes key Secrets.
pub(crate) struct ClientKeys<'a> {
    pub(crate) client: &'a Client,
    pub(crate) cache: &'a KeyCache,
}

/// What became of handing a key out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HandOut {
    /// The Secret was made.
    Made,
    /// A Secret of that name is there and is not ours: it is never adopted.
    NameTaken,
    /// The owner is not there (any more), so nobody waits for the key.
    NoOwner,
}

impl ClientKeys<'_> {
    /// The hashes of the keys in a Secret; keys that are too short are left out.
    pub(crate) async fn hashes(&self, shape: &SecretShape) -> Result<Vec<KeyHash>, kube::Error> {
        let meta = &shape.metadata;
        let (Some(namespace), Some(name)) = (&meta.namespace, &meta.name) else {
            return Ok(Vec::new());
        };
        let key = (namespace.clone(), name.clone());
        let version = format!("{:?}/{:?}", meta.uid, meta.resource_version);
        let known = self
            .cache
            .lock()
            .get(&key)
            .filter(|(at, _)| *at == version)
            .cloned();
        if let Some((_, hashes)) = known {
            return Ok(hashes);
        }
        let api = Api::<Secret>::namespaced(self.client.clone(), namespace);
        let Some(secret) = api.get_opt(name).await? else {
            return Ok(Vec::new());
        };
        let hashes = hashes_in(&secret);
        let read = format!(
            "{:?}/{:?}",
            secret.metadata.uid, secret.metadata.resource_version
        );
        self.cache.lock().insert(key, (read, hashes.clone()));
        Ok(hashes)
    }

    /// Makes the Secret with the key of `client` for `target`. It is created and
    /// never patched, so an existing one is never touched.
    pub(crate) async fn hand_out(
        &self,
        client: &str,
        key: &SecretString,
        target: &TargetRef,
        owner: &ClientOwner,
    ) -> Result<HandOut, kube::Error> {
        let Some((namespace, _)) = client.split_once('/') else {
            return Ok(HandOut::NoOwner);
        };
        let Some(owner) = self.owner(namespace, owner).await? else {
            return Ok(HandOut::NoOwner);
        };
        let name = secret_name(client, target);
        let secret = Secret {
            metadata: metadata(namespace, &name, client, target, owner),
            type_: Some("Opaque".to_owned()),
            data: Some(BTreeMap::from([(
                keys::API_KEY.to_owned(),
                ByteString(key.expose_secret().as_bytes().to_vec()),
            )])),
            ..Secret::default()
        };
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..<_>::default()
        };
        match Api::<Secret>::namespaced(self.client.clone(), namespace)
            .create(&params, &secret)
            .await
        {
            Ok(_) => {
                info!(client, target = %target.printed(), secret = %name, "client key handed out");
                Ok(HandOut::Made)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(HandOut::NameTaken),
            // The namespace is going, and the client with it.
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 403 => {
                warn!(
                    client,
                    code = status.code,
                    "client key could not be handed out"
                );
                Ok(HandOut::NoOwner)
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes a key whose grant ended, unless it changed meanwhile.
    pub(crate) async fn take_back(&self, shape: &SecretShape) -> Result<(), kube::Error> {
        let meta = &shape.metadata;
        let (Some(namespace), Some(name)) = (&meta.namespace, &meta.name) else {
            return Ok(());
        };
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: meta.uid.clone(),
                resource_version: meta.resource_version.clone(),
            }),
            ..DeleteParams::default()
        };
        match Api::<Secret>::namespaced(self.client.clone(), namespace)
            .delete(name, &params)
            .await
        {
            Ok(_) => {
                info!(%namespace, secret = %name, "client key taken back");
                Ok(())
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The reference to the owner as it is now. Not controlling: a ServiceAccount
    /// controls nothing, it only takes its keys with it.
    async fn owner(
        &self,
        namespace: &str,
        owner: &ClientOwner,
    ) -> Result<Option<OwnerReference>, kube::Error> {
        let (api_version, kind, name, meta) = match owner {
            ClientOwner::Agent(name) => {
                let api = Api::<agentkube_crds::Agent>::namespaced(self.client.clone(), namespace);
                let meta = api.get_opt(name).await?.map(|agent| agent.metadata);
                (agentkube_crds::API_VERSION, "Agent", name, meta)
            }
            ClientOwner::Mcp(name) => {
                let api = Api::<agentkube_crds::MCP>::namespaced(self.client.clone(), namespace);
                let meta = api.get_opt(name).await?.map(|mcp| mcp.metadata);
                (agentkube_crds::API_VERSION, "MCP", name, meta)
            }
            ClientOwner::ServiceAccount(name) => {
                let api = Api::<ServiceAccount>::namespaced(self.client.clone(), namespace);
                let meta = api
                    .get_metadata_opt(name)
                    .await?
                    .map(|account| account.metadata);
                ("v1", "ServiceAccount", name, meta)
            }
        };
        let uid = meta
            .filter(|meta| meta.deletion_timestamp.is_none())
            .and_then(|meta| meta.uid);
        Ok(uid.map(|uid| OwnerReference {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: name.clone(),
            uid,
            controller: None,
            block_owner_deletion: None,
        }))
    }
}

impl KeyCache {
    /// Forgets Secrets that are gone.
    pub(crate) fn retain(&self, is_there: impl Fn(&str, &str) -> bool) {
        self.lock()
            .retain(|(namespace, name), _| is_there(namespace, name));
    }

    fn lock(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new key: 256 random bits. The prefix tells scanners of leaked keys whose it is.
pub(crate) fn mint() -> Result<SecretString, getrandom::Error> {
    let mut bytes = zeroize::Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut_slice())?;
    Ok(SecretString::from(format!(
        "agk-{}",
        URL_SAFE_NO_PAD.encode(bytes.as_slice())
    )))
}

fn hashes_in(secret: &Secret) -> Vec<KeyHash> {
    [keys::API_KEY, keys::API_KEY_PREVIOUS]
        .iter()
        .filter_map(|entry| secret.data.as_ref()?.get(*entry))
        .map(|value| trimmed(&value.0))
        .filter(|value| value.len() >= keys::API_KEY_MIN)
        .map(KeyHash::of)
        .collect()
}

/// A file or an editor adds a line feed that nobody sends.
fn trimmed(value: &[u8]) -> &[u8] {
    value.trim_ascii_end()
}

fn metadata(
    namespace: &str,
    name: &str,
    client: &str,
    target: &TargetRef,
    owner: OwnerReference,
) -> ObjectMeta {
    let (managed_by, us) = keys::MANAGED_BY;
    let text = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    let target = agentkube_crds::names::target(target.kind, &target.namespace, &target.name);
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        labels: Some(text(&[(managed_by, us)])),
        annotations: Some(text(&[(keys::CLIENT, client), (keys::TARGET, &target)])),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    }
}
