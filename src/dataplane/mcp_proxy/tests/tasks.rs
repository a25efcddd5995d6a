//! Tasks of one and of several upstreams, in both forms.

use agentkube_plan::ClientAuth;
use agentkube_testkit::Reply;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use super::kit::{
    Answer, KEY, OTHER_KEY, Sitting, Tested, legacy_message, modern_message, modern_request, over,
    plan, post, serve, upstream,
};
use super::listen::next;
use super::server::{Spec, event, failure, response};

const EXTENSION: &str = "io.modelcontextprotocol/tasks";
const RELATED: &str = "io.modelcontextprotocol/related-task";

fn task(id: &str, status: &str) -> Value {
    json!({"taskId": id, "status": status, "createdAt": "2026-01-01T00:00:00Z", "ttl": 1.50})
}

/// A server of 2025-11-25 whose only task is this one.
fn old(name: &'static str, id: &'static str) -> Spec {
    let tasks = json!({"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}});
    Spec::legacy(&[name])
        .can("tasks", tasks)
        .on_call(move |_, request| {
            let params = &request["params"];
            let method = request["method"].as_str().unwrap();
            if method.starts_with("tasks/") && method != "tasks/list" && params["taskId"] != id {
                return failure(200, request, -32602, "no such task");
            }
            let result = match method {
                "tools/call" => json!({"task": task(id, "working"), "asked": params["task"]}),
                "tasks/get" => task(id, "completed"),
                "tasks/cancel" => task(id, "cancelled"),
                "tasks/result" => json!({"content": [], "_meta": {RELATED: {"taskId": id}}}),
                "tasks/list" => json!({"tasks": [task(id, "working")]}),
                other => panic!("{other}"),
            };
            Reply::json(200, &response(request, &result))
        })
}

/// A server of 2026-07-28 whose only task is this one.
fn new(name: &'static str, id: &'static str) -> Spec {
    let extensions = json!({EXTENSION: {}});
    Spec::modern(&[name])
        .can("extensions", extensions)
        .on_call(move |http, request| {
            let params = &request["params"];
            let method = request["method"].as_str().unwrap();
            if method == "subscriptions/listen" {
                assert_eq!(params["notifications"]["taskIds"], json!([id]));
                let mut told = task(id, "completed");
                told["_meta"] = json!({"io.modelcontextprotocol/subscriptionId": request["id"]});
                let told =
                    json!({"jsonrpc": "2.0", "method": "notifications/tasks", "params": told});
                return Reply::sse().chunk(event(&told)).stall();
            }
            let mut result = task(id, "working");
            if method == "tools/call" {
                result["resultType"] = "task".into();
            } else {
                assert_eq!(http.header("mcp-name"), Some(id), "{method}");
                assert_eq!(params["taskId"], id);
                result["resultType"] = "complete".into();
                result["method"] = method.into();
            }
            Reply::json(200, &response(request, &result))
        })
}

async fn legacy_task(sitting: &Sitting<'_>, tool: &str) -> String {
    let call = json!({"name": tool, "task": {"ttl": 60}});
    let created = sitting.ask("tools/call", call).await.result();
    assert_eq!(created["asked"]["ttl"], 60);
    created["task"]["taskId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn tasks_of_two_servers_are_told_apart_in_a_session() {
    // The servers give the same id.
    let (a, b) = (old("x", "7").start().await, old("y", "7").start().await);
    let proxy = over(&[&a, &b]).await;
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let offered = proxy.legacy("initialize", hello).await.result();
    let expected = json!({"cancel": {}, "requests": {"tools": {"call": {}}}});
    assert_eq!(offered["capabilities"]["tasks"], expected);

    let sitting = proxy.open(json!({})).await;
    let (first, second) = (
        legacy_task(&sitting, "a__x").await,
        legacy_task(&sitting, "b__y").await,
    );
    assert_ne!(first, second);
    assert_eq!(
        legacy_task(&sitting, "a__x").await,
        first,
        "a name, not a ticket"
    );
    for (method, status) in [("tasks/get", "completed"), ("tasks/cancel", "cancelled")] {
        let answer = sitting.ask(method, json!({"taskId": second})).await;
        assert_eq!(answer.result()["taskId"], second.as_str());
        assert_eq!(answer.result()["status"], status);
        assert!(answer.text.contains("\"ttl\":1.5"), "{answer:?}");
        assert_eq!((a.got(method).len(), b.got(method).len()), (0, 1));
    }
    let result = sitting.ask("tasks/result", json!({"taskId": first})).await;
    assert_eq!(result.result()["_meta"][RELATED]["taskId"], first.as_str());
    let own = sitting.ask("tasks/get", json!({"taskId": "7"})).await;
    assert_eq!(own.code(), -32602, "an upstream's own id is nobody's here");
}

#[tokio::test]
async fn the_status_of_a_task_comes_under_the_id_that_the_client_has() {
    let status = json!({
        "jsonrpc": "2.0", "method": "notifications/tasks/status", "params": task("7", "completed"),
    });
    let a = old("x", "7").on_stream(move || Reply::sse().chunk(event(&status)).stall());
    let (a, b) = (a.start().await, old("y", "7").start().await);
    let proxy = over(&[&a, &b]).await;
    let sitting = proxy.open(json!({})).await;
    let id = legacy_task(&sitting, "a__x").await;
    let request = sitting.head("GET").body(Full::default()).unwrap();
    let mut body = proxy.send(request).await.into_body();
    assert_eq!(next(&mut body).await["params"]["taskId"], id.as_str());
}

/// A session of the client with this key.
struct Seated<'p> {
    proxy: &'p Tested,
    key: &'static str,
    id: String,
}

impl<'p> Seated<'p> {
    async fn open(proxy: &'p Tested, key: &'static str) -> (Self, Value) {
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
        let id = String::new();
        let mut seated = Self { proxy, key, id };
        let greeted = seated.ask("initialize", hello).await;
        seated.id = greeted.headers["mcp-session-id"]
            .to_str()
            .unwrap()
            .to_owned();
        (seated, greeted.result()["capabilities"].take())
    }

    async fn ask(&self, method: &str, params: Value) -> Answer {
        let mut request = post()
            .header("mcp-protocol-version", "2025-11-25")
            .header("authorization", format!("Bearer {}", self.key));
        if !self.id.is_empty() {
            request = request.header("mcp-session-id", &self.id);
        }
        let body = legacy_message(method, &params).to_string();
        self.proxy
            .exchange(request.body(Full::from(body)).unwrap())
            .await
    }
}

#[tokio::test]
async fn no_client_learns_of_the_tasks_of_another() {
    for (names_sessions, count) in [(true, 1), (false, 1), (true, 2), (false, 2)] {
        let spec = |name| match names_sessions {
            true => old(name, "7"),
            false => old(name, "7").without_session_ids(),
        };
        let (a, b) = (spec("x").start().await, spec("y").start().await);
        let rows = [upstream("a", &a.endpoint()), upstream("b", &b.endpoint())];
        let mut plan = plan(rows.into_iter().take(count).collect());
        plan.auth = ClientAuth::Apikey;
        let proxy = serve(plan).await;

        let (mine, offered) = Seated::open(&proxy, KEY).await;
        assert_eq!(offered["tasks"]["list"], Value::Null, "{offered}");
        assert!(offered["tasks"]["cancel"].is_object(), "{offered}");
        let tool = if count == 1 { "x" } else { "a__x" };
        let call = json!({"name": tool, "task": {"ttl": 60}});
        let created = mine.ask("tools/call", call).await.result();
        let id = created["task"]["taskId"].as_str().unwrap().to_owned();
        assert_ne!(id, "7");
        let task = mine.ask("tasks/get", json!({"taskId": id})).await.result();
        assert_eq!(task["taskId"], id.as_str());

        let (theirs, _) = Seated::open(&proxy, OTHER_KEY).await;
        for seated in [&mine, &theirs] {
            assert_eq!(seated.ask("tasks/list", json!({})).await.code(), -32601);
        }
        for id in [id.as_str(), "7"] {
            for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
                let answer = theirs.ask(method, json!({"taskId": id})).await;
                assert_eq!(answer.code(), -32602, "{method}");
            }
        }
        assert_eq!(a.got("tasks/list").len() + b.got("tasks/list").len(), 0);
        assert_eq!(a.got("tasks/get").len() + b.got("tasks/get").len(), 1);
    }
}

#[tokio::test]
async fn where_sessions_have_no_ids_no_stream_tells_of_tasks() {
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    let status = json!({
        "jsonrpc": "2.0", "method": "notifications/tasks/status", "params": task("7", "completed"),
    });
    let told = event(&status) + &event(&changed);
    let server = old("x", "7")
        .without_session_ids()
        .on_stream(move || Reply::sse().chunk(told.clone()).stall());
    let server = server.start().await;
    let proxy = over(&[&server]).await;
    let sitting = proxy.open(json!({})).await;
    let request = sitting.head("GET").body(Full::default()).unwrap();
    let mut body = proxy.send(request).await.into_body();
    assert_eq!(
        next(&mut body).await["method"],
        "notifications/tools/list_changed"
    );
}

fn able(mut params: Value) -> Value {
    let capabilities = json!({"extensions": {EXTENSION: {}}});
    params["_meta"] = json!({"io.modelcontextprotocol/clientCapabilities": capabilities});
    params
}

fn asked(key: &str, method: &str, params: &Value) -> Request<Full<bytes::Bytes>> {
    let mut request = modern_request(&modern_message(method, params));
    let key = format!("Bearer {key}").parse().unwrap();
    request.headers_mut().insert("authorization", key);
    if let Some(id) = params["taskId"].as_str() {
        let id = id.parse().unwrap();
        request.headers_mut().insert("mcp-name", id);
    }
    request
}

async fn ask(proxy: &Tested, key: &str, method: &str, params: Value) -> Answer {
    proxy.exchange(asked(key, method, &params)).await
}

#[tokio::test]
async fn the_extension_routes_by_ids_that_are_good_for_one_client() {
    let (a, b) = (new("x", "7").start().await, new("y", "7").start().await);
    for servers in [vec![&a], vec![&a, &b]] {
        let names = ["a", "b"];
        let rows = servers.iter().zip(names);
        let mut plan = plan(
            rows.map(|(it, name)| upstream(name, &it.endpoint()))
                .collect(),
        );
        plan.auth = ClientAuth::Apikey;
        let proxy = serve(plan).await;
        let offered = ask(&proxy, KEY, "server/discover", json!({}))
            .await
            .result();
        assert_eq!(
            offered["capabilities"]["extensions"],
            json!({EXTENSION: {}})
        );

        let tool = if servers.len() == 1 { "x" } else { "a__x" };
        let call = able(json!({"name": tool}));
        let created = ask(&proxy, KEY, "tools/call", call).await.result();
        assert_eq!(created["resultType"], "task");
        let id = created["taskId"].as_str().unwrap().to_owned();
        assert_ne!(id, "7");
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let params = able(json!({"taskId": id, "inputResponses": {}}));
            let answer = ask(&proxy, KEY, method, params.clone()).await.result();
            assert_eq!(
                (&answer["method"], &answer["taskId"]),
                (&method.into(), &json!(id))
            );
            let others = ask(&proxy, OTHER_KEY, method, params).await;
            assert_eq!(others.code(), -32602, "{method}");
        }
        let unable = ask(&proxy, KEY, "tasks/get", json!({"taskId": "7"})).await;
        assert_eq!((unable.status, unable.code()), (400, -32021));
        let required = &unable.last()["error"]["data"]["requiredCapabilities"];
        assert_eq!(required["extensions"], json!({EXTENSION: {}}));
        let mut lying = asked(KEY, "tasks/get", &able(json!({"taskId": id})));
        lying.headers_mut().insert("mcp-name", "7".parse().unwrap());
        assert_eq!(proxy.exchange(lying).await.code(), -32020);

        let wanted = json!({"taskIds": [id, "7"]});
        let listen = able(json!({"notifications": wanted}));
        let request = asked(KEY, "subscriptions/listen", &listen);
        let mut body = proxy.send(request).await.into_body();
        let granted = next(&mut body).await;
        assert_eq!(granted["params"]["notifications"]["taskIds"], json!([id]));
        let told = next(&mut body).await;
        assert_eq!(told["method"], "notifications/tasks");
        assert_eq!(told["params"]["taskId"], id.as_str());
        assert_eq!(
            told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"],
            "client-1"
        );
    }
}

