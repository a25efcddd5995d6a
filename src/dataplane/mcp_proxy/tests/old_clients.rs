//! Clients of the legacy HTTP+SSE transport.

use agentkube_plan::{ClientAuth, ClientTable, ToolFilter};
use agentkube_testkit::{Gate, Outcome, Reply, eventually, within};
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::kit::{
    Answer, KEY, OTHER_KEY, Tested, clients, legacy_message, over, plan, serve, upstream,
};
use super::old_server::{OldServer, ran};
use super::pods::Pod;
use super::replaced::replace;
use super::server::{Spec, event, response};
use crate::edge::{Body, Drain};
use crate::source::Secrets;

/// A client and its stream.
pub(super) struct Old<'p> {
    proxy: &'p Tested,
    key: &'static str,
    url: String,
    pub(super) body: Body,
    unread: String,
}

fn get(key: &str) -> Request<Full<bytes::Bytes>> {
    Request::get("/sse")
        .header("host", "127.0.0.1:8080")
        .header("accept", "text/event-stream")
        .header("authorization", format!("Bearer {key}"))
        .body(Full::default())
        .unwrap()
}

impl<'p> Old<'p> {
    pub(super) async fn open(proxy: &'p Tested) -> Self {
        let response = proxy.send(get(KEY)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut old = Self {
            proxy,
            key: KEY,
            url: String::new(),
            body: response.into_body(),
            unread: String::new(),
        };
        let first = old.event().await.unwrap();
        let url = first.strip_prefix("event: endpoint\ndata: ").unwrap();
        old.url = url.to_owned();
        old
    }

    /// One that was greeted.
    pub(super) async fn greeted(proxy: &'p Tested, version: &str, capabilities: Value) -> Self {
        let mut old = Self::open(proxy).await;
        let hello = json!({
            "protocolVersion": version,
            "capabilities": capabilities,
            "clientInfo": {"name": "old", "version": "1"},
        });
        assert!(old.ask("initialize", hello).await["result"].is_object());
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(old.say(&ready).await.status, 202);
        old
    }

    /// The next event; `None` when the stream ended.
    async fn event(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let event = event.to_owned();
                self.unread = rest.to_owned();
                return Some(event);
            }
            let frame = within("an event", self.body.frame()).await?.unwrap();
            let bytes = frame.into_data().unwrap();
            self.unread += std::str::from_utf8(&bytes).unwrap();
        }
    }

    /// The next message.
    async fn next(&mut self) -> Value {
        let event = self.event().await.unwrap();
        let data = event.strip_prefix("event: message\ndata: ").unwrap();
        serde_json::from_str(data).unwrap()
    }

    fn request(&self, message: &Value) -> Request<Full<bytes::Bytes>> {
        Request::post(&self.url)
            .header("host", "127.0.0.1:8080")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.key))
            .body(Full::from(message.to_string()))
            .unwrap()
    }

    pub(super) async fn say(&self, message: &Value) -> Answer {
        self.proxy.exchange(self.request(message)).await
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        let taken = self.say(&legacy_message(method, &params)).await;
        assert_eq!((taken.status, taken.text.as_str()), (202, "Accepted"));
        self.next().await
    }
}

#[tokio::test]
async fn its_first_event_says_where_to_post_and_every_answer_comes_on_the_stream() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    for (asked, agreed) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-06-18", "2025-06-18"),
        // Whoever speaks this resumes streams, which cannot be done here.
        ("2025-11-25", "2025-06-18"),
    ] {
        let mut old = Old::open(&proxy).await;
        assert!(old.url.starts_with("/sse?session="), "{}", old.url);
        let hello = json!({"protocolVersion": asked, "capabilities": {}});
        let greeting = old.ask("initialize", hello.clone()).await;
        assert_eq!(greeting["result"]["protocolVersion"], agreed);
        let listed = old.ask("tools/list", json!({})).await;
        assert_eq!(listed["result"]["tools"][0]["name"], "echo");
        let called = old.ask("tools/call", json!({"name": "echo"})).await;
        assert_eq!(called["result"]["content"][0]["text"], "echo ran");
        let again = old.ask("initialize", hello).await;
        assert_eq!(again["error"]["code"], -32600);
    }
}

#[tokio::test]
async fn servers_of_its_own_transport_serve_it_too() {
    let server = OldServer::start(&["echo"], ran).await;
    let proxy = serve(plan(vec![upstream("a", &server.endpoint())])).await;
    let mut old = Old::greeted(&proxy, "2024-11-05", json!({})).await;
    let called = old.ask("tools/call", json!({"name": "echo"})).await;
    assert_eq!(called["result"]["content"][0]["text"], "echo ran");
}

