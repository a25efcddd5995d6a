//! The two webhook configurations: created whole, kept current, written only
//! when they differ.

use agentkube_crds::keys;
use agentkube_webhooks::config::{CONFIGURATION, Endpoint, FailurePolicy, Registration};
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use crate::apply::{APPLIED, FIELD_MANAGER, covers};
use crate::metrics::Metrics;
use crate::{Error, Options, SERVICE_PORT, WebhookEndpoint};

/// Registers the webhooks of this installation.
pub(crate) struct Registrar {
    client: Client,
    metrics: Metrics,
    endpoint: Endpoint,
    namespace: String,
    cluster_role: Option<String>,
}

impl Registrar {
    pub(crate) fn new(client: &Client, options: &Options, metrics: Metrics) -> Self {
        let endpoint = match &options.webhook_endpoint {
            WebhookEndpoint::Service { name } => Endpoint::Service {
                namespace: options.namespace.clone(),
                name: name.clone(),
                port: SERVICE_PORT,
            },
            WebhookEndpoint::Url(url) => Endpoint::Url(url.clone()),
        };
        Self {
            client: client.clone(),
            metrics,
            endpoint,
            namespace: options.namespace.clone(),
            cluster_role: options.cluster_role.clone(),
        }
    }

    /// Makes both configurations say what they should, with this `caBundle`.
    pub(crate) async fn register(&self, bundle: &str) -> Result<(), Error> {
        let registration = Registration {
            endpoint: self.endpoint.clone(),
            ca_bundle: bundle.as_bytes().to_vec(),
            own_namespace: self.namespace.clone(),
            owner: self.owner().await?,
            own_kinds: FailurePolicy::Ignore,
            pods: FailurePolicy::Ignore,
        };
        let mutating = serde_json::to_value(agentkube_webhooks::config::mutating(&registration))?;
        self.apply("MutatingWebhookConfiguration", mutating).await?;
        let validating =
            serde_json::to_value(agentkube_webhooks::config::validating(&registration))?;
        self.apply("ValidatingWebhookConfiguration", validating)
            .await
    }

    async fn apply(&self, kind: &'static str, mut wanted: Value) -> Result<(), Error> {
        let gvk = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind);
        let resource =
            ApiResource::from_gvk_with_plural(&gvk, &format!("{}s", kind.to_lowercase()));
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &resource);
        let digest = hex::encode(Sha256::digest(wanted.to_string().as_bytes()));
        let digest = digest.chars().take(16).collect::<String>();
        if let Some(wanted) = wanted.as_object_mut() {
            wanted.insert(
                "apiVersion".to_owned(),
                json!("admissionregistration.k8s.io/v1"),
            );
            wanted.insert("kind".to_owned(), json!(kind));
            wanted["metadata"]["annotations"] = json!({ APPLIED: digest });
        }
        if let Some(live) = api.get_opt(CONFIGURATION).await? {
            let (managed_by, us) = keys::MANAGED_BY;
            if live.labels().get(managed_by).is_none_or(|by| by != us) {
                warn!(
                    kind,
                    name = CONFIGURATION,
                    "exists and is not ours; webhooks are not registered"
                );
                return Ok(());
            }
            let same = live.annotations().get(APPLIED) == Some(&digest);
            if same && serde_json::to_value(&live).is_ok_and(|live| covers(&live, &wanted)) {
                return Ok(());
            }
        }
        let params = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(CONFIGURATION, &params, &Patch::Apply(&wanted))
            .await?;
        self.metrics.wrote(kind);
        info!(kind, "registered");
        Ok(())
    }

    /// The ClusterRole whose deletion takes the configurations with it.
    async fn owner(&self) -> Result<Option<OwnerReference>, Error> {
        let Some(name) = &self.cluster_role else {
            return Ok(None);
        };
        let api = Api::<ClusterRole>::all(self.client.clone());
        let role = match api.get_metadata_opt(name).await {
            Err(kube::Error::Api(status)) if status.code == 403 => None,
            role => role?,
        };
        Ok(role
            .and_then(|role| role.metadata.uid)
            .map(|uid| OwnerReference {
                api_version: "rbac.authorization.k8s.io/v1".to_owned(),
                kind: "ClusterRole".to_owned(),
                name: name.clone(),
                uid,
                ..OwnerReference::default()
            }))
    }
}
