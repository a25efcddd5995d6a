//! The StatefulSet and the ServiceAccount of an Agent.

use agentkube_crds::agent::{CheckedAgent, CheckedGoal};
use agentkube_crds::{Kind, keys, names};
use serde_json::{Value, json};

use super::pod::{container_security, metadata, pod_security, resources, scheduling};
use super::{Child, ChildKind, Settings};

/// Variable that carries the goal.
const GOAL: &str = "AGENTKUBE_GOAL";
/// Home directory: the one place, with /tmp, that is sure to be writable.
const HOME: &str = "/home/agent";
/// The container with the program.
const CONTAINER: &str = "agent";

/// The Pod of an Agent before it is wired: `metadata` and `spec`.
pub(crate) fn agent_pod(settings: &Settings, agent: &CheckedAgent, image: &str) -> Value {
    let name = &agent.object.name;
    let mut labels = names::labels(Kind::Agent, name);
    // The operator wires it in the template; the webhook has nothing to add.
    labels.insert(keys::WIRE.to_owned(), "false".to_owned());
    let template = Some(&agent.pod_template);
    let mut container = json!({
        "name": CONTAINER,
        "image": image,
        "env": env(agent),
        "resources": resources(template, json!({})),
        "securityContext": container_security(false),
        "volumeMounts": [
            { "name": "home", "mountPath": HOME },
            { "name": "tmp", "mountPath": "/tmp" },
        ],
    });
    if let Some(container) = container.as_object_mut() {
        let (command, args) = command(agent);
        let mut put = |field: &str, words: Vec<String>| {
            if !words.is_empty() {
                container.insert(field.to_owned(), json!(words));
            }
        };
        put("command", command);
        put("args", args);
        if let Some(policy) = &settings.image_pull_policy {
            container.insert("imagePullPolicy".to_owned(), json!(policy));
        }
    }
    let account = agent
        .pod_template
        .service_account_name
        .as_deref()
        .unwrap_or(name);
    let mut spec = json!({
        "automountServiceAccountToken": false,
        "containers": [container],
        "enableServiceLinks": false,
        "securityContext": pod_security(),
        "serviceAccountName": account,
        "volumes": [{ "name": "home", "emptyDir": {} }, { "name": "tmp", "emptyDir": {} }],
    });
    scheduling(template, &mut spec);
    json!({ "metadata": metadata(template, labels, <_>::default()), "spec": spec })
}

/// How many Pods an Agent has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replicas {
    /// It waits, or is done.
    None,
    /// It runs.
    One,
}

/// One Pod at most, ever: a StatefulSet never runs two of the same name.
pub(crate) fn agent_set(agent: &CheckedAgent, pod: &Value, replicas: Replicas) -> Child {
    child(
        agent,
        ChildKind::StatefulSet,
        json!({
            "spec": {
                // In order, a Pod that never became ready would not be replaced
                // by one of a mended spec.
                "podManagementPolicy": "Parallel",
                "replicas": u8::from(replicas == Replicas::One),
                "revisionHistoryLimit": 3,
                "selector": { "matchLabels": names::selector(Kind::Agent, &agent.object.name) },
                "serviceName": agent.object.name,
                "template": pod,
            },
        }),
    )
}

/// The client that the Agent is.
pub(crate) fn agent_account(agent: &CheckedAgent) -> Child {
    child(
        agent,
        ChildKind::ServiceAccount,
        json!({ "automountServiceAccountToken": false }),
    )
}

fn child(agent: &CheckedAgent, kind: ChildKind, fields: Value) -> Child {
    let name = agent.object.name.clone();
    let metadata = json!({
        "name": name,
        "namespace": agent.object.namespace,
        "labels": names::labels(Kind::Agent, &name),
        "annotations": {},
    });
    Child::new(kind, &agent.object.namespace, name, metadata, fields)
}

/// The program and its arguments; what the spec says replaces what we know.
fn command(agent: &CheckedAgent) -> (Vec<String>, Vec<String>) {
    if !agent.command.is_empty() || !agent.args.is_empty() {
        return (agent.command.clone(), agent.args.clone());
    }
    // An image knows how to start; the goal is in the environment.
    let (Some(words), Some(_)) = (agent.runtime.command(), &agent.goal) else {
        return (Vec::new(), Vec::new());
    };
    let command = words.iter().map(|word| (*word).to_owned()).collect();
    (command, vec![format!("$({GOAL})")])
}

fn env(agent: &CheckedAgent) -> Vec<Value> {
    let mut env = vec![json!({ "name": "HOME", "value": HOME })];
    match &agent.goal {
        None => {}
        // `$` begins a reference to another variable; `$$` is a `$`.
        Some(CheckedGoal::Inline(goal)) => {
            env.push(json!({ "name": GOAL, "value": goal.replace('$', "$$") }));
        }
        Some(CheckedGoal::ConfigMapKey(goal)) => env.push(json!({
            "name": GOAL,
            "valueFrom": { "configMapKeyRef": { "name": goal.name, "key": goal.key } },
        })),
    }
    if let Some(token) = &agent.token {
        let secret = json!({ "name": token.secret_ref.name, "key": token.secret_ref.key });
        env.push(json!({ "name": token.env, "valueFrom": { "secretKeyRef": secret } }));
    }
    let user: Vec<Value> = agent.env.iter().map(|variable| json!(variable)).collect();
    let named = |list: &[Value], name: &Value| list.iter().any(|it| it.get("name") == Some(name));
    // The user's word counts: a variable of theirs replaces ours.
    env.retain(|ours| !named(&user, ours.get("name").unwrap_or(&Value::Null)));
    env.extend(user);
    env
}
