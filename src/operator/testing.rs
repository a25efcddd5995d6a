//! A fake API server behind the real `kube::Client`: objects in memory, with
//! what the operator relies on (resourceVersions, uids, server-side apply,
//! preconditions), and a log of every write.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The server. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct FakeApi {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By path: `/api/v1/namespaces/a/secrets/b`.
    objects: BTreeMap<String, Value>,
    writes: Vec<String>,
    version: u64,
    /// Answered to every request instead, when set.
    failing: Option<u16>,
}

impl FakeApi {
    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        Client::new(service, "default")
    }

    /// Puts an object there, as somebody else.
    pub(crate) fn put(&self, path: &str, mut object: Value) {
        let mut state = self.state.lock().unwrap();
        state.complete(&mut object);
        state.objects.insert(path.to_owned(), object);
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.state.lock().unwrap().objects.get(path).cloned()
    }

    pub(crate) fn remove(&self, path: &str) {
        self.state.lock().unwrap().objects.remove(path);
    }

    /// Every write so far, as `PATCH /path`; forgets them.
    pub(crate) fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().writes)
    }

    /// Answers this status to everything from now on.
    pub(crate) fn fail(&self, code: Option<u16>) {
        self.state.lock().unwrap().failing = code;
    }

    async fn answer(&self, request: Request<Body>) -> Reply {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let mut state = self.state.lock().unwrap();
        if let Some(code) = state.failing {
            return status(code, "failing");
        }
        let path = parts.uri.path().to_owned();
        match parts.method {
            Method::GET if query.contains("watch=") => pending(),
            Method::GET => state.read(&path, &query),
            Method::POST => state.create(&path, body),
            method => state.write(&method, &path, &query, body),
        }
    }
}

/// Where an object has its version, and a write the one that it is made from.
const VERSION: &str = "/metadata/resourceVersion";

impl State {
    fn read(&self, path: &str, query: &str) -> Reply {
        if let Some(object) = self.objects.get(path) {
            return ok(object.clone());
        }
        // A name after the plural means one object; else it is a list.
        let steps: Vec<_> = path.trim_matches('/').split('/').collect();
        let below = if steps.first() == Some(&"api") {
            &steps[2..]
        } else {
            &steps[3..]
        };
        let is_list = matches!(below, [_] | ["namespaces", _, _]);
        if !is_list {
            return status(404, "not found");
        }
        let plural = steps[steps.len() - 1];
        let prefix = path.trim_end_matches(plural);
        let ours = query.contains("managed-by");
        let items: Vec<_> = self
            .objects
            .iter()
            .filter(|(at, _)| at.starts_with(prefix) && at.split('/').rev().nth(1) == Some(plural))
            .map(|(_, object)| object.clone())
            .filter(|object| {
                !ours
                    || object.pointer("/metadata/labels/app.kubernetes.io~1managed-by")
                        == Some(&json!("agentkube"))
            })
            .map(|mut object| {
                object
                    .as_object_mut()
                    .unwrap()
                    .retain(|key, _| key != "apiVersion" && key != "kind");
                object
            })
            .collect();
        ok(json!({
            "apiVersion": "v1", "kind": "List",
            "metadata": { "resourceVersion": self.version.to_string() }, "items": items,
        }))
    }

    fn create(&mut self, path: &str, mut body: Value) -> Reply {
        let name = body
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap()
            .to_owned();
        let path = format!("{path}/{name}");
        self.writes.push(format!("POST {path}"));
        if self.objects.contains_key(&path) {
            return status(409, "already exists");
        }
        self.complete(&mut body);
        self.objects.insert(path, body.clone());
        ok(body)
    }

