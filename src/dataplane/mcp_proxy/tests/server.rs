//! A scripted tool server: legacy with sessions, modern, or both.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use agentkube_testkit::{Reply, Request, Upstream};
use serde_json::{Value, json};

/// Which eras a server speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    Legacy,
    Modern,
    Both,
}

/// How a legacy server says that it does not know a session.
#[derive(Clone, Copy)]
pub(super) enum Forgets {
    With404,
    With400,
}

type Script = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

type OnCall = Arc<dyn Fn(&Request, &Value) -> Reply + Send + Sync>;

/// What a server is to be.
#[derive(Clone)]
pub(super) struct Spec {
    speaks: Speaks,
    forgets: Forgets,
    names_sessions: bool,
    path: &'static str,
    page: usize,
    cursors: fn(usize) -> String,
    lists: Value,
    added: Arc<Mutex<Vec<Value>>>,
    capabilities: Value,
    instructions: &'static str,
    on_call: OnCall,
    on_stream: Option<Arc<dyn Fn() -> Reply + Send + Sync>>,
}

/// A running server.
pub(super) struct ToolServer {
    pub(super) upstream: Upstream,
    sessions: Arc<Mutex<Vec<String>>>,
    added: Arc<Mutex<Vec<Value>>>,
}

pub(super) fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object"}})
}

pub(super) fn tools(names: &[&str]) -> Value {
    names.iter().map(|name| tool(name)).collect()
}

pub(super) fn response(request: &Value, result: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": request["id"], "result": result})
}

pub(super) fn event(message: &Value) -> String {
    format!("event: message\ndata: {message}\n\n")
}

impl Spec {
    pub(super) fn new(speaks: Speaks, names: &[&str]) -> Self {
        Self {
            speaks,
            forgets: Forgets::With404,
            names_sessions: true,
            path: "/mcp",
            page: usize::MAX,
            cursors: |at| at.to_string(),
            lists: json!({"tools": tools(names)}),
            added: Arc::default(),
            capabilities: json!({"tools": {"listChanged": true}}),
            instructions: "be kind",
            on_stream: None,
            on_call: Arc::new(|_, request| {
                let text = format!("{} ran", request["params"]["name"].as_str().unwrap());
                let result = json!({"content": [{"type": "text", "text": text}]});
                Reply::json(200, &response(request, &result))
            }),
        }
    }

    pub(super) fn legacy(names: &[&str]) -> Self {
        Self::new(Speaks::Legacy, names)
    }

    pub(super) fn modern(names: &[&str]) -> Self {
        Self::new(Speaks::Modern, names)
    }

    pub(super) fn tools(mut self, tools: Value) -> Self {
        self.lists["tools"] = tools;
        self
    }

    pub(super) fn list(mut self, capability: &str, member: &str, items: Value) -> Self {
        self.lists[member] = items;
        self.capabilities[capability] = json!({});
        self
    }

    pub(super) fn capability(mut self, name: &str) -> Self {
        self.capabilities[name] = json!({});
        self
    }

    /// Says of itself that it can do this.
    pub(super) fn can(mut self, name: &str, what: Value) -> Self {
        self.capabilities[name] = what;
        self
    }

    pub(super) fn instructions(mut self, text: &'static str) -> Self {
        self.instructions = text;
        self
    }

    pub(super) fn forgets(mut self, forgets: Forgets) -> Self {
        self.forgets = forgets;
        self
    }

    /// Tells no session from another.
    pub(super) fn without_session_ids(mut self) -> Self {
        self.names_sessions = false;
        self
    }

