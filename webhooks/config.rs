//! The two webhook configurations, whole, as plain values.
//!
//! The operator applies them and nobody else does: a chart that carried one
//! without a `failurePolicy` would mean Fail, and a chart that carried one with
//! a `caBundle` would fight the rotation of the CA.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations,
    ServiceReference, ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, ObjectMeta, OwnerReference,
};

use agentkube_crds::{GROUP, Kind, VERSION, keys};

/// Name of both configuration objects.
pub const CONFIGURATION: &str = "agentkube";
/// How long the API server waits for an answer.
pub const TIMEOUT_SECONDS: i32 = 3;
/// The path that wires Pods.
pub const WIRE_PATH: &str = "/mutate/pods";

/// Everything that decides how the webhooks are registered.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Where the API server reaches the webhook server.
    pub endpoint: Endpoint,
    /// PEM bundle of the CAs that may have signed its certificate.
    pub ca_bundle: Vec<u8>,
    /// The operator's own namespace: never touched, so that a broken webhook
    /// cannot keep the operator itself from starting.
    pub own_namespace: String,
    /// The object whose deletion collects the configurations.
    pub owner: Option<OwnerReference>,
    /// What the API server does with objects of our kinds when no answer comes.
    pub own_kinds: FailurePolicy,
    /// The same for Pods.
    pub pods: FailurePolicy,
}

/// How the API server reaches the webhook server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Through a Service.
    Service {
        /// Namespace of the Service.
        namespace: String,
        /// Name of the Service.
        name: String,
        /// Port of the Service.
        port: u16,
    },
    /// At a base URL (`https://127.0.0.1:9443`), when it runs outside the cluster.
    Url(String),
}

/// What happens when the webhook does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// The request is refused.
    Fail,
    /// The request goes on as if nobody had been asked.
    #[default]
    Ignore,
}

/// The configuration of the mutating webhooks.
#[must_use]
pub fn mutating(registration: &Registration) -> MutatingWebhookConfiguration {
    let own = Kind::ALL.iter().map(|kind| own_kind(registration, *kind));
    let pods = [wire_pod(registration), wire_namespace(registration)];
    MutatingWebhookConfiguration {
        metadata: metadata(registration),
        webhooks: Some(own.chain(pods).collect()),
    }
}

/// The configuration of the validating webhooks.
#[must_use]
pub fn validating(registration: &Registration) -> ValidatingWebhookConfiguration {
    let own = Kind::ALL.iter().map(|kind| ValidatingWebhook {
        admission_review_versions: vec!["v1".to_owned()],
        client_config: registration.client_config(&format!("/validate/{}", kind.plural())),
        failure_policy: Some(registration.own_kinds.as_str().to_owned()),
        match_conditions: Some(registration.match_conditions()),
        match_policy: Some("Equivalent".to_owned()),
        name: format!("validate-{}.{GROUP}", kind.plural()),
        rules: Some(vec![own_rule(*kind)]),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(TIMEOUT_SECONDS),
        ..ValidatingWebhook::default()
    });
    ValidatingWebhookConfiguration {
        metadata: metadata(registration),
        webhooks: Some(own.collect()),
    }
}

impl FailurePolicy {
    fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "Fail",
            Self::Ignore => "Ignore",
        }
    }
}

impl Registration {
    fn client_config(&self, path: &str) -> WebhookClientConfig {
        let (service, url) = match &self.endpoint {
            Endpoint::Service {
                namespace,
                name,
                port,
            } => (
                Some(ServiceReference {
                    name: name.clone(),
                    namespace: namespace.clone(),
                    path: Some(path.to_owned()),
                    port: Some(i32::from(*port)),
                }),
                None,
            ),
            Endpoint::Url(base) => (None, Some(format!("{}{path}", base.trim_end_matches('/')))),
        };
        WebhookClientConfig {
            ca_bundle: Some(ByteString(self.ca_bundle.clone())),
            service,
            url,
        }
    }

    /// What the API server drops before it calls us. `request.namespace` is
    /// absent on cluster-scoped objects, and an absent field is an error in CEL.
    fn match_conditions(&self) -> Vec<MatchCondition> {
        let foreign = format!(
            "!has(request.namespace) || (!request.namespace.startsWith('kube-') \
             && request.namespace != '{}')",
            self.own_namespace
        );
        vec![
            MatchCondition {
                name: "not-being-deleted".to_owned(),
                expression: "!has(object.metadata.deletionTimestamp)".to_owned(),
            },
            MatchCondition {
                name: "foreign-namespace".to_owned(),
                expression: foreign,
            },
        ]
    }
}

