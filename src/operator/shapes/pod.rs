//! A Pod: who it is, where it is, whether it is ready.

use agentkube_plan::RunReport;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Deserializer};

/// A Pod without its containers.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PodShape {
    #[serde(default)]
    pub(crate) metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    service_account_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    phase: Option<String>,
    #[serde(default, rename = "podIP")]
    pod_ip: Option<String>,
    #[serde(default)]
    conditions: Option<Vec<Condition>>,
    #[serde(default)]
    container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    #[serde(default)]
    state: ContainerState,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct ContainerState {
    #[serde(default)]
    waiting: Option<Waiting>,
    #[serde(default)]
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Deserialize)]
struct Waiting {
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Terminated {
    #[serde(default, deserialize_with = "ours_only")]
    message: Option<RunReport>,
}

/// A termination message of our supervisor; those of others are not kept.
fn ours_only<'de, D: Deserializer<'de>>(input: D) -> Result<Option<RunReport>, D::Error> {
    let text = Option::<String>::deserialize(input)?;
    let report = text.and_then(|text| serde_json::from_str::<RunReport>(&text).ok());
    Ok(report.filter(RunReport::is_over))
}

super::core_v1!(PodShape, "Pod", "pods", kube::core::NamespaceResourceScope);

impl PodShape {
    /// The ServiceAccount it runs as.
    pub(crate) fn service_account(&self) -> &str {
        self.spec
            .service_account_name
            .as_deref()
            .filter(|name| !name.is_empty())
            .unwrap_or("default")
    }

    /// Its address, once it has one.
    pub(crate) fn ip(&self) -> Option<&str> {
        self.status.pod_ip.as_deref().filter(|ip| !ip.is_empty())
    }

    /// True while it is in service: ready, and not being deleted.
    pub(crate) fn is_ready(&self) -> bool {
        self.metadata.deletion_timestamp.is_none()
            && self
                .status
                .conditions
                .iter()
                .flatten()
                .any(|c| c.type_ == "Ready" && c.status == "True")
    }

    /// True while some container of it has not been started yet.
    pub(crate) fn is_starting(&self) -> bool {
        self.metadata.deletion_timestamp.is_none()
            && matches!(self.status.phase.as_deref(), None | Some("Pending"))
    }

    /// True while its containers run or are started again, and it is not being deleted.
    pub(crate) fn is_running(&self) -> bool {
        self.metadata.deletion_timestamp.is_none()
            && self.status.phase.as_deref() == Some("Running")
    }

    /// What the supervisor of an Agent left when its container ended.
    pub(crate) fn run_report(&self) -> Option<&RunReport> {
        let statuses = self.status.container_statuses.iter().flatten();
        statuses
            .filter_map(|status| status.state.terminated.as_ref())
            .find_map(|terminated| terminated.message.as_ref())
    }

    /// True when it will never run again.
    pub(crate) fn is_over(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
            || matches!(self.status.phase.as_deref(), Some("Succeeded" | "Failed"))
    }

    /// Why it does not start, if that is known: it finds no node, or a container
    /// of it waits (`ImagePullBackOff`).
    pub(crate) fn why_not_ready(&self) -> Option<String> {
        let unscheduled = self
            .status
            .conditions
            .iter()
            .flatten()
            .find_map(|condition| {
                let no = condition.type_ == "PodScheduled" && condition.status == "False";
                no.then(|| {
                    format!(
                        "not scheduled: {}",
                        condition.message.as_deref().unwrap_or("no reason given")
                    )
                })
            });
        unscheduled.or_else(|| {
            self.status
                .container_statuses
                .iter()
                .flatten()
                .find_map(|status| {
                    let reason = status.state.waiting.as_ref()?.reason.as_deref()?;
                    Some(format!("container {}: {reason}", status.name))
                })
        })
    }

    /// All that decides which client it is, and of what.
    pub(crate) fn identity(&self) -> impl PartialEq + '_ {
        let meta = &self.metadata;
        (
            &meta.labels,
            &meta.annotations,
            self.service_account(),
            self.is_over(),
        )
    }

    /// Its labels.
    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.metadata.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// Its annotations.
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata
            .annotations
            .as_ref()?
            .get(key)
            .map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_termination_messages_only_those_of_our_supervisor_are_kept() {
        let pod = |message: &str| -> PodShape {
            let state = json!({ "terminated": { "exitCode": 0, "message": message } });
            serde_json::from_value(json!({
                "metadata": { "name": "a" },
                "status": { "containerStatuses": [{ "name": "agent", "state": state }] },
            }))
            .unwrap()
        };
        let ours = pod(r#"{"phase":"Failed","exitCode":3}"#);
        assert_eq!(ours.run_report().and_then(|it| it.exit_code), Some(3));
        for other in ["", "a secret", r#"{"phase":"Running"}"#] {
            let pod = pod(other);
            assert!(pod.run_report().is_none(), "{other}");
            assert!(!format!("{pod:?}").contains("secret"));
        }
    }

    #[test]
    fn a_ready_pod_that_is_being_deleted_is_not_in_service() {
        let mut value = json!({
            "metadata": {"name": "a", "namespace": "b"},
            "spec": {"containers": [{"name": "c", "env": [{"name": "K", "value": "secret"}]}]},
            "status": {"podIP": "10.0.0.7", "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}]}
        });
        let pod: PodShape = serde_json::from_value(value.clone()).unwrap();
        assert!(pod.is_ready() && !pod.is_over() && !pod.is_starting());
        assert_eq!(
            (pod.ip(), pod.service_account()),
            (Some("10.0.0.7"), "default")
        );
        assert!(
            !format!("{pod:?}").contains("secret"),
            "the spec is skipped"
        );
        value["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let pod: PodShape = serde_json::from_value(value).unwrap();
        assert!(!pod.is_ready() && pod.is_over());
    }
}
