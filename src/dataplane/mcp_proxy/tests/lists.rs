//! Lists of several upstreams, and lists in pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use agentkube_plan::NamePrefix;
use agentkube_testkit::{Gate, Reply, Upstream};
use serde_json::json;

use super::kit::{Tested, over, plan, serve, upstream};
use super::server::{Spec, ToolServer, event, response, tools};

#[tokio::test]
async fn lists_are_merged_with_prefixes_in_the_order_of_the_plan() {
    let (a, b) = (
        Spec::legacy(&["z", "m"]).start().await,
        Spec::modern(&["a"]).start().await,
    );
    let proxy = over(&[&a, &b]).await;
    assert_eq!(proxy.tool_names().await, ["a__m", "a__z", "b__a"]);
    let answer = proxy.legacy("tools/call", json!({"name": "b__a"})).await;
    assert_eq!(answer.result()["content"][0]["text"], "a ran");
    assert_eq!(
        proxy
            .legacy("tools/call", json!({"name": "a"}))
            .await
            .code(),
        -32602
    );
}

#[tokio::test]
async fn without_prefixes_the_first_upstream_wins() {
    let (a, b) = (
        Spec::legacy(&["x"]).start().await,
        Spec::legacy(&["x", "y"]).start().await,
    );
    let mut both = plan(vec![
        upstream("a", &a.endpoint()),
        upstream("b", &b.endpoint()),
    ]);
    both.tool_names.prefix = NamePrefix::Never;
    let proxy = serve(both).await;
    assert_eq!(proxy.tool_names().await, ["x", "y"]);
    proxy
        .legacy("tools/call", json!({"name": "x"}))
        .await
        .result();
    assert_eq!(
        (a.got("tools/call").len(), b.got("tools/call").len()),
        (1, 0)
    );
    let rows = proxy.proxy.status().digest().unwrap().upstreams;
    let said: Vec<_> = rows.iter().map(|row| row.message.as_deref()).collect();
    let hidden = "hidden by equal names of earlier upstreams: tools x";
    assert_eq!(said, [None, Some(hidden)]);
}

#[tokio::test]
async fn the_eras_of_an_upstream_are_reported() {
    let (a, b) = (
        Spec::legacy(&["x"]).start().await,
        Spec::modern(&["y"]).start().await,
    );
    let proxy = over(&[&a, &b]).await;
    let eras = || {
        let rows = proxy.proxy.status().digest().unwrap().upstreams;
        rows.into_iter().map(|row| row.era).collect::<Vec<_>>()
    };
    proxy.tool_names().await;
    assert_eq!(
        eras(),
        [Some("legacy".to_owned()), Some("modern".to_owned())]
    );
}

#[tokio::test]
async fn an_upstream_that_is_down_hides_only_its_own_tools() {
    let (a, b) = (
        Spec::legacy(&["x"]).start().await,
        Spec::legacy(&["y"]).start().await,
    );
    let proxy = over(&[&a, &b]).await;
    assert_eq!(proxy.tool_names().await, ["a__x", "b__y"]);
    b.upstream.stop().await;
    assert_eq!(proxy.tool_names().await, ["a__x"]);
    let rows = proxy.proxy.status().digest().unwrap().upstreams;
    assert_eq!(
        (rows[0].reachable, rows[1].reachable),
        (Some(true), Some(false))
    );
    assert!(
        rows[1]
            .message
            .as_deref()
            .unwrap()
            .contains("cannot connect"),
        "{rows:?}"
    );
}

#[tokio::test]
async fn no_list_is_not_an_empty_list() {
    let a = Spec::legacy(&["x"]).start().await;
    let proxy = over(&[&a]).await;
    a.upstream.stop().await;
    let answer = proxy.legacy("tools/list", json!({})).await;
    assert_eq!(answer.code(), -32603);
    assert!(answer.error_text().contains("upstream \"a\""), "{answer:?}");
}