#[tokio::test]
async fn a_tool_that_is_hidden_is_as_absent_as_at_mcp() {
    let server = Spec::legacy(&["echo", "wipe"]).start().await;
    let mut row = upstream("a", &server.endpoint());
    row.tools = vec![ToolFilter::Allow(vec!["echo".to_owned()])];
    let proxy = serve(plan(vec![row])).await;
    let mut old = Old::greeted(&proxy, "2024-11-05", json!({})).await;
    let listed = old.ask("tools/list", json!({})).await;
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 1);
    for name in ["wipe", "nonsense"] {
        let called = json!({"name": name});
        let there = proxy.legacy("tools/call", called.clone()).await.last();
        assert_eq!(old.ask("tools/call", called).await, there);
    }
    assert!(server.got("tools/call").is_empty());
}

#[tokio::test]
async fn questions_progress_and_cancellation_pass() {
    let server = Spec::legacy(&["ask", "hang"])
        .on_call(|_, request| {
            if request["params"]["name"] == "hang" {
                return Reply::sse().head().stall();
            }
            let token = &request["params"]["_meta"]["progressToken"];
            let progress = json!({"progressToken": token, "progress": 1});
            let method = "notifications/progress";
            let progress = json!({"jsonrpc": "2.0", "method": method, "params": progress});
            let question = json!({
                "jsonrpc": "2.0", "id": 7, "method": "elicitation/create", "params": {},
            });
            Reply::sse()
                .chunk(event(&progress))
                .chunk(event(&question))
                .chunk(event(&response(request, &json!({"done": 1}))))
        })
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let mut old = Old::greeted(&proxy, "2025-06-18", json!({"elicitation": {}})).await;
    let params = json!({"name": "ask", "_meta": {"progressToken": "mine"}});
    let progress = old.ask("tools/call", params).await;
    assert_eq!(progress["params"]["progressToken"], "mine");
    let question = old.next().await;
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(old.next().await["result"]["done"], 1);
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "cancel"}});
    assert_eq!(old.say(&answer).await.status, 202);
    // What is posted is worked on while the stream is read.
    let answered = eventually("the answer arrives", async || {
        let requests = server.upstream.requests();
        let answer = requests.iter().find(|it| it.json()["result"].is_object());
        answer.map(|answer| answer.json())
    });
    let answered = tokio::select! { answered = answered => answered, _ = old.event() => panic!() };
    assert_eq!(answered["id"], 7);

    let hang = legacy_message("tools/call", &json!({"name": "hang"}));
    old.say(&hang).await;
    let cancel = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "client-1"},
    });
    let mut body = std::mem::take(&mut old.body);
    let cancelled = eventually("the cancellation arrives", async || {
        if server.got("tools/call").len() == 2 {
            old.say(&cancel).await;
        }
        (!server.got("notifications/cancelled").is_empty()).then_some(())
    });
    tokio::select! { () = cancelled => {}, _ = body.frame() => panic!("nothing is to be said") }
}

#[tokio::test]
async fn what_upstreams_say_unasked_comes_on_the_stream() {
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    let server = Spec::legacy(&["echo"])
        .on_stream(move || {
            // An id is of no use to a client that cannot resume.
            let first = "id: 1\ndata:\n\n";
            Reply::sse()
                .chunk(first)
                .chunk(format!("id: 2\n{}", event(&changed)))
                .stall()
        })
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let mut old = Old::greeted(&proxy, "2025-06-18", json!({})).await;
    assert_eq!(
        old.next().await["method"],
        "notifications/tools/list_changed"
    );
}

#[tokio::test]
async fn after_a_change_of_the_plan_the_new_upstreams_are_heard_and_the_old_let_go() {
    let says = |what: &str| {
        let text = event(&json!({"jsonrpc": "2.0", "method": format!("notifications/{what}")}));
        move || Reply::sse().chunk(text.clone()).stall()
    };
    let before = Spec::legacy(&["echo"]).on_stream(says("before"));
    let after = Spec::legacy(&["echo"]).on_stream(says("after"));
    let (before, after) = (before.start().await, after.start().await);
    let proxy = over(&[&before]).await;
    let mut old = Old::greeted(&proxy, "2025-06-18", json!({})).await;
    assert_eq!(old.next().await["method"], "notifications/before");
    let next = plan(vec![upstream("b", &after.endpoint())]);
    let mut secrets = Secrets::new();
    let keys = next.session_keys.clone().unwrap();
    secrets.insert(keys.current, "the key that all replicas share");
    proxy.source.replace(next, &clients(), secrets).unwrap();
    for list in ["tools", "prompts", "resources"] {
        let method = format!("notifications/{list}/list_changed");
        assert_eq!(old.next().await["method"], method);
    }
    assert_eq!(old.next().await["method"], "notifications/after");
    let requests = before.upstream.requests();
    let own = requests.iter().position(|it| it.method == "GET").unwrap();
    assert_eq!(before.upstream.outcome(own).await, Outcome::ClientGone);
}

