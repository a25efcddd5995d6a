//! The stores as admission's [`Lookup`], and the targeted reads for what they miss.

use std::fmt::Debug;
use std::sync::Arc;

use agentkube_crds::{LLMGateway, MCP};
use agentkube_webhooks::rights::{Right, User};
use agentkube_webhooks::server::{Confirm, ConfirmError, Rights};
use agentkube_webhooks::{Lookup, NamespaceFacts, SecretFacts};
use futures::future::BoxFuture;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client};
use serde::de::DeserializeOwned;

use super::Stores;
use crate::shapes::{NamespaceShape, SecretShape};

impl Lookup for Stores {
    fn secret(&self, namespace: &str, name: &str) -> Option<SecretFacts> {
        self.secrets
            .get(&ObjectRef::new(name).within(namespace))
            .map(|secret| secret.facts())
    }

    fn namespace(&self, name: &str) -> Option<NamespaceFacts> {
        self.namespaces
            .get(&ObjectRef::new(name))
            .map(|namespace| namespace.facts())
    }

    fn gateway(&self, namespace: &str, name: &str) -> Option<Arc<LLMGateway>> {
        self.gateways.get(&ObjectRef::new(name).within(namespace))
    }

    fn mcp(&self, namespace: &str, name: &str) -> Option<Arc<MCP>> {
        self.mcps.get(&ObjectRef::new(name).within(namespace))
    }
}

/// Reads of single objects, for what a watch has not brought yet.
#[derive(Clone)]
pub(crate) struct LiveReads {
    pub(crate) client: Client,
}

type Read<'a, T> = BoxFuture<'a, Result<Option<T>, ConfirmError>>;

impl Confirm for LiveReads {
    fn secret(&self, namespace: String, name: String) -> Read<'_, SecretFacts> {
        let api = Api::<SecretShape>::namespaced(self.client.clone(), &namespace);
        read(api, name, |secret| secret.facts())
    }

    fn namespace(&self, name: String) -> Read<'_, NamespaceFacts> {
        let api = Api::<NamespaceShape>::all(self.client.clone());
        read(api, name, |namespace| namespace.facts())
    }

    fn gateway(&self, namespace: String, name: String) -> Read<'_, Arc<LLMGateway>> {
        read(
            Api::namespaced(self.client.clone(), &namespace),
            name,
            Arc::new,
        )
    }

    fn mcp(&self, namespace: String, name: String) -> Read<'_, Arc<MCP>> {
        read(
            Api::namespaced(self.client.clone(), &namespace),
            name,
            Arc::new,
        )
    }
}

impl Rights for LiveReads {
    fn has(&self, user: User, right: Right) -> BoxFuture<'_, Result<bool, ConfirmError>> {
        let api = Api::<SubjectAccessReview>::all(self.client.clone());
        Box::pin(async move {
            let asked = api
                .create(&PostParams::default(), &asked(user, right))
                .await;
            let answer = asked.map_err(|error| ConfirmError(error.to_string()))?;
            Ok(answer.status.is_some_and(|status| status.allowed))
        })
    }
}

fn asked(user: User, right: Right) -> SubjectAccessReview {
    let (verb, resource, namespace, name) = match right {
        Right::CreatePods { namespace } => ("create", "pods", namespace, None),
        Right::GetSecret { namespace, name } => ("get", "secrets", namespace, Some(name)),
    };
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(user.name),
            uid: user.uid,
            groups: Some(user.groups),
            extra: Some(user.extra),
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace),
                verb: Some(verb.to_owned()),
                resource: Some(resource.to_owned()),
                name,
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}

fn read<K, T>(
    api: Api<K>,
    name: String,
    make: impl FnOnce(K) -> T + Send + 'static,
) -> Read<'static, T>
where
    K: Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    T: Send + 'static,
{
    Box::pin(async move {
        let found = api
            .get_opt(&name)
            .await
            .map_err(|error| ConfirmError(error.to_string()))?;
        Ok(found.map(make))
    })
}