#[tokio::test]
async fn every_page_is_read_also_behind_an_empty_cursor() {
    let names: Vec<String> = (10..40).map(|n| format!("t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // The cursor of the second page is the empty string.
    let cursors = |at: usize| {
        if at == 10 {
            String::new()
        } else {
            format!("c{at}")
        }
    };
    let server = Spec::legacy(&names).pages(10, cursors).start().await;
    let proxy = over(&[&server]).await;
    assert_eq!(proxy.tool_names().await, names);
    assert!(
        proxy
            .legacy("tools/list", json!({}))
            .await
            .result()
            .get("nextCursor")
            .is_none()
    );
}

#[tokio::test]
async fn a_cursor_that_repeats_is_an_error_and_no_endless_loop() {
    let server = Spec::legacy(&["a", "b", "c"])
        .pages(1, |_| "again".to_owned())
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let answer = proxy.legacy("tools/list", json!({})).await;
    assert!(answer.error_text().contains("cursor repeats"), "{answer:?}");
    let row = proxy.proxy.status().digest().unwrap().upstreams.remove(0);
    assert_eq!(row.reachable, Some(true), "it answers");
    assert!(row.message.unwrap().contains("cursor repeats"));
}

#[tokio::test]
async fn a_cursor_that_we_never_gave_is_refused() {
    let server = Spec::legacy(&["a"]).start().await;
    let answer = over(&[&server])
        .await
        .legacy("tools/list", json!({"cursor": ""}))
        .await;
    assert_eq!(answer.code(), -32602);
}

#[tokio::test]
async fn a_list_that_no_upstream_has_is_an_unknown_method() {
    let server = Spec::legacy(&["a"]).start().await;
    let proxy = over(&[&server]).await;
    assert_eq!(proxy.legacy("prompts/list", json!({})).await.code(), -32601);
    let answer = proxy.modern("prompts/list", json!({})).await;
    assert_eq!((answer.status, answer.code()), (404, -32601));
}

#[tokio::test]
async fn prompts_resources_and_completions_find_their_upstream() {
    let answer = |_: &agentkube_testkit::Request, request: &serde_json::Value| {
        Reply::json(
            200,
            &response(request, &json!({"params": request["params"]})),
        )
    };
    let a = Spec::legacy(&["x"])
        .list("prompts", "prompts", json!([{"name": "hello"}]))
        .list(
            "resources",
            "resources",
            json!([{"uri": "a://one", "name": "one"}]),
        )
        .on_call(answer)
        .start()
        .await;
    let b = Spec::legacy(&["y"])
        .list("resources", "resources", json!([]))
        .list(
            "resources",
            "resourceTemplates",
            json!([{"uriTemplate": "b://{id}/data", "name": "t"}]),
        )
        .on_call(answer)
        .start()
        .await;
    let proxy = over(&[&a, &b]).await;
    let prompts = proxy.legacy("prompts/list", json!({})).await;
    assert_eq!(prompts.names("prompts", "name"), ["a__hello"]);
    let got = proxy
        .legacy("prompts/get", json!({"name": "a__hello"}))
        .await
        .result();
    assert_eq!(got["params"]["name"], "hello");
    proxy
        .legacy("resources/read", json!({"uri": "a://one"}))
        .await
        .result();
    proxy
        .legacy("resources/read", json!({"uri": "b://7/data"}))
        .await
        .result();
    assert_eq!(
        (a.got("resources/read").len(), b.got("resources/read").len()),
        (1, 1)
    );
    let unknown = proxy
        .legacy("resources/read", json!({"uri": "c://1"}))
        .await;
    assert_eq!(unknown.code(), -32002);
    assert_eq!(
        proxy
            .modern("resources/read", json!({"uri": "c://1"}))
            .await
            .code(),
        -32602
    );
    let reference = json!({"ref": {"type": "ref/prompt", "name": "a__hello"}, "argument": {}});
    let completed = proxy
        .legacy("completion/complete", reference)
        .await
        .result();
    assert_eq!(
        completed["params"]["ref"],
        json!({"type": "ref/prompt", "name": "hello"})
    );
    let reference = json!({"ref": {"type": "ref/resource", "uri": "b://{id}/data"}});
    proxy
        .legacy("completion/complete", reference)
        .await
        .result();
    assert_eq!(b.got("completion/complete").len(), 1);
}

#[tokio::test]
async fn hints_of_modern_upstreams_are_merged_and_a_legacy_one_spoils_them() {
    let (a, b) = (
        Spec::modern(&["x"]).start().await,
        Spec::modern(&["y"]).start().await,
    );
    let result = over(&[&a, &b])
        .await
        .modern("tools/list", json!({}))
        .await
        .result();
    assert_eq!(
        (&result["ttlMs"], &result["cacheScope"]),
        (&json!(5000), &json!("public"))
    );
    let c = Spec::legacy(&["z"]).start().await;
    let result = over(&[&a, &c])
        .await
        .modern("tools/list", json!({}))
        .await
        .result();
    assert_eq!(
        (&result["ttlMs"], &result["cacheScope"]),
        (&json!(0), &json!("private"))
    );
}

#[tokio::test]
async fn one_bad_tool_does_not_take_the_list_with_it() {
    let tools = json!([{"title": "nameless"}, {"name": "good", "inputSchema": {}}, 7]);
    let server = Spec::legacy(&[]).tools(tools).start().await;
    assert_eq!(over(&[&server]).await.tool_names().await, ["good"]);
}

#[tokio::test]
async fn a_resource_whose_owner_was_never_read_is_not_asked_of_another() {
    let owns = |uri: &str| {
        let resources = json!([{"uri": uri, "name": "one"}]);
        Spec::legacy(&[]).list("resources", "resources", resources)
    };
    let any = json!([{"uriTemplate": "{+uri}", "name": "any"}]);
    let (a, b) = (
        owns("a://one").start().await,
        owns("b://one")
            .list("resources", "resourceTemplates", any)
            .start()
            .await,
    );
    let proxy = over(&[&a, &b]).await;
    a.upstream.stop().await;
    let read = async |uri: &str| proxy.legacy("resources/read", json!({"uri": uri})).await;
    let answer = read("a://one").await;
    assert!(answer.error_text().contains("upstream \"a\""), "{answer:?}");
    assert_eq!(b.got("resources/read").len(), 0);
}

#[tokio::test]
async fn an_upstream_that_is_down_does_not_hide_the_templates_of_another() {
    let one = json!([{"uri": "a://one", "name": "one"}]);
    let any = json!([{"uriTemplate": "b://{id}", "name": "any"}]);
    let a = Spec::legacy(&[])
        .list("resources", "resources", one)
        .start()
        .await;
    let b = Spec::legacy(&[])
        .list("resources", "resourceTemplates", any)
        .on_call(|_, request| Reply::json(200, &response(request, &json!({"contents": []}))));
    let b = b.start().await;
    let proxy = over(&[&a, &b]).await;
    let read = async || {
        proxy
            .legacy("resources/read", json!({"uri": "b://7"}))
            .await
    };
    read().await.result();
    a.upstream.stop().await;
    read().await.result();
}

/// Two servers with equal names, without prefixes; the first is broken while the switch
/// is on.
async fn with_equal_names(broken: bool) -> (Arc<AtomicBool>, Upstream, ToolServer, Tested) {
    let switch = Arc::new(AtomicBool::new(broken));
    let (script, _) = Spec::legacy(&["pay"]).script();
    let is_broken = Arc::clone(&switch);
    let first = Upstream::start(move |request| match is_broken.load(Ordering::SeqCst) {
        true => Reply::status(503),
        false => script(request),
    })
    .await;
    let second = Spec::legacy(&["pay", "play"]).start().await;
    let mut plan = plan(vec![
        upstream("a", &first.url("/mcp")),
        upstream("b", &second.endpoint()),
    ]);
    plan.tool_names.prefix = NamePrefix::Never;
    let proxy = serve(plan).await;
    (switch, first, second, proxy)
}

#[tokio::test]
async fn a_name_that_an_upstream_may_have_which_was_never_read_is_taken_by_no_other() {
    let (broken, first, second, proxy) = with_equal_names(true).await;
    let call = || proxy.legacy("tools/call", json!({"name": "pay"}));
    let refused = call().await;
    assert_eq!(refused.code(), -32603);
    assert!(refused.error_text().contains("\"a\""), "{refused:?}");
    assert!(second.got("tools/call").is_empty());
    broken.store(false, Ordering::SeqCst);
    // So long it is not asked again for a name.
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    tokio::time::resume();
    assert_eq!(call().await.result()["content"][0]["text"], "pay ran");
    assert!(second.got("tools/call").is_empty());
    let requests = first.requests();
    let called = requests
        .iter()
        .filter(|it| it.method == "POST" && it.json()["method"] == "tools/call");
    assert_eq!(called.count(), 1);
}

#[tokio::test]
async fn while_an_upstream_is_down_its_names_are_not_shown_as_those_of_another() {
    let (broken, _first, second, proxy) = with_equal_names(false).await;
    assert_eq!(proxy.tool_names().await, ["pay", "play"]);
    broken.store(true, Ordering::SeqCst);
    assert_eq!(proxy.tool_names().await, ["play"]);
    let call = proxy.legacy("tools/call", json!({"name": "pay"})).await;
    assert_eq!(call.code(), -32603);
    let call = proxy.legacy("tools/call", json!({"name": "play"})).await;
    assert_eq!(call.result()["content"][0]["text"], "play ran");
    assert_eq!(second.got("tools/call").len(), 1);
}

/// Lets time pass, but for what is under way meanwhile.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// A server whose list has three pages, each behind a gate while the switch is on.
async fn with_gates(gates: [Gate; 3], switch: Arc<AtomicBool>) -> Upstream {
    let (script, _) = Spec::legacy(&[]).script();
    Upstream::start(move |request| {
        if request.method != "POST" || request.json()["method"] != "tools/list" {
            return script(request);
        }
        let message = request.json();
        let cursor = message["params"]["cursor"].as_str();
        let page: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let mut result = json!({"tools": tools(&[["one", "two", "three"][page]])});
        if page < 2 {
            result["nextCursor"] = (page + 1).to_string().into();
        }
        let reply = match switch.load(Ordering::SeqCst) {
            true => Reply::sse().gate(&gates[page]),
            false => Reply::sse(),
        };
        reply.chunk(event(&response(&message, &result)))
    })
    .await
}

#[tokio::test]
async fn what_a_slow_upstream_may_have_got_since_is_not_unknown_and_goes_to_no_other() {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let is_slow = Arc::<AtomicBool>::default();
    let first = with_gates(gates.clone(), Arc::clone(&is_slow)).await;
    let second = Spec::legacy(&["play"]).start().await;
    let mut plan = plan(vec![
        upstream("a", &first.url("/mcp")),
        upstream("b", &second.endpoint()),
    ]);
    plan.tool_names.prefix = NamePrefix::Never;
    let proxy = serve(plan).await;
    assert_eq!(proxy.tool_names().await.len(), 4);
    second.add("new");
    is_slow.store(true, Ordering::SeqCst);
    // A list that was read a moment ago is not read again.
    pass(2).await;
    // No page takes too long, and all of them do.
    let pages = async {
        for (gate, seconds) in gates.iter().zip([9, 9, 3]) {
            gate.reached().await;
            pass(seconds).await;
            if seconds > 3 {
                gate.open();
            }
        }
    };
    let call = proxy.legacy("tools/call", json!({"name": "new"}));
    let (refused, ()) = tokio::join!(call, pages);
    let text = refused.error_text();
    assert!(text.starts_with("upstream \"a\""), "{refused:?}");
    assert!(second.got("tools/call").is_empty());
    // What was known before is called as before.
    let call = proxy.legacy("tools/call", json!({"name": "play"}));
    assert_eq!(call.await.result()["content"][0]["text"], "play ran");
    gates.iter().for_each(Gate::open);
}

#[tokio::test]
async fn the_pages_of_an_app_keep_their_uris_whatever_the_prefix() {
    let page = json!([{"uri": "ui://weather/page", "name": "page", "mimeType": "text/html"}]);
    let mut shows = super::server::tool("show");
    shows["_meta"] = json!({"ui": {"resourceUri": "ui://weather/page"}});
    let app = Spec::legacy(&[])
        .tools(json!([shows]))
        .list("resources", "resources", page.clone())
        .on_call(|_, request| {
            assert_eq!(request["params"]["uri"], "ui://weather/page");
            Reply::json(200, &response(request, &json!({"contents": []})))
        });
    let (other, app) = (Spec::legacy(&["x"]).start().await, app.start().await);
    let proxy = over(&[&other, &app]).await;
    let listed = proxy.legacy("tools/list", json!({})).await.result();
    assert_eq!(listed["tools"][1]["name"], "b__show");
    assert_eq!(listed["tools"][1]["_meta"], shows["_meta"]);
    let listed = proxy.legacy("resources/list", json!({})).await.result();
    assert_eq!(listed["resources"], page);
    let read = json!({"uri": "ui://weather/page"});
    proxy.legacy("resources/read", read).await.result();
    assert_eq!(app.got("resources/read").len(), 1);
}