#[tokio::test]
async fn the_end_of_the_stream_is_the_end_of_the_session() {
    let server = OldServer::start(&["echo"], ran).await;
    let proxy = serve(plan(vec![upstream("a", &server.endpoint())])).await;
    let mut old = Old::greeted(&proxy, "2024-11-05", json!({})).await;
    old.ask("tools/call", json!({"name": "echo"})).await;
    let requests = server.upstream.requests();
    let own = requests.iter().rposition(|it| it.method == "GET").unwrap();
    old.body = Body::empty();
    assert_eq!(server.upstream.outcome(own).await, Outcome::ClientGone);
    let answer = old.say(&legacy_message("ping", &json!({}))).await;
    assert_eq!(answer.status, 404);
    assert!(answer.text.contains("GET /sse"), "{answer:?}");
}

#[tokio::test]
async fn a_stream_is_its_clients_alone() {
    let server = Spec::legacy(&["echo"]).start().await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.auth = ClientAuth::Apikey;
    let proxy = serve(plan).await;
    assert_eq!(proxy.send(get("nobody's-key-of-16")).await.status(), 401);
    let mut old = Old::greeted(&proxy, "2024-11-05", json!({})).await;
    let ping = legacy_message("ping", &json!({}));
    old.key = OTHER_KEY;
    assert_eq!(old.say(&ping).await.status, 404);
    old.key = "nobody's-key-of-16";
    assert_eq!(old.say(&ping).await.status, 401);
    old.key = KEY;
    assert_eq!(old.ask("ping", json!({})).await["result"], json!({}));
    // It is no session of the other endpoint.
    let id = old.url.split_once('=').unwrap().1.to_owned();
    let at_mcp = super::kit::Sitting { proxy: &proxy, id };
    let mut request = at_mcp.post(&ping);
    let key = format!("Bearer {KEY}").parse().unwrap();
    request.headers_mut().insert("authorization", key);
    assert_eq!(proxy.exchange(request).await.status, 404);
}

#[tokio::test]
async fn what_is_no_message_of_its_transport_is_refused_at_once() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let old = Old::greeted(&proxy, "2025-06-18", json!({})).await;
    let with = |edit: &dyn Fn(&mut Request<Full<bytes::Bytes>>)| {
        let mut request = old.request(&legacy_message("ping", &json!({})));
        edit(&mut request);
        request
    };
    let bodies = [
        ("{", -32700),
        ("[]", -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600),
    ];
    for (body, code) in bodies {
        let request = with(&|it| *it.body_mut() = Full::from(body.to_owned()));
        let answer = proxy.exchange(request).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{body}");
    }
    let modern = super::kit::modern_message("tools/list", &json!({})).to_string();
    let request = with(&|it| *it.body_mut() = Full::from(modern.clone()));
    assert_eq!(proxy.exchange(request).await.status, 400);
    let text = "text/plain".parse().unwrap();
    let request = with(&|it| drop(it.headers_mut().insert("content-type", Clone::clone(&text))));
    assert_eq!(proxy.exchange(request).await.status, 415);
    let request = with(&|it| *it.method_mut() = http::Method::DELETE);
    assert_eq!(proxy.exchange(request).await.status, 405);
    let request = with(&|it| *it.uri_mut() = "/sse".parse().unwrap());
    assert_eq!(proxy.exchange(request).await.status, 404);
}

#[tokio::test]
async fn streams_are_bounded() {
    let server = Spec::legacy(&["echo"]).start().await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.limits.sessions = 1;
    let proxy = serve(plan).await;
    let old = Old::open(&proxy).await;
    let refused = proxy.exchange(get(KEY)).await;
    assert_eq!(refused.status, 503);
    assert!(refused.text.contains("spec.limits.sessions"));
    drop(old);
    Old::open(&proxy).await;
}

#[tokio::test]
async fn many_calls_at_once_do_not_keep_each_other_from_their_answers() {
    let server = Spec::legacy(&["chatty"])
        .on_call(|_, request| {
            let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {}});
            let log = event(&log);
            Reply::sse()
                .chunk(log.clone())
                .chunk(log)
                .chunk(event(&response(request, &json!({}))))
        })
        .start()
        .await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.limits.concurrent_calls = 100;
    let proxy = serve(plan).await;
    let mut old = Old::greeted(&proxy, "2024-11-05", json!({})).await;
    for number in 0..60 {
        let mut call = legacy_message("tools/call", &json!({"name": "chatty"}));
        call["id"] = number.into();
        assert_eq!(old.say(&call).await.status, 202);
    }
    let mut answered = 0;
    while answered < 60 {
        answered += usize::from(old.next().await["result"].is_object());
    }
}

