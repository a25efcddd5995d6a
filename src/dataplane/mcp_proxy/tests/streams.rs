//! Answers that come as event streams.

use std::task::Poll;
use std::time::Duration;

use agentkube_testkit::{Gate, Reply, eventually, within};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::kit::{legacy_message, modern_message, modern_request, over};
use super::server::{Spec, event, response};

fn progress(request: &Value, n: u32) -> String {
    let token = &request["params"]["_meta"]["progressToken"];
    let params = json!({"progressToken": token, "progress": n});
    event(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))
}

fn log(level: &str) -> String {
    let params = json!({"level": level, "data": "x"});
    event(&json!({"jsonrpc": "2.0", "method": "notifications/message", "params": params}))
}

#[tokio::test]
async fn progress_arrives_event_by_event_under_the_clients_token() {
    for spec in [Spec::legacy(&["slow"]), Spec::modern(&["slow"])] {
        let gate = Gate::new();
        let held = gate.clone();
        let server = spec
            .on_call(move |_, request| {
                Reply::sse()
                    .chunk(progress(request, 1))
                    .gate(&held)
                    .chunk(event(&response(request, &json!({"content": []}))))
            })
            .start()
            .await;
        let proxy = over(&[&server]).await;
        let params = json!({"name": "slow", "_meta": {"progressToken": "mine"}});
        let response = proxy
            .send(modern_request(&modern_message("tools/call", &params)))
            .await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let mut body = response.into_body();
        let first = within("the first event", body.frame())
            .await
            .unwrap()
            .unwrap();
        let first = String::from_utf8(first.into_data().unwrap().to_vec()).unwrap();
        assert!(first.contains(r#""progressToken":"mine""#), "{first}");
        gate.open();
        let rest = within("the end", body.collect()).await.unwrap().to_bytes();
        assert!(
            std::str::from_utf8(&rest)
                .unwrap()
                .contains(r#""id":"client-1""#)
        );
    }
}

#[tokio::test]
async fn a_stream_with_only_the_answer_becomes_json() {
    let server = Spec::legacy(&["echo"])
        .on_call(|_, request| {
            Reply::sse()
                .chunk("id: 1\ndata:\n\n")
                .chunk(event(&response(request, &json!({}))))
        })
        .start()
        .await;
    let answer = over(&[&server])
        .await
        .legacy("tools/call", json!({"name": "echo"}))
        .await;
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.result(), json!({}));
}

#[tokio::test]
async fn a_client_that_takes_no_stream_gets_the_answer_alone() {
    let server = Spec::legacy(&["slow"])
        .on_call(|_, request| {
            Reply::sse()
                .chunk(log("info"))
                .chunk(event(&response(request, &json!({"ok": 1}))))
        })
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let body = super::kit::legacy_message("tools/call", &json!({"name": "slow"})).to_string();
    let mut request = super::kit::post().body(body.into()).unwrap();
    request
        .headers_mut()
        .insert("accept", "application/json".parse().unwrap());
    assert_eq!(proxy.exchange(request).await.result(), json!({"ok": 1}));
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_in_an_error() {
    for cut in [true, false] {
        let server = Spec::legacy(&["slow"])
            .on_call(move |_, _| {
                let reply = Reply::sse().chunk(log("info"));
                if cut { reply.cut() } else { reply }
            })
            .start()
            .await;
        let answer = over(&[&server])
            .await
            .legacy("tools/call", json!({"name": "slow"}))
            .await;
        assert_eq!(answer.messages().len(), 2);
        assert_eq!(answer.code(), -32603);
        assert_eq!(answer.last()["id"], "client-1");
        assert!(
            answer.error_text().contains("closed the stream"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_modern_client_gets_the_log_messages_that_it_asked_for() {
    let server = Spec::legacy(&["chatty"])
        .on_call(|_, request| {
            let stream = Reply::sse().chunk(log("debug")).chunk(log("error"));
            stream.chunk(event(&response(request, &json!({}))))
        })
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let silent = proxy.modern("tools/call", json!({"name": "chatty"})).await;
    assert_eq!(silent.messages().len(), 1, "no level, no log");
    let meta = json!({"io.modelcontextprotocol/logLevel": "warning"});
    let some = proxy
        .modern("tools/call", json!({"name": "chatty", "_meta": meta}))
        .await;
    assert_eq!(some.messages().len(), 2);
    assert_eq!(some.messages()[0]["params"]["level"], "error");
    let all = proxy.legacy("tools/call", json!({"name": "chatty"})).await;
    assert_eq!(all.messages().len(), 3);
}

#[tokio::test]
async fn a_server_that_logs_only_when_told_a_level_is_told_one() {
    let server = Spec::legacy(&["chatty"]).capability("logging");
    let server = server.on_call(|_, request| {
        let stream = Reply::sse().chunk(log("debug")).chunk(log("error"));
        stream.chunk(event(&response(request, &json!({}))))
    });
    let server = server.start().await;
    let proxy = over(&[&server]).await;
    let meta = json!({"io.modelcontextprotocol/logLevel": "debug"});
    let call = json!({"name": "chatty", "_meta": meta});
    let answer = proxy.modern("tools/call", call).await;
    assert_eq!(answer.messages().len(), 3);
    let told = server.got("logging/setLevel");
    assert_eq!(told.len(), 1, "once, in the session that is shared");
    assert_eq!(told[0].json()["params"], json!({"level": "debug"}));
    let others = proxy.legacy("tools/call", json!({"name": "chatty"})).await;
    assert_eq!(others.messages().len(), 2, "who asked for no level");
}

#[tokio::test]
async fn an_upstream_that_asks_is_told_that_we_cannot() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Spec::legacy(&["nosy"])
        .on_call(move |_, request| {
            let ask = |id: u32, method: &str| {
                event(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}}))
            };
            Reply::sse()
                .chunk(ask(70, "sampling/createMessage"))
                .chunk(ask(71, "ping"))
                .gate(&held)
                .chunk(event(&response(request, &json!({"ok": 1}))))
        })
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let call = proxy.legacy("tools/call", json!({"name": "nosy"}));
    let watch = async {
        let answers = agentkube_testkit::eventually("both answers", async || {
            let all = server.upstream.requests();
            let answers: Vec<_> = all.iter().map(|request| request.json()).collect();
            let answers = answers
                .into_iter()
                .filter(|json| json.get("method").is_none());
            let answers: Vec<Value> = answers.collect();
            (answers.len() == 2).then_some(answers)
        });
        let answers = answers.await;
        gate.open();
        answers
    };
    let (answer, answers) = futures::future::join(call, watch).await;
    assert_eq!(answer.result(), json!({"ok": 1}));
    assert_eq!(answer.messages().len(), 1, "the client is not bothered");
    let of = |id: u32| answers.iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(of(70)["error"]["code"], -32601);
    assert_eq!(of(71)["result"], json!({}));
}

#[tokio::test]
async fn a_stream_on_which_nothing_is_said_is_kept_alive() {
    let server = Spec::legacy(&["slow"])
        .on_call(|_, _| Reply::sse().head().stall())
        .on_stream(|| Reply::sse().head().stall())
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let sitting = proxy.open(json!({})).await;
    let slow = json!({"name": "slow"});
    let wanted = json!({"notifications": {"toolsListChanged": true}});
    let requests = [
        modern_request(&modern_message("tools/call", &slow)),
        sitting.post(&legacy_message("tools/call", &slow)),
        modern_request(&modern_message("subscriptions/listen", &wanted)),
        sitting.head("GET").body(Full::default()).unwrap(),
    ];
    for request in requests {
        let what = format!(
            "{} {:?}",
            request.method(),
            request.headers().get("mcp-method")
        );
        let mut body = proxy.send(request).await.into_body();
        let mut alive = 0;
        while alive < 2 {
            let Poll::Ready(frame) = futures::poll!(body.frame()) else {
                tokio::time::pause();
                tokio::time::advance(Duration::from_secs(16)).await;
                tokio::time::resume();
                continue;
            };
            let bytes = frame.unwrap_or_else(|| panic!("{what} ended")).unwrap();
            let text = String::from_utf8(bytes.into_data().unwrap().to_vec()).unwrap();
            assert!(!text.contains("error"), "{what}: {text}");
            alive += usize::from(text.starts_with(':'));
        }
    }
}

#[tokio::test]
async fn changed_roots_are_told_in_the_clients_session_with_every_upstream() {
    let (a, b) = (
        Spec::legacy(&["x"]).start().await,
        Spec::legacy(&["y"]).start().await,
    );
    let proxy = over(&[&a, &b]).await;
    let sitting = proxy.open(json!({"roots": {"listChanged": true}})).await;
    let method = "notifications/roots/list_changed";
    let changed = json!({"jsonrpc": "2.0", "method": method});
    assert_eq!(sitting.say(&changed).await.status, 202);
    for server in [&a, &b] {
        let told = eventually("it is told", async || server.got(method).pop()).await;
        // The first session is that of the proxy itself.
        assert_eq!(told.header("mcp-session-id"), Some("session-1"));
    }
}
