//! Containers of tool servers that are programs (`kind: stdio`).
//!
//! Each is a sidecar of the user's image that runs our program, which an init
//! container copied in: it serves the user's at a socket. So it is there before
//! the proxy, and ends after it.

use serde_json::{Map, Value, json};

use super::pod::container_security;
use super::{DataPlane, Settings};
use crate::resolve::{Program, SOCKETS};

/// The volume of our program, and where it is.
const PROGRAM: (&str, &str) = ("agentkube", "/agentkube");
/// The same folder in the init container, where `/agentkube` is our program.
const COPY_TO: &str = "/copy";
/// The volume of the sockets.
const SOCKET_VOLUME: &str = "sockets";
/// HOME of a program: the image's may not be writable for our user, and is not on a
/// root that is read only.
const HOME: &str = "/home/agentkube";
/// Where programs write what they need for a while.
const TMP: &str = "/tmp";

/// The init containers of a proxy with programs; none without.
pub(super) fn init_containers(settings: &Settings, plane: &DataPlane<'_>) -> Vec<Value> {
    if plane.programs.is_empty() {
        return Vec::new();
    }
    let copy = json!({
        "name": "agentkube",
        "image": settings.image,
        "args": ["install-self", format!("{COPY_TO}/agentkube")],
        "resources": { "requests": { "cpu": "10m", "memory": "16Mi" } },
        "securityContext": container_security(true),
        "volumeMounts": [{ "name": PROGRAM.0, "mountPath": COPY_TO }],
    });
    let mut containers = vec![with_policy(settings, copy)];
    containers.extend(plane.programs.iter().map(sidecar));
    containers
}

/// Where the proxy finds the sockets.
pub(super) fn socket_mount() -> Value {
    json!({ "name": SOCKET_VOLUME, "mountPath": SOCKETS })
}

/// The volumes of the programs.
pub(super) fn volumes(plane: &DataPlane<'_>) -> Vec<Value> {
    if plane.programs.is_empty() {
        return Vec::new();
    }
    let empty = |name: &str| json!({ "name": name, "emptyDir": {} });
    let mut volumes = vec![empty(PROGRAM.0), empty(SOCKET_VOLUME)];
    let own = |program: &Program| [empty(&home(program)), empty(&tmp(program))];
    volumes.extend(plane.programs.iter().flat_map(own));
    volumes
}

fn sidecar(program: &Program) -> Value {
    let server = &program.server;
    let mut command = vec![
        format!("{}/agentkube", PROGRAM.1),
        "shim".to_owned(),
        "--socket".to_owned(),
        program.socket(),
        "--name".to_owned(),
        program.upstream.clone(),
        "--message-bytes".to_owned(),
        program.message_bytes.to_string(),
        "--idle".to_owned(),
        program.idle.as_secs().max(1).to_string(),
        "--".to_owned(),
    ];
    command.extend(server.command.iter().cloned());
    json!({
        "name": program.container(),
        "image": server.image,
        "command": command,
        "args": server.args,
        "env": environment(program),
        "resources": { "requests": { "cpu": "10m", "memory": "64Mi" } },
        "restartPolicy": "Always",
        "securityContext": container_security(true),
        "volumeMounts": [
            { "name": PROGRAM.0, "mountPath": PROGRAM.1, "readOnly": true },
            {
                "name": SOCKET_VOLUME,
                "mountPath": program.socket_directory(),
                "subPath": program.container(),
            },
            { "name": home(program), "mountPath": HOME },
            { "name": tmp(program), "mountPath": TMP },
        ],
    })
}

/// A missing Secret leaves its variable out: the Pod starts all the same, and
/// serves the other upstreams.
fn environment(program: &Program) -> Vec<Value> {
    let mut env: Vec<Value> = Vec::new();
    if !program.server.env.iter().any(|it| it.name == "HOME") {
        env.push(json!({ "name": "HOME", "value": HOME }));
    }
    env.extend(program.server.env.iter().map(|variable| {
        let mut entry = Map::new();
        entry.insert("name".to_owned(), json!(variable.name));
        match &variable.value_from {
            Some(source) => {
                let source = &source.secret_key_ref;
                let source = json!({ "name": source.name, "key": source.key, "optional": true });
                entry.insert("valueFrom".to_owned(), json!({ "secretKeyRef": source }));
            }
            None => {
                entry.insert("value".to_owned(), json!(variable.value));
            }
        }
        Value::Object(entry)
    }));
    env
}

fn home(program: &Program) -> String {
    format!("home-{}", program.container())
}

fn tmp(program: &Program) -> String {
    format!("tmp-{}", program.container())
}

fn with_policy(settings: &Settings, mut container: Value) -> Value {
    if let (Some(policy), Some(container)) =
        (&settings.image_pull_policy, container.as_object_mut())
    {
        container.insert("imagePullPolicy".to_owned(), json!(policy));
    }
    container
}