#[tokio::test]
async fn the_stream_ends_with_the_drain() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let mut old = Old::greeted(&proxy, "2024-11-05", json!({})).await;
    let drain = Drain::new(std::time::Duration::ZERO);
    drain.start();
    proxy.proxy.clone().follow(drain).await;
    assert_eq!(old.event().await, None);
}

#[tokio::test]
async fn what_is_posted_to_another_pod_is_answered_on_the_stream() {
    let server = Spec::legacy(&["echo"]).start().await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.auth = ClientAuth::Apikey;
    let one = Pod::start("uid-1", plan.clone()).await;
    let other = Pod::start("uid-2", plan).await;
    let mut old = Old::open(&one.tested).await;
    old.proxy = &other.tested;
    let hello = json!({"protocolVersion": "2024-11-05", "capabilities": {}});
    assert!(old.ask("initialize", hello).await["result"].is_object());
    let called = old.ask("tools/call", json!({"name": "echo"})).await;
    assert_eq!(called["result"]["content"][0]["text"], "echo ran");
    let call = legacy_message("tools/call", &json!({"name": "echo"}));
    old.key = OTHER_KEY;
    assert_eq!(old.say(&call).await.status, 404, "not its own");
    old.key = KEY;
    let lost = old.request(&call);
    drop(old);
    assert_eq!(one.tested.exchange(lost.clone()).await.status, 404);
    one.stop().await;
    let answer = other.tested.exchange(lost).await;
    assert_eq!(answer.status, 404, "the Pod is gone");
    assert!(answer.text.contains("GET /sse"), "{answer:?}");
    other.stop().await;
}

#[tokio::test]
async fn of_two_greetings_at_once_one_opens_the_session() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let mut old = Old::open(&proxy).await;
    let failed = old.ask("initialize", json!({})).await;
    assert_eq!(failed["error"]["code"], -32602, "another one may be tried");
    let hello = json!({"protocolVersion": "2024-11-05", "capabilities": {}});
    let hello = legacy_message("initialize", &hello);
    for _ in 0..2 {
        assert_eq!(old.say(&hello).await.status, 202);
    }
    let said = [old.next().await, old.next().await];
    let opened = said.iter().filter(|it| it["result"].is_object());
    assert_eq!(opened.count(), 1, "{said:?}");
    // The session that is shared, and the client's: no third one.
    assert_eq!(server.got("initialize").len(), 2);
    let batch = json!([hello]);
    let refused = old.say(&batch).await;
    assert_eq!(refused.status, 400, "{refused:?}");
}

#[tokio::test]
async fn the_stream_ends_when_its_client_is_unknown_and_not_when_another_is() {
    let server = Spec::legacy(&["x"]).start().await;
    let keyed = || {
        let mut plan = plan(vec![upstream("a", &server.endpoint())]);
        plan.auth = ClientAuth::Apikey;
        plan
    };
    let proxy = serve(keyed()).await;
    let mut client = Old::greeted(&proxy, "2024-11-05", json!({})).await;
    let mut table = clients();
    table.clients.retain(|it| it.name != "ci");
    replace(&proxy, keyed(), &table);
    let tools = client.ask("tools/list", json!({})).await;
    assert_eq!(tools["result"]["tools"][0]["name"], "x");
    replace(&proxy, keyed(), &ClientTable::default());
    assert_eq!(client.event().await, None);
}

#[tokio::test]
async fn a_client_at_its_bound_answers_what_its_own_call_asks() {
    for in_batch in [false, true] {
        let answered = Gate::new();
        let gate = answered.clone();
        let server = Spec::legacy(&["ask"]).on_call(move |_, request| {
            let question = json!({
                "jsonrpc": "2.0", "id": 7, "method": "elicitation/create", "params": {},
            });
            Reply::sse()
                .chunk(event(&question))
                .gate(&gate)
                .chunk(event(&response(request, &json!({"done": 1}))))
        });
        let server = server.start().await;
        let mut plan = plan(vec![upstream("a", &server.endpoint())]);
        plan.limits.concurrent_calls = 1;
        let proxy = serve(plan).await;
        let mut old = Old::greeted(&proxy, "2025-03-26", json!({"elicitation": {}})).await;
        let question = old.ask("tools/call", json!({"name": "ask"})).await;
        assert_eq!(question["method"], "elicitation/create");
        let ping = old.say(&legacy_message("ping", &json!({}))).await;
        assert_eq!(ping.status, 503, "one more call is one too many");
        let result = json!({"action": "cancel"});
        let mut answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": result});
        if in_batch {
            answer = json!([answer]);
        }
        assert_eq!(old.say(&answer).await.status, 202);
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(old.say(&ready).await.status, 202);
        answered.open();
        assert_eq!(old.next().await["result"]["done"], 1);
    }
}
