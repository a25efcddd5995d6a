//! Tools of other MCPs keep the names that those gave them.

use agentkube_plan::{NamePrefix, ProxyUpstream, Through, ToolFilter, ToolGrant, UpstreamKind};
use serde_json::json;

use super::kit::{plan, serve, upstream};
use super::server::{Spec, ToolServer};

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn level(prefix: Option<&str>, tools: ToolFilter) -> Through {
    Through {
        prefix: prefix.map(str::to_owned),
        max_length: 64,
        tools,
        client: "team-a/tools".to_owned(),
        access: Vec::new(),
    }
}

fn through(name: &str, server: &ToolServer, levels: Vec<Through>) -> ProxyUpstream {
    let mut upstream = upstream(name, &server.endpoint());
    upstream.through = Some(levels);
    upstream
}

#[tokio::test]
async fn a_tool_keeps_the_name_that_the_other_mcp_gave_it() {
    let (inner, own) = (
        Spec::legacy(&["echo", "add"]).start().await,
        Spec::modern(&["echo"]).start().await,
    );
    let levels = vec![
        level(Some("x"), ToolFilter::All),
        level(None, ToolFilter::All),
    ];
    let flat = through("b/c/x", &inner, levels);
    for prefix in [NamePrefix::Auto, NamePrefix::Always] {
        let mut plan = plan(vec![upstream("a", &own.endpoint()), flat.clone()]);
        plan.tool_names.prefix = prefix;
        let proxy = serve(plan).await;
        assert_eq!(proxy.tool_names().await, ["a__echo", "x__add", "x__echo"]);
        let call = json!({"name": "x__add"});
        proxy.legacy("tools/call", call.clone()).await.result();
        proxy.modern("tools/call", call).await.result();
    }
    let calls = inner.got("tools/call");
    assert_eq!(calls.len(), 4);
    let names: Vec<_> = calls
        .iter()
        .map(|it| it.json()["params"]["name"].clone())
        .collect();
    assert!(names.iter().all(|name| name == "add"), "{names:?}");
    assert!(own.got("tools/call").is_empty());
}

#[tokio::test]
async fn filters_and_access_of_every_level_apply_to_the_names_of_that_level() {
    let server = Spec::legacy(&["get_a", "get_b", "get_c", "put_a"])
        .start()
        .await;
    let mut inner = level(Some("x"), ToolFilter::Deny(list(&["x__get_b"])));
    inner.access = vec![
        ToolGrant {
            clients: list(&["team-a/*"]),
            tools: list(&["x__get_*"]),
        },
        ToolGrant {
            clients: list(&["team-b/*"]),
            tools: list(&["*"]),
        },
    ];
    let outer = level(
        None,
        ToolFilter::Allow(list(&["x__get_a", "get_*", "x__put_a"])),
    );
    let mut flat = through("b/x", &server, vec![inner, outer]);
    flat.tools = vec![ToolFilter::Deny(list(&["get_c"]))];
    let proxy = serve(plan(vec![flat])).await;
    assert_eq!(proxy.tool_names().await, ["x__get_a"]);
    let hidden = proxy
        .legacy("tools/call", json!({"name": "x__get_b"}))
        .await;
    let absent = proxy.legacy("tools/call", json!({"name": "x__nope"})).await;
    assert_eq!(hidden.text, absent.text.replace("nope", "get_b"));
    assert!(server.got("tools/call").is_empty());
    let report = proxy.proxy.status().digest().unwrap();
    assert_eq!(
        report.upstreams[0].unmatched_patterns,
        ["get_*", "x__put_a"],
        "only patterns of our own spec, over the names that reach us"
    );
}

#[tokio::test]
async fn a_reference_to_nothing_hides_only_its_own_tools() {
    let server = Spec::legacy(&["echo"]).start().await;
    let mut absent = upstream("b", "");
    absent.kind = UpstreamKind::Absent {
        reason: "MCP \"team-a/b\" does not exist".to_owned(),
    };
    absent.through = Some(Vec::new());
    let proxy = serve(plan(vec![
        upstream("a", &server.endpoint()),
        absent.clone(),
    ]))
    .await;
    assert_eq!(proxy.tool_names().await, ["a__echo"]);
    let report = proxy.proxy.status().digest().unwrap();
    let row = &report.upstreams[1];
    assert_eq!((row.reachable, row.credentials), (Some(false), false));
    assert!(row.message.as_deref().unwrap().contains("does not exist"));

    let alone = serve(plan(vec![absent])).await;
    let answer = alone.legacy("tools/list", json!({})).await;
    assert!(
        answer.text.contains("does not exist"),
        "an empty list would be a lie: {}",
        answer.text
    );
}