    pub(super) fn at(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    /// Lists come in pages of this many items, whose cursors are made so.
    pub(super) fn pages(mut self, page: usize, cursors: fn(usize) -> String) -> Self {
        (self.page, self.cursors) = (page, cursors);
        self
    }

    /// Answers every request that names something.
    pub(super) fn on_call(
        mut self,
        answer: impl Fn(&Request, &Value) -> Reply + Send + Sync + 'static,
    ) -> Self {
        self.on_call = Arc::new(answer);
        self
    }

    /// Has a stream of its own in a session.
    pub(super) fn on_stream(mut self, answer: impl Fn() -> Reply + Send + Sync + 'static) -> Self {
        self.on_stream = Some(Arc::new(answer));
        self
    }

    pub(super) async fn start(self) -> ToolServer {
        let added = Arc::clone(&self.added);
        let (script, sessions) = self.script();
        ToolServer {
            upstream: Upstream::start(script).await,
            sessions,
            added,
        }
    }

    /// What it does, and its sessions.
    pub(super) fn script(self) -> (Script, Arc<Mutex<Vec<String>>>) {
        let sessions: Arc<Mutex<Vec<String>>> = Arc::default();
        let open = Arc::clone(&sessions);
        let opened = AtomicUsize::new(0);
        let script = move |request: &Request| {
            if request.route() != self.path {
                return Reply::status(404);
            }
            self.answer(request, &open, &opened)
        };
        (Box::new(script), sessions)
    }

    fn answer(&self, request: &Request, open: &Mutex<Vec<String>>, opened: &AtomicUsize) -> Reply {
        if request.method != "POST" {
            let on_stream = self.on_stream.as_ref().filter(|_| request.method == "GET");
            return on_stream.map_or_else(|| Reply::status(405), |answer| answer());
        }
        let message = request.json();
        let method = message["method"].as_str().unwrap_or_default();
        let meta = &message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
        if meta.is_string() && self.speaks != Speaks::Legacy {
            return self.modern_answer(request, &message, method);
        }
        if self.speaks == Speaks::Modern {
            return failure(400, &message, -32022, "unsupported");
        }
        if method == "initialize" {
            let number = opened.fetch_add(1, Ordering::SeqCst);
            let id = format!("session-{number}");
            open.lock().unwrap().push(id.clone());
            let result = json!({
                "protocolVersion": "2025-11-25",
                "capabilities": self.capabilities,
                "serverInfo": {"name": "scripted", "version": "1"},
                "instructions": self.instructions,
            });
            let reply = Reply::json(200, &response(&message, &result));
            if !self.names_sessions {
                return reply;
            }
            return reply.header("mcp-session-id", &id);
        }
        let named = request.header("mcp-session-id");
        let known = (!self.names_sessions && method != "server/discover")
            || named.is_some_and(|id| open.lock().unwrap().iter().any(|open| open == id));
        if !known {
            return match self.forgets {
                Forgets::With404 => failure(404, &message, -32001, "Session not found"),
                Forgets::With400 => {
                    failure(400, &message, -32000, "Bad Request: Server not initialized")
                }
            };
        }
        self.common_answer(request, &message, method)
    }

    fn modern_answer(&self, request: &Request, message: &Value, method: &str) -> Reply {
        if request.header("mcp-method") != Some(method)
            || request.header("mcp-protocol-version") != Some("2026-07-28")
        {
            return failure(400, message, -32020, "header mismatch");
        }
        if method == "server/discover" {
            let result = json!({
                "resultType": "complete",
                "supportedVersions": ["2026-07-28"],
                "capabilities": self.capabilities,
                "ttlMs": 1000, "cacheScope": "public",
            });
            return Reply::json(200, &response(message, &result));
        }
        self.common_answer(request, message, method)
    }

    fn common_answer(&self, request: &Request, message: &Value, method: &str) -> Reply {
        if message.get("id").is_none() || message.get("method").is_none() {
            return Reply::status(202);
        }
        let member = match method {
            "tools/list" => "tools",
            "prompts/list" => "prompts",
            "resources/list" => "resources",
            "resources/templates/list" => "resourceTemplates",
            "logging/setLevel" => return Reply::json(200, &response(message, &json!({}))),
            _ => return (self.on_call)(request, message),
        };
        let Some(mut items) = self.lists[member].as_array().cloned() else {
            return failure(200, message, -32601, "Method not found");
        };
        if member == "tools" {
            items.extend(self.added.lock().unwrap().iter().cloned());
        }
        let cursor = message["params"]["cursor"].as_str();
        let from = cursor.map_or(0, |cursor| {
            (0..=items.len())
                .find(|at| (self.cursors)(*at) == cursor)
                .unwrap()
        });
        let to = items.len().min(from.saturating_add(self.page));
        let mut result = json!({});
        result[member] = items[from..to].to_vec().into();
        if to < items.len() {
            result["nextCursor"] = (self.cursors)(to).into();
        }
        if self.speaks != Speaks::Legacy && request.header("mcp-method").is_some() {
            result["resultType"] = "complete".into();
            result["ttlMs"] = 5000.into();
            result["cacheScope"] = "public".into();
        }
        Reply::json(200, &response(message, &result))
    }
}

pub(super) fn failure(status: u16, request: &Value, code: i64, message: &str) -> Reply {
    let error = json!({"code": code, "message": message});
    Reply::json(
        status,
        &json!({"jsonrpc": "2.0", "id": request["id"], "error": error}),
    )
}

impl ToolServer {
    /// Has one more tool from now on, and tells nobody.
    pub(super) fn add(&self, name: &str) {
        self.added.lock().unwrap().push(tool(name));
    }

    /// Has these tools beside those that it began with, and tells nobody.
    pub(super) fn offer(&self, tools: &[Value]) {
        *self.added.lock().unwrap() = tools.to_vec();
    }

    /// Forgets every session, as a restart does.
    pub(super) fn forget(&self) {
        self.sessions.lock().unwrap().clear();
    }

    /// What it got, by method.
    pub(super) fn got(&self, method: &str) -> Vec<Arc<Request>> {
        let mut requests = self.upstream.requests();
        requests.retain(|request| request.json()["method"] == method);
        requests
    }

    pub(super) fn endpoint(&self) -> String {
        self.upstream.url("/mcp")
    }
}