fn metadata(registration: &Registration) -> ObjectMeta {
    let labels = [
        ("app.kubernetes.io/name", "agentkube"),
        ("app.kubernetes.io/component", "webhooks"),
        ("app.kubernetes.io/managed-by", "agentkube"),
        ("app.kubernetes.io/part-of", "agentkube"),
    ];
    ObjectMeta {
        name: Some(CONFIGURATION.to_owned()),
        labels: Some(
            labels
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        ),
        owner_references: registration.owner.clone().map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

fn own_kind(registration: &Registration, kind: Kind) -> MutatingWebhook {
    MutatingWebhook {
        rules: Some(vec![own_rule(kind)]),
        failure_policy: Some(registration.own_kinds.as_str().to_owned()),
        ..mutating_entry(
            registration,
            &format!("mutate-{}.{GROUP}", kind.plural()),
            &format!("/mutate/{}", kind.plural()),
        )
    }
}

/// Pods that ask for it themselves.
fn wire_pod(registration: &Registration) -> MutatingWebhook {
    MutatingWebhook {
        object_selector: Some(selector("In", &["true"])),
        ..pod_entry(registration, &format!("wire-pod.{GROUP}"))
    }
}

/// Pods of a namespace that asks for it, unless they said a word themselves.
fn wire_namespace(registration: &Registration) -> MutatingWebhook {
    MutatingWebhook {
        namespace_selector: Some(selector("In", &["true"])),
        object_selector: Some(selector("NotIn", &["true", "false"])),
        ..pod_entry(registration, &format!("wire-namespace.{GROUP}"))
    }
}

fn pod_entry(registration: &Registration, name: &str) -> MutatingWebhook {
    MutatingWebhook {
        failure_policy: Some(registration.pods.as_str().to_owned()),
        rules: Some(vec![RuleWithOperations {
            api_groups: Some(vec![String::new()]),
            api_versions: Some(vec!["v1".to_owned()]),
            operations: Some(vec!["CREATE".to_owned()]),
            resources: Some(vec!["pods".to_owned()]),
            scope: Some("Namespaced".to_owned()),
        }]),
        ..mutating_entry(registration, name, WIRE_PATH)
    }
}

/// What all mutating entries share. `IfNeeded`: another webhook may add a
/// container after us; a second call on our own answer changes nothing.
fn mutating_entry(registration: &Registration, name: &str, path: &str) -> MutatingWebhook {
    MutatingWebhook {
        admission_review_versions: vec!["v1".to_owned()],
        client_config: registration.client_config(path),
        match_conditions: Some(registration.match_conditions()),
        match_policy: Some("Equivalent".to_owned()),
        name: name.to_owned(),
        reinvocation_policy: Some("IfNeeded".to_owned()),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(TIMEOUT_SECONDS),
        ..MutatingWebhook::default()
    }
}

fn own_rule(kind: Kind) -> RuleWithOperations {
    let scope = if kind.namespaced() {
        "Namespaced"
    } else {
        "Cluster"
    };
    RuleWithOperations {
        api_groups: Some(vec![GROUP.to_owned()]),
        api_versions: Some(vec![VERSION.to_owned()]),
        operations: Some(vec!["CREATE".to_owned(), "UPDATE".to_owned()]),
        resources: Some(vec![kind.plural().to_owned()]),
        scope: Some(scope.to_owned()),
    }
}

fn selector(operator: &str, values: &[&str]) -> LabelSelector {
    LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: keys::WIRE.to_owned(),
            operator: operator.to_owned(),
            values: Some(values.iter().map(|value| (*value).to_owned()).collect()),
        }]),
        match_labels: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(endpoint: Endpoint) -> Registration {
        Registration {
            endpoint,
            ca_bundle: b"PEM".to_vec(),
            own_namespace: "agentkube-system".to_owned(),
            owner: None,
            own_kinds: FailurePolicy::Ignore,
            pods: FailurePolicy::Ignore,
        }
    }

    #[test]
    fn every_entry_says_its_failure_policy_and_has_no_side_effect() {
        let config = mutating(&registration(Endpoint::Url(
            "https://127.0.0.1:9443/".to_owned(),
        )));
        let entries = config.webhooks.unwrap();
        assert_eq!(entries.len(), 6);
        for entry in &entries {
            assert_eq!(
                entry.failure_policy.as_deref(),
                Some("Ignore"),
                "{}",
                entry.name
            );
            assert_eq!(entry.side_effects, "None");
            assert_eq!(entry.reinvocation_policy.as_deref(), Some("IfNeeded"));
            assert!(
                entry
                    .match_conditions
                    .as_ref()
                    .is_some_and(|all| all.len() == 2)
            );
        }
        let urls: Vec<_> = entries
            .iter()
            .filter_map(|e| e.client_config.url.clone())
            .collect();
        assert!(urls.contains(&"https://127.0.0.1:9443/mutate/llmgateways".to_owned()));
    }

    #[test]
    fn pods_are_matched_by_label_only() {
        let config = mutating(&registration(Endpoint::Service {
            namespace: "agentkube-system".to_owned(),
            name: "agentkube-webhooks".to_owned(),
            port: 443,
        }));
        let entries = config.webhooks.unwrap();
        let pods: Vec<_> = entries
            .iter()
            .filter(|e| e.name.starts_with("wire-"))
            .collect();
        assert_eq!(pods.len(), 2);
        for entry in pods {
            assert!(
                entry.object_selector.is_some(),
                "{} would see every Pod",
                entry.name
            );
            let rules = entry.rules.as_ref().unwrap();
            assert_eq!(
                rules[0].operations.as_deref(),
                Some(&["CREATE".to_owned()][..])
            );
            let service = entry.client_config.service.as_ref().unwrap();
            assert_eq!(service.path.as_deref(), Some(WIRE_PATH));
        }
    }

    #[test]
    fn own_kinds_are_validated_on_create_and_update() {
        let config = validating(&registration(Endpoint::Url(
            "https://127.0.0.1:1".to_owned(),
        )));
        for entry in config.webhooks.unwrap() {
            let rules = entry.rules.unwrap();
            assert_eq!(
                rules[0].operations.as_deref(),
                Some(&["CREATE".to_owned(), "UPDATE".to_owned()][..])
            );
        }
    }
}