    fn write(&mut self, method: &Method, path: &str, query: &str, body: Value) -> Reply {
        let object = path.trim_end_matches("/status").to_owned();
        self.writes.push(format!("{method} {path}"));
        let before = self.objects.get(&object).cloned();
        let uid = |value: &Value| {
            let pointers = ["/metadata/uid", "/preconditions/uid"];
            pointers.iter().find_map(|at| value.pointer(at).cloned())
        };
        let stale = match (&before, uid(&body)) {
            (Some(before), Some(wanted)) => before.pointer("/metadata/uid") != Some(&wanted),
            (None, wanted) => wanted.is_some(),
            _ => false,
        };
        match (method, before) {
            (&Method::DELETE, None) => status(404, "not found"),
            _ if stale => status(409, "uid differs"),
            (&Method::DELETE, Some(_)) => {
                self.objects.remove(&object);
                ok(json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }))
            }
            (&Method::PUT | &Method::PATCH, Some(before))
                if body
                    .pointer(VERSION)
                    .is_some_and(|it| Some(it) != before.pointer(VERSION)) =>
            {
                status(409, "version differs")
            }
            (&Method::PUT, Some(before)) => self.store(object, before, body),
            (&Method::PATCH, Some(before)) => {
                let mut after = before.clone();
                if query.contains("fieldManager")
                    && !query.contains("force=true")
                    && body.get("kind").is_some()
                {
                    return status(409, "fields are owned by somebody else");
                }
                merge(&mut after, &body);
                self.store(object, before, after)
            }
            (&Method::PATCH, None) if body.get("kind").is_some() => {
                let mut body = body;
                self.complete(&mut body);
                self.objects.insert(object, body.clone());
                ok(body)
            }
            _ => status(404, "not found"),
        }
    }

    fn store(&mut self, path: String, before: Value, mut after: Value) -> Reply {
        if before != after {
            self.version += 1;
            after["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.objects.insert(path, after.clone());
        }
        ok(after)
    }

    fn complete(&mut self, object: &mut Value) {
        self.version += 1;
        let meta = &mut object["metadata"];
        if meta.get("uid").is_none() {
            meta["uid"] = json!(format!("uid-{}", self.version));
        }
        meta["resourceVersion"] = json!(self.version.to_string());
        if meta.get("generation").is_none() {
            meta["generation"] = json!(1);
        }
    }
}

/// Objects are merged, everything else is replaced; null removes.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                if value.is_null() {
                    into.remove(key);
                } else {
                    merge(into.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn ok(value: Value) -> Reply {
    reply(StatusCode::OK, value)
}

fn status(code: u16, message: &str) -> Reply {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "InternalError",
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    reply(StatusCode::from_u16(code).unwrap(), body)
}

fn reply(code: StatusCode, value: Value) -> Reply {
    let body = Full::new(Bytes::from(value.to_string())).boxed_unsync();
    Response::builder().status(code).body(body).unwrap()
}

/// A watch that brings nothing.
fn pending() -> Reply {
    let never = futures::stream::pending::<Result<Frame<Bytes>, Infallible>>();
    Response::new(StreamBody::new(never).boxed_unsync())
}

/// The gateway of the documentation.
pub(crate) fn gateway() -> Value {
    json!({
        "apiVersion": "agentkube.io/v1alpha1", "kind": "LLMGateway",
        "metadata": { "name": "shared-gateway", "namespace": "platform", "generation": 1 },
        "spec": {
            "upstreams": [{
                "name": "anthropic", "provider": "anthropic", "priority": 1,
                "credentialsRef": { "name": "anthropic-key", "key": "api-key" },
                "models": ["claude-opus-4-7", "claude-sonnet-4-6", "claude-haiku-4-5"],
            }],
            "routing": {
                "defaultModel": "claude-opus-4-7",
                "modelMap": [{ "from": "opus", "to": "claude-opus-4-7", "upstream": "anthropic" }],
            },
            "rateLimit": { "requestsPerMinute": 600, "scope": "perClient" },
            "auth": { "mode": "apikey" },
        },
    })
}

/// The MCP of the documentation.
pub(crate) fn mcp() -> Value {
    json!({
        "apiVersion": "agentkube.io/v1alpha1", "kind": "MCP",
        "metadata": { "name": "github-tools", "namespace": "team-a", "generation": 1 },
        "spec": {
            "port": 8080, "replicas": 2,
            "upstreams": [{
                "name": "github", "kind": "http", "endpoint": "https://mcp.github.com",
                "auth": {
                    "mode": "bearer",
                    "secretRef": { "name": "github-upstream-pat", "key": "token" },
                },
                "tools": { "mode": "allow", "allow": ["create_issue", "list_issues", "add_comment"] },
            }],
        },
    })
}

/// An Agent wired to both.
pub(crate) fn agent() -> Value {
    json!({
        "apiVersion": "agentkube.io/v1alpha1", "kind": "Agent",
        "metadata": { "name": "reviewer", "namespace": "team-a", "generation": 1 },
        "spec": {
            "runtime": "ClaudeCode", "image": "registry.example/claude:1", "mode": "system",
            "paused": false, "goal": { "inline": "Review $(HOME) for $5" },
            "llmGatewayRef": { "name": "shared-gateway", "namespace": "platform" },
            "mcpRefs": [{ "name": "github-tools" }],
            "env": [{ "name": "LANG", "value": "C.UTF-8" }],
        },
    })
}

/// A typed object.
pub(crate) fn typed<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}
