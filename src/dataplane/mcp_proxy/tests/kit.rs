//! A proxy under test, and clients of both eras.

use std::sync::OnceLock;
use std::time::Duration;

use agentkube_mcp::header;
use agentkube_plan::{
    Breaker, ClientAuth, ClientEntry, ClientTable, HttpTransport, KeyHash, NamePrefix, ObjectName,
    ProxyLimits, ProxyPlan, ProxyTimeouts, ProxyUpstream, SecretEntry, SessionKeys, ToolFilter,
    ToolNames, UpstreamAuth, UpstreamKind,
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::server::ToolServer;
use crate::edge::{Body, EdgeMetrics};
use crate::mcp_proxy::{Proxy, ProxyMetrics, ProxyParts};
use crate::source::{MemorySource, Secrets};
use crate::stdio::Programs;
use crate::upstream::TlsRoots;

/// The key of the client `team-a/agent`.
pub(super) const KEY: &str = "a-key-of-16-or-more";

/// The key of the client `ci`.
pub(super) const OTHER_KEY: &str = "another-key-of-16-or-more";

pub(super) struct Tested {
    pub(super) proxy: Proxy,
    pub(super) source: MemorySource<ProxyPlan>,
    pub(super) programs: Programs,
    pub(super) registry: Registry,
}

/// An answer read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

pub(super) fn upstream(name: &str, endpoint: &str) -> ProxyUpstream {
    ProxyUpstream {
        name: name.to_owned(),
        kind: UpstreamKind::Http {
            endpoint: endpoint.to_owned(),
            transport: HttpTransport::Auto,
        },
        auth: UpstreamAuth::None,
        tools: vec![ToolFilter::All],
        timeouts: ProxyTimeouts {
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(600),
        },
        breaker: Breaker {
            failures: 100,
            window: Duration::from_secs(30),
            cooldown: Duration::from_secs(30),
        },
        through: None,
        pins: Vec::new(),
    }
}

pub(super) fn bearer(mut upstream: ProxyUpstream) -> ProxyUpstream {
    upstream.auth = UpstreamAuth::Bearer { secret: secret() };
    upstream
}

pub(super) fn secret() -> SecretEntry {
    SecretEntry {
        name: "pat".to_owned(),
        key: "token".to_owned(),
    }
}

pub(super) fn plan(upstreams: Vec<ProxyUpstream>) -> ProxyPlan {
    ProxyPlan {
        object: ObjectName {
            namespace: "team-a".to_owned(),
            name: "tools".to_owned(),
        },
        upstreams,
        tool_names: ToolNames {
            prefix: NamePrefix::Auto,
            max_length: 64,
        },
        access: Vec::new(),
        hosts: vec!["tools-mcp.team-a.svc".to_owned()],
        limits: ProxyLimits {
            message_bytes: 64 * 1024,
            concurrent_calls: 16,
            sessions: 10,
            session_idle: Duration::from_secs(60),
        },
        session_keys: Some(SessionKeys::of("tools-mcp-sessions")),
        alone: true,
        peers: Vec::new(),
        auth: ClientAuth::None,
    }
}

pub(super) fn clients() -> ClientTable {
    let client = |name: &str, key: &str| ClientEntry {
        name: name.to_owned(),
        keys: vec![KeyHash::of(key.as_bytes())],
    };
    ClientTable {
        clients: vec![client("ci", OTHER_KEY), client("team-a/agent", KEY)],
        ..ClientTable::default()
    }
}

/// A proxy over these servers, named `a`, `b`, …
pub(super) async fn over(servers: &[&ToolServer]) -> Tested {
    let names = ["a", "b", "c"];
    let upstreams = servers.iter().zip(names);
    serve(plan(
        upstreams
            .map(|(server, name)| upstream(name, &server.endpoint()))
            .collect(),
    ))
    .await
}

pub(super) async fn serve(plan: ProxyPlan) -> Tested {
    serve_with(plan, Secrets::new()).await
}

pub(super) async fn serve_with(plan: ProxyPlan, mut secrets: Secrets) -> Tested {
    if let Some(keys) = &plan.session_keys {
        secrets.insert(keys.current.clone(), "the key that all replicas share");
    }
    static ROOTS: OnceLock<TlsRoots> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| TlsRoots::load().unwrap()).clone();
    let mut registry = Registry::default();
    let programs = Programs::default();
    let parts = ProxyParts {
        roots,
        programs: programs.clone(),
        edge: EdgeMetrics::register(&mut registry),
        metrics: ProxyMetrics::register(&mut registry),
    };
    let source = MemorySource::new(plan, &clients(), secrets).unwrap();
    let proxy = Proxy::start(source.watch(), parts).await.unwrap();
    Tested {
        proxy,
        source,
        programs,
        registry,
    }
}

/// A legacy client in its session.
pub(super) struct Sitting<'p> {
    pub(super) proxy: &'p Tested,
    pub(super) id: String,
}