#[tokio::test]
async fn servers_without_tasks_do_not_know_the_methods() {
    let (a, b) = (
        Spec::modern(&["x"]).start().await,
        Spec::legacy(&["y"]).start().await,
    );
    let proxy = over(&[&a, &b]).await;
    let answer = proxy
        .modern("tasks/get", able(json!({"taskId": "7"})))
        .await;
    assert_eq!((answer.status, answer.code()), (404, -32601));
    let sitting = proxy.open(json!({})).await;
    for method in ["tasks/get", "tasks/list"] {
        let message = legacy_message(method, &json!({"taskId": "7"}));
        assert_eq!(sitting.say(&message).await.code(), -32601, "{method}");
    }
}

#[tokio::test]
async fn tasks_of_the_other_era_are_not_promised_and_the_error_says_whose_they_are() {
    let (legacy, modern) = (old("x", "7").start().await, new("y", "7").start().await);
    for servers in [vec![&modern], vec![&modern, &modern]] {
        let proxy = over(&servers).await;
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
        let said = proxy.legacy("initialize", hello).await.result();
        assert!(said["capabilities"]["tasks"].is_null(), "{said}");
        let extensions = &said["capabilities"]["extensions"];
        assert!(extensions[EXTENSION].is_null(), "{said}");
        let sitting = proxy.open(json!({})).await;
        for method in ["tasks/get", "tasks/cancel", "tasks/result"] {
            let refused = sitting.ask(method, json!({"taskId": "7"})).await;
            assert_eq!(refused.code(), -32601);
            let text = refused.error_text();
            assert!(text.contains("those of 2026-07-28"), "{text}");
        }
    }
    for servers in [vec![&legacy], vec![&legacy, &legacy]] {
        let proxy = over(&servers).await;
        let said = proxy.modern("server/discover", json!({})).await.result();
        assert!(said["capabilities"]["tasks"].is_null(), "{said}");
        assert!(said["capabilities"]["extensions"].is_null(), "{said}");
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let params = able(json!({"taskId": "7"}));
            let refused = ask(&proxy, KEY, method, params).await;
            assert_eq!((refused.status, refused.code()), (404, -32601));
            let text = refused.error_text();
            assert!(text.contains("those of 2025-11-25"), "{text}");
        }
        assert!(legacy.got("tasks/get").is_empty());
    }
}

#[tokio::test]
async fn a_task_of_a_session_is_none_of_the_extension() {
    let server = old("x", "7").start().await;
    let proxy = over(&[&server]).await;
    let id = legacy_task(&proxy.open(json!({})).await, "x").await;
    let refused = ask(&proxy, KEY, "tasks/get", able(json!({"taskId": id}))).await;
    assert_eq!((refused.status, refused.code()), (404, -32601));
    assert!(refused.error_text().contains("2025-11-25"), "{refused:?}");
    assert!(server.got("tasks/get").is_empty());
}

#[tokio::test]
async fn a_tool_that_runs_as_a_task_only_says_so_to_who_cannot_ask_for_one() {
    let mut only = super::server::tool("x");
    only["execution"] = json!({"taskSupport": "required"});
    let server = old("x", "7").tools(json!([only])).start().await;
    let proxy = over(&[&server]).await;
    let refused = proxy.modern("tools/call", able(json!({"name": "x"}))).await;
    assert_eq!(refused.code(), -32602);
    let text = refused.error_text();
    assert!(text.contains("as a task of 2025-11-25"), "{text}");
    assert!(server.got("tools/call").is_empty());
    legacy_task(&proxy.open(json!({})).await, "x").await;
}
