//! An Agent's Pod that runs once: our program, copied in, starts the agent's.

use agentkube_crds::keys;
use agentkube_plan::STATUS_PORT;
use serde_json::{Value, json};

use super::Settings;
use super::pod::container_security;

/// Where our program and the memory of the run are. It outlives the container,
/// as the Pod does.
const FOLDER: &str = "/agentkube";
/// The same folder in the init container, where `/agentkube` is our program.
const COPY_TO: &str = "/copy";
/// The volume.
const VOLUME: &str = "agentkube-run";

/// Puts the supervisor before the program of a Pod that is wired already: the
/// wiring is the agent's, and no business of the container that copies.
pub(crate) fn supervised(settings: &Settings, pod: &Value, run: &str) -> Value {
    let mut pod = pod.clone();
    let resources = pod
        .pointer("/spec/containers/0/resources")
        .cloned()
        .unwrap_or_default();
    if let Some(container) = pod.pointer_mut("/spec/containers/0") {
        let program = container.get("command").and_then(Value::as_array);
        let mut command: Vec<Value> = [
            &format!("{FOLDER}/agentkube"),
            "supervise",
            "--state",
            FOLDER,
            "--",
        ]
        .into_iter()
        .map(|word: &str| json!(word))
        .collect();
        command.extend(program.into_iter().flatten().cloned());
        set(container, "command", json!(command));
        let port = json!({ "name": "status", "containerPort": STATUS_PORT, "protocol": "TCP" });
        push(container, "ports", port);
        // It turns as soon as the program ended: that is when to look.
        let probe = json!({
            "httpGet": { "path": "/readyz", "port": "status" },
            "periodSeconds": 2,
            "timeoutSeconds": 5,
            "failureThreshold": 1,
        });
        set(container, "readinessProbe", probe);
        let mount = json!({ "name": VOLUME, "mountPath": FOLDER });
        push(container, "volumeMounts", mount);
    }
    if let Some(spec) = pod.get_mut("spec") {
        push(spec, "initContainers", init_container(settings, resources));
        push(spec, "volumes", json!({ "name": VOLUME, "emptyDir": {} }));
    }
    if let Some(notes) = pod.pointer_mut("/metadata/annotations") {
        set(notes, keys::RUN, json!(run));
    }
    pod
}

/// With the agent's resources: it runs before it, so that asks for no more, and
/// a quota that wants them finds them.
fn init_container(settings: &Settings, resources: Value) -> Value {
    let mut container = json!({
        "name": "agentkube",
        "image": settings.image,
        "args": ["install-self", format!("{COPY_TO}/agentkube")],
        "resources": resources,
        "securityContext": container_security(true),
        "volumeMounts": [{ "name": VOLUME, "mountPath": COPY_TO }],
    });
    if let Some(policy) = &settings.image_pull_policy {
        set(&mut container, "imagePullPolicy", json!(policy));
    }
    container
}

fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(field.to_owned(), value);
    }
}

fn push(object: &mut Value, list: &str, value: Value) {
    let Some(object) = object.as_object_mut() else {
        return;
    };
    let list = object.entry(list).or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut() {
        list.push(value);
    }
}