impl Sitting<'_> {
    /// The same session at another replica.
    pub(super) fn at<'q>(&self, proxy: &'q Tested) -> Sitting<'q> {
        let id = self.id.clone();
        Sitting { proxy, id }
    }

    pub(super) fn head(&self, method: &str) -> http::request::Builder {
        post()
            .method(method)
            .header("mcp-protocol-version", "2025-11-25")
            .header("mcp-session-id", &self.id)
    }

    pub(super) fn post(&self, message: &Value) -> Request<Full<Bytes>> {
        let body = Full::from(message.to_string());
        self.head("POST").body(body).unwrap()
    }

    pub(super) async fn say(&self, message: &Value) -> Answer {
        self.proxy.exchange(self.post(message)).await
    }

    pub(super) async fn ask(&self, method: &str, params: Value) -> Answer {
        self.say(&legacy_message(method, &params)).await
    }

    pub(super) async fn end(&self) -> u16 {
        let request = self.head("DELETE").body(Full::default()).unwrap();
        self.proxy.exchange(request).await.status
    }
}

/// A request that every check of the edge lets through.
pub(super) fn post() -> http::request::Builder {
    Request::post("/mcp")
        .header("host", "127.0.0.1:8080")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
}

pub(super) fn legacy_message(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": "client-1", "method": method, "params": params})
}

pub(super) fn modern_message(method: &str, params: &Value) -> Value {
    let mut message = legacy_message(method, params);
    let meta = &mut message["params"]["_meta"];
    meta["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    if meta
        .get("io.modelcontextprotocol/clientCapabilities")
        .is_none()
    {
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
    }
    message
}

pub(super) fn modern_request(message: &Value) -> Request<Full<Bytes>> {
    let method = message["method"].as_str().unwrap();
    let mut request = post()
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method);
    let key = if method == "resources/read" {
        "uri"
    } else {
        "name"
    };
    if matches!(method, "tools/call" | "prompts/get" | "resources/read") {
        let name = message["params"][key].as_str().unwrap();
        request = request.header("mcp-name", header::encode(name));
    }
    request.body(Full::from(message.to_string())).unwrap()
}

impl Tested {
    /// Opens a session for a client that can do so much.
    pub(super) async fn open(&self, capabilities: Value) -> Sitting<'_> {
        let hello = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "clientInfo": {"name": "test", "version": "1"},
        });
        let answer = self.legacy("initialize", hello).await;
        answer.result();
        let id = answer.headers["mcp-session-id"].to_str().unwrap();
        Sitting {
            proxy: self,
            id: id.to_owned(),
        }
    }

    /// The value of a metric, by the beginning of its line.
    pub(super) fn counted(&self, line: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let mut lines = text.lines();
        let found = lines.find_map(|it| it.strip_prefix(line)?.strip_prefix(' '));
        found.map_or(0, |value| value.parse().unwrap())
    }

    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Body> {
        self.proxy.service().oneshot(request).await.unwrap()
    }

    pub(super) async fn exchange(&self, request: Request<Full<Bytes>>) -> Answer {
        let (head, body) = self.send(request).await.into_parts();
        let bytes = agentkube_testkit::within("the answer ends", body.collect()).await;
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(bytes.unwrap().to_bytes().to_vec()).unwrap(),
        }
    }

    /// A request of a client of 2025-11-25.
    pub(super) async fn legacy(&self, method: &str, params: Value) -> Answer {
        let body = legacy_message(method, &params).to_string();
        let request = post().header("mcp-protocol-version", "2025-11-25");
        self.exchange(request.body(Full::from(body)).unwrap()).await
    }

    /// A request of a client of 2026-07-28.
    pub(super) async fn modern(&self, method: &str, params: Value) -> Answer {
        self.exchange(modern_request(&modern_message(method, &params)))
            .await
    }

    /// The names in `tools/list` of a legacy client.
    pub(super) async fn tool_names(&self) -> Vec<String> {
        self.legacy("tools/list", json!({}))
            .await
            .names("tools", "name")
    }
}

impl Answer {
    /// The messages of the answer: one, or those of its events.
    pub(super) fn messages(&self) -> Vec<Value> {
        if self.text.starts_with('{') {
            return vec![serde_json::from_str(&self.text).unwrap()];
        }
        let data = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "));
        data.map(|text| serde_json::from_str(text).unwrap())
            .collect()
    }

    /// The last message: the response.
    pub(super) fn last(&self) -> Value {
        self.messages()
            .pop()
            .unwrap_or_else(|| panic!("no message in {self:?}"))
    }

    pub(super) fn result(&self) -> Value {
        let last = self.last();
        assert!(last["error"].is_null(), "{last}");
        assert_eq!(last["id"], "client-1");
        last["result"].clone()
    }

    pub(super) fn code(&self) -> i64 {
        self.last()["error"]["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("no error in {self:?}"))
    }

    pub(super) fn error_text(&self) -> String {
        self.last()["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(super) fn names(&self, member: &str, key: &str) -> Vec<String> {
        let result = self.result();
        let items = result[member]
            .as_array()
            .unwrap_or_else(|| panic!("no list in {result}"));
        items
            .iter()
            .map(|item| item[key].as_str().unwrap().to_owned())
            .collect()
    }
}
