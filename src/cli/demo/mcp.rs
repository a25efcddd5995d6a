//! The demo's MCP server: streamable HTTP, stateless, both eras.
//!
//! Legacy clients (2025-11-25 and before) may `initialize` and get no session;
//! modern ones (2026-07-28) are known by the version in `_meta`.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::reply::{self, Reply};
use super::tools::Tools;

const MODERN: &str = "2026-07-28";
/// Newest first: it is what a client with an unknown version is offered.
const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const SERVER_KEY: &str = "io.modelcontextprotocol/serverInfo";

const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const PARSE_ERROR: i64 = -32700;
const HEADER_MISMATCH: i64 = -32020;
const UNSUPPORTED_VERSION: i64 = -32022;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Era {
    Legacy,
    Modern,
}

struct Failure {
    status: StatusCode,
    code: i64,
    message: String,
    data: Option<Value>,
}

/// `POST /mcp`.
pub(super) fn post(headers: &HeaderMap, body: &[u8], tools: &Tools) -> Reply {
    if reply::bearer(headers).is_none() {
        let mut refusal = reply::empty(StatusCode::UNAUTHORIZED);
        let challenge = http::HeaderValue::from_static("Bearer");
        refusal
            .headers_mut()
            .insert(http::header::WWW_AUTHENTICATE, challenge);
        return refusal;
    }
    let Ok(message) = serde_json::from_slice::<Value>(body) else {
        return failed(
            &Value::Null,
            Failure::new(PARSE_ERROR, "the body is not valid JSON"),
        );
    };
    let Some(method) = message["method"].as_str() else {
        return failed(
            &Value::Null,
            Failure::new(INVALID_REQUEST, "method is missing"),
        );
    };
    let id = &message["id"];
    if id.is_null() {
        return reply::empty(StatusCode::ACCEPTED);
    }
    let params = &message["params"];
    match era(headers, method, params).and_then(|era| Ok((era, call(era, method, params, tools)?)))
    {
        Ok((era, result)) => answered(id, era, result),
        Err(failure) => failed(id, failure),
    }
}

/// Which era this one request belongs to (2026-07-28, Versioning).
fn era(headers: &HeaderMap, method: &str, params: &Value) -> Result<Era, Failure> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(version) = params["_meta"][VERSION_KEY].as_str() else {
        return Ok(Era::Legacy);
    };
    if version != MODERN {
        let mut failure = Failure::bad_request(UNSUPPORTED_VERSION, "unsupported protocol version");
        failure.data = Some(json!({"supported": [MODERN], "requested": version}));
        return Err(failure);
    }
    let name_agrees = method != "tools/call" || header("mcp-name") == params["name"].as_str();
    if header("mcp-protocol-version") == Some(version)
        && header("mcp-method") == Some(method)
        && name_agrees
    {
        Ok(Era::Modern)
    } else {
        Err(Failure::bad_request(
            HEADER_MISMATCH,
            "the Mcp-* headers do not match the body",
        ))
    }
}

fn call(era: Era, method: &str, params: &Value, tools: &Tools) -> Result<Value, Failure> {
    match (era, method) {
        (Era::Legacy, "initialize") => Ok(initialize(params)),
        (Era::Legacy, "ping") => Ok(json!({})),
        (Era::Modern, "server/discover") => Ok(json!({
            "supportedVersions": [MODERN],
            "capabilities": {"tools": {}},
            "ttlMs": 60_000,
            "cacheScope": "public",
        })),
        (Era::Legacy, "tools/list") => Ok(json!({"tools": Tools::list()})),
        (Era::Modern, "tools/list") => {
            Ok(json!({"tools": Tools::list(), "ttlMs": 60_000, "cacheScope": "public"}))
        }
        (_, "tools/call") => {
            let name = params["name"].as_str().unwrap_or_default();
            tools
                .call(name, &params["arguments"])
                .ok_or_else(|| Failure::new(INVALID_PARAMS, &format!("unknown tool: {name}")))
        }
        (Era::Legacy, _) => Err(Failure::new(METHOD_NOT_FOUND, "method not found")),
        (Era::Modern, _) => Err(Failure {
            status: StatusCode::NOT_FOUND,
            ..Failure::new(METHOD_NOT_FOUND, "method not found")
        }),
    }
}

fn initialize(params: &Value) -> Value {
    let asked = params["protocolVersion"].as_str().unwrap_or_default();
    let agreed = LEGACY
        .iter()
        .find(|version| **version == asked)
        .unwrap_or(&LEGACY[0]);
    json!({
        "protocolVersion": agreed,
        "capabilities": {"tools": {}},
        "serverInfo": server_info(),
        "instructions": "A demo tracker: issues live in memory and are gone when it stops.",
    })
}

fn server_info() -> Value {
    json!({"name": "agentkube-demo", "version": env!("CARGO_PKG_VERSION")})
}

fn answered(id: &Value, era: Era, mut result: Value) -> Reply {
    if era == Era::Modern {
        result["resultType"] = json!("complete");
        result["_meta"] = json!({SERVER_KEY: server_info()});
    }
    reply::json(
        StatusCode::OK,
        &json!({"jsonrpc": "2.0", "id": id, "result": result}),
    )
}

fn failed(id: &Value, failure: Failure) -> Reply {
    let mut error = json!({"code": failure.code, "message": failure.message});
    if let Some(data) = failure.data {
        error["data"] = data;
    }
    reply::json(
        failure.status,
        &json!({"jsonrpc": "2.0", "id": id, "error": error}),
    )
}

impl Failure {
    fn new(code: i64, message: &str) -> Self {
        let status = if matches!(code, PARSE_ERROR | INVALID_REQUEST) {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        };
        Self {
            status,
            code,
            message: message.to_owned(),
            data: None,
        }
    }

    fn bad_request(code: i64, message: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            ..Self::new(code, message)
        }
    }
}
