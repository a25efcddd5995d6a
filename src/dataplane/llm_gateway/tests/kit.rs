//! A gateway under test: a plan over scripted upstreams, and calls to it.

use std::sync::Arc;
use std::time::Duration;

use agentkube_plan::{
    Alias, Breaker, ClientAuth, ClientEntry, ClientTable, Credentials, GatewayPlan,
    GatewayUpstream, KeyHash, ObjectName, Provider, Retries, RetryOn, Routing, SecretEntry,
    Translation, UnknownModel, UpstreamTimeouts,
};
use agentkube_testkit::{Reply, Request as Seen, Upstream};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::edge::{Body, EdgeMetrics};
use crate::llm_gateway::{Capabilities, Gateway, GatewayLimits, GatewayMetrics, GatewayParts};
use crate::source::{MemorySource, Secrets};
use crate::upstream::TlsRoots;

pub(super) const KEY: &str = "client-key-0123456789";
pub(super) const PROVIDER_KEY: &str = "sk-provider";

pub(super) struct Rig {
    pub(super) source: MemorySource<GatewayPlan>,
    pub(super) gateway: Gateway,
    registry: Registry,
}

/// An answer read whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Rig {
    pub(super) async fn new(plan: GatewayPlan) -> Self {
        Self::with_secrets(plan, provider_secrets()).await
    }

    pub(super) async fn with_secrets(plan: GatewayPlan, secrets: Secrets) -> Self {
        Self::build(plan, secrets, Capabilities::default()).await
    }

    /// With a file over the table of what models take.
    pub(super) async fn with_capabilities(plan: GatewayPlan, table: &Value) -> Self {
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("models.json");
        std::fs::write(&file, table.to_string()).unwrap();
        let capabilities = Capabilities::of_file(&file).unwrap();
        Self::build(plan, provider_secrets(), capabilities).await
    }

    async fn build(plan: GatewayPlan, secrets: Secrets, capabilities: Capabilities) -> Self {
        let mut registry = Registry::default();
        let parts = GatewayParts {
            dial: TlsRoots::load().unwrap(),
            edge: EdgeMetrics::register(&mut registry),
            metrics: GatewayMetrics::register(&mut registry),
            limits: GatewayLimits {
                body: 64 * 1024,
                bodies: 128 * 1024,
                in_flight: 64,
            },
            capabilities,
        };
        let source = MemorySource::new(plan, &clients(), secrets).unwrap();
        let gateway = Gateway::start(source.watch(), parts).await.unwrap();
        Self {
            source,
            gateway,
            registry,
        }
    }

    /// The head of an answer, its body not yet read.
    pub(super) async fn open(&self, request: Request<Full<Bytes>>) -> Response<Body> {
        self.gateway.service().oneshot(request).await.unwrap()
    }

    pub(super) async fn call(&self, request: Request<Full<Bytes>>) -> Answer {
        let (head, body) = self.open(request).await.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(super) async fn chat(&self, model: &str) -> Answer {
        self.call(chat(&json!({"model": model}))).await
    }

    pub(super) async fn chat_stream(&self, model: &str) -> Answer {
        let body = json!({"model": model, "stream": true});
        self.call(chat(&body)).await
    }

    /// The sum of the metric's lines that hold all `labels`.
    pub(super) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
        let values: Vec<f64> = text
            .lines()
            .filter(|line| line.starts_with(&format!("{name}{{")))
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .filter_map(value)
            .collect();
        assert!(!values.is_empty(), "no {name} with {labels:?} in\n{text}");
        values.iter().sum()
    }
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{:?}", self.body))
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// `error.message`, in either dialect.
    pub(super) fn message(&self) -> String {
        self.json()["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

pub(super) fn post(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/json")
        .body(Full::new(body.into()))
        .unwrap()
}

pub(super) fn get(path: &str) -> Request<Full<Bytes>> {
    let request = Request::get(path).header("authorization", format!("Bearer {KEY}"));
    request.body(Full::default()).unwrap()
}

pub(super) fn chat(body: &Value) -> Request<Full<Bytes>> {
    post("/v1/chat/completions", body.to_string())
}

pub(super) fn messages(body: &Value) -> Request<Full<Bytes>> {
    post("/v1/messages", body.to_string())
}

pub(super) fn api_chat(body: &Value) -> Request<Full<Bytes>> {
    post("/api/chat", body.to_string())
}

pub(super) fn clients() -> ClientTable {
    ClientTable {
        clients: vec![ClientEntry {
            name: "team-a/reviewer".to_owned(),
            keys: vec![KeyHash::of(KEY.as_bytes())],
        }],
        ..ClientTable::default()
    }
}

pub(super) fn secret(name: &str) -> SecretEntry {
    SecretEntry {
        name: name.to_owned(),
        key: "api-key".to_owned(),
    }
}

pub(super) fn provider_secrets() -> Secrets {
    let mut secrets = Secrets::new();
    secrets.insert(secret("provider"), format!("{PROVIDER_KEY}\n"));
    secrets
}

/// An OpenAI upstream that serves everything by the names of the script's
/// behaviours.
pub(super) fn openai(name: &str, upstream: &Upstream) -> GatewayUpstream {
    mk_upstream(name, Provider::Openai, upstream.url("/v1"))
}

pub(super) fn anthropic(name: &str, upstream: &Upstream) -> GatewayUpstream {
    mk_upstream(name, Provider::Anthropic, upstream.url(""))
}

pub(super) fn ollama(name: &str, upstream: &Upstream) -> GatewayUpstream {
    mk_upstream(name, Provider::Ollama, upstream.url("/v1"))
}

pub(super) fn mk_upstream(name: &str, provider: Provider, base_url: String) -> GatewayUpstream {
    GatewayUpstream {
        name: name.to_owned(),
        provider,
        base_url,
        api_version: None,
        credentials: Credentials::ApiKey {
            secret: secret("provider"),
        },
        models: vec!["gpt-5.1".into(), "served-*".into()],
        model_names: [].into(),
        priority: 1,
        weight: 1,
        timeouts: UpstreamTimeouts {
            connect: Duration::from_secs(5),
            first_token: Duration::from_secs(20),
            idle: Duration::from_secs(20),
        },
    }
}

pub(super) fn plan(upstreams: Vec<GatewayUpstream>) -> GatewayPlan {
    GatewayPlan {
        translation: Translation::Lenient,
        object: ObjectName {
            namespace: "platform".to_owned(),
            name: "shared-gateway".to_owned(),
        },
        upstreams,
        routing: Routing {
            default_model: None,
            unknown_model: UnknownModel::Reject,
            aliases: vec![Alias {
                from: "fast".into(),
                to: "gpt-5.1".to_owned(),
                upstream: None,
            }],
            retries: Retries {
                attempts: 0,
                retry_on: vec![
                    RetryOn::ConnectFailure,
                    RetryOn::Timeout,
                    RetryOn::RateLimited,
                    RetryOn::Overloaded,
                    RetryOn::ServerError,
                    RetryOn::Credentials,
                    RetryOn::Quota,
                ],
            },
            breaker: Breaker {
                failures: 5,
                window: Duration::from_secs(30),
                cooldown: Duration::from_secs(30),
            },
        },
        auth: ClientAuth::Apikey,
    }
}

/// Two upstreams of falling priority for the same models.
pub(super) async fn two(
    first: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Upstream, Upstream, GatewayPlan) {
    let first = Upstream::start(first).await;
    let second = Upstream::by_model().await;
    let mut backup = openai("backup", &second);
    backup.priority = 2;
    let plan = plan(vec![openai("primary", &first), backup]);
    (first, second, plan)
}

/// A provider that behaves so whatever the model is called: the script chooses
/// by the model's name.
pub(super) fn behaving(behaviour: &'static str) -> impl Fn(&Seen) -> Reply + Send + Sync {
    let script = agentkube_testkit::scripts::by_model(Arc::default());
    move |request| {
        let mut request = request.clone();
        let value = http::HeaderValue::from_static(behaviour);
        request.headers.insert("x-testkit-behaviour", value);
        script(&request)
    }
}
