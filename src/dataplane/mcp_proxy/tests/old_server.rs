//! A scripted tool server of the legacy HTTP+SSE transport.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use agentkube_testkit::{Feed, Reply, Request, Upstream};
use serde_json::{Value, json};

use super::server::{event, response, tools};

/// A running server. Its streams are at `/sse`, its sessions at `/messages`.
pub(super) struct OldServer {
    pub(super) upstream: Upstream,
    streams: Streams,
}

/// Its open streams, by the ids of their sessions.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<BTreeMap<String, Feed>>>);

type Script = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

/// What is said on the stream of a session after a message came in it.
type OnMessage = Arc<dyn Fn(&Value) -> Vec<Value> + Send + Sync>;

impl Streams {
    /// Cuts them all.
    pub(super) fn cut(&self) {
        for feed in self.0.lock().unwrap().values() {
            feed.cut();
        }
    }
}

/// What such a server does, and its streams.
pub(super) fn script(
    endpoint: &'static str,
    names: &[&str],
    on_call: impl Fn(&Value) -> Vec<Value> + Send + Sync + 'static,
) -> (Script, Streams) {
    let streams = Streams::default();
    let open = streams.clone();
    let opened = AtomicUsize::new(0);
    let tools = tools(names);
    let on_message: OnMessage = Arc::new(move |message| answers(message, &tools, &on_call));
    let script = move |request: &Request| match request.route() {
        "/sse" if request.method == "GET" => {
            let id = opened.fetch_add(1, Ordering::SeqCst).to_string();
            let feed = Feed::new();
            open.0.lock().unwrap().insert(id.clone(), feed.clone());
            Reply::sse()
                .chunk(format!("event: endpoint\ndata: {endpoint}{id}\n\n"))
                .feed(&feed)
        }
        "/sse" => Reply::text(405, "text/plain", "Method Not Allowed"),
        "/messages" => taken(request, &open, &on_message),
        _ => Reply::status(404),
    };
    (Box::new(script), streams)
}

/// The answer to a call of any tool, which echoes its name.
pub(super) fn ran(request: &Value) -> Vec<Value> {
    let text = format!("{} ran", request["params"]["name"].as_str().unwrap());
    let result = json!({"content": [{"type": "text", "text": text}]});
    vec![response(request, &result)]
}

impl OldServer {
    /// One with these tools, whose calls are answered so.
    pub(super) async fn start(
        names: &[&str],
        on_call: impl Fn(&Value) -> Vec<Value> + Send + Sync + 'static,
    ) -> Self {
        Self::naming("/messages?session=", names, on_call).await
    }

    /// One whose `endpoint` events begin so.
    pub(super) async fn naming(
        endpoint: &'static str,
        names: &[&str],
        on_call: impl Fn(&Value) -> Vec<Value> + Send + Sync + 'static,
    ) -> Self {
        let (script, streams) = script(endpoint, names, on_call);
        Self {
            upstream: Upstream::start(script).await,
            streams,
        }
    }

    pub(super) fn endpoint(&self) -> String {
        self.upstream.url("/sse")
    }

    /// What was posted with this method.
    pub(super) fn got(&self, method: &str) -> Vec<Value> {
        let requests = self.upstream.requests().into_iter();
        let posted = requests.filter(|it| it.method == "POST" && it.route() == "/messages");
        posted
            .map(|request| request.json())
            .filter(|message| message["method"] == method)
            .collect()
    }

    /// The streams that were opened.
    pub(super) fn opened(&self) -> usize {
        self.streams.0.lock().unwrap().len()
    }

    /// Says something on the stream of this number.
    pub(super) fn say(&self, number: usize, message: &Value) {
        let streams = self.streams.0.lock().unwrap();
        streams[&number.to_string()].send(event(message));
    }

    /// Cuts every stream, and forgets the sessions.
    pub(super) fn cut(&self) {
        self.streams.cut();
    }
}

fn taken(request: &Request, open: &Streams, on_message: &OnMessage) -> Reply {
    let id = request.query("session").unwrap_or_default();
    let feed = open.0.lock().unwrap().get(id).cloned();
    let Some(feed) = feed else {
        return Reply::text(404, "text/plain", "Could not find session");
    };
    for message in on_message(&request.json()) {
        feed.send(event(&message));
    }
    Reply::text(202, "text/plain", "Accepted")
}

fn answers(message: &Value, tools: &Value, on_call: &impl Fn(&Value) -> Vec<Value>) -> Vec<Value> {
    let answer = |result: Value| vec![response(message, &result)];
    match message["method"].as_str() {
        Some("initialize") => answer(json!({
            "protocolVersion": "2024-11-05",
            "capabilities": {"tools": {"listChanged": true}, "logging": {}},
            "serverInfo": {"name": "old", "version": "1"},
        })),
        Some("tools/list") => answer(json!({ "tools": tools })),
        Some("tools/call" | "ping") => on_call(message),
        None => on_call(message),
        _ => Vec::new(),
    }
}
