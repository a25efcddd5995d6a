//! Control endpoints, for tests outside Rust. They are never on record.
//!
//! | | |
//! |---|---|
//! | `GET /__requests[?model=M]` | the record: `[{number, connection, method, path, headers, body, outcome}]` |
//! | `DELETE /__requests` | forgets it |
//! | `GET /__outcome?model=M` | waits for the end of the last answer to that model: `{"outcome": …}` |
//! | `GET /__gates/NAME` | waits until an answer has reached the gate |
//! | `POST /__gates/NAME` | opens it |
//! | `GET /__health` | 200 |
//!
//! A wait that does not come true in time is a 504.

use http::Method;
use serde_json::{Map, Value, json};

use crate::upstream::{Entry, Shared};
use crate::{DEADLINE, Outcome, Reply, Request};

const PREFIX: &str = "/__";

pub(crate) fn is_for(request: &Request) -> bool {
    request.path.starts_with(PREFIX)
}

pub(crate) async fn answer(request: &Request, shared: &Shared) -> Reply {
    let route = request.route().strip_prefix(PREFIX).unwrap_or_default();
    match (&request.method, route.split_once('/')) {
        (&Method::GET, None) if route == "health" => Reply::json(200, &json!({"ok": true})),
        (&Method::GET, None) if route == "requests" => {
            let log = shared.log.borrow();
            let entries = log.iter().filter(|entry| is_asked_for(request, entry));
            Reply::json(200, &entries.map(entry_json).collect())
        }
        (&Method::DELETE, None) if route == "requests" => {
            shared.log.send_modify(Vec::clear);
            Reply::status(204)
        }
        (&Method::GET, None) if route == "outcome" => outcome(request, shared).await,
        (&Method::GET, Some(("gates", name))) => {
            let gate = shared.gates.named(name);
            let reached = tokio::time::timeout(DEADLINE / 2, gate.reached()).await;
            in_time(reached.is_ok(), &json!({"reached": true}))
        }
        (&Method::POST, Some(("gates", name))) => {
            shared.gates.named(name).open();
            Reply::json(200, &json!({"open": true}))
        }
        (method, _) => {
            let message = format!("no control endpoint {method} {}", request.path);
            Reply::json(404, &json!({"error": message}))
        }
    }
}

async fn outcome(request: &Request, shared: &Shared) -> Reply {
    let mut log = shared.log.subscribe();
    let last = |log: &Vec<Entry>| {
        let entry = log
            .iter()
            .rev()
            .find(|entry| is_asked_for(request, entry))?;
        (entry.outcome != Outcome::Open).then_some(entry.outcome)
    };
    let ended = log.wait_for(|log| last(log).is_some());
    let ended = tokio::time::timeout(DEADLINE / 2, ended).await;
    let outcome = ended.ok().and_then(Result::ok).and_then(|log| last(&log));
    let name = outcome.map(Outcome::as_str);
    in_time(outcome.is_some(), &json!({"outcome": name}))
}

fn in_time(came_true: bool, body: &Value) -> Reply {
    if came_true {
        Reply::json(200, body)
    } else {
        Reply::json(504, &json!({"error": "it did not come true in time"}))
    }
}

fn is_asked_for(control: &Request, entry: &Entry) -> bool {
    control
        .query("model")
        .is_none_or(|model| entry.request.model() == model)
}

fn entry_json(entry: &Entry) -> Value {
    let request = &entry.request;
    let mut headers = Map::new();
    for name in request.headers.keys() {
        let values = request.headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| value.to_str().unwrap_or_default())
            .collect();
        headers.insert(name.to_string(), json!(values.join(", ")));
    }
    json!({
        "number": request.number,
        "connection": request.connection,
        "method": request.method.as_str(),
        "path": request.path,
        "headers": headers,
        "body": String::from_utf8_lossy(&request.body),
        "outcome": entry.outcome.as_str(),
    })
}
