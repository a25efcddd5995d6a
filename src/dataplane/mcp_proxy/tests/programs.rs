//! Upstreams that are programs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agentkube_plan::{ChildVariable, ProxyUpstream, SecretEntry, UpstreamKind};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::kit::{plan, serve, serve_with, upstream};
use super::server::Spec;
use crate::source::Secrets;
use crate::stdio::{Inherit, Launch, serve_program};

/// A legacy server of one tool, which answers with its process id and `$TOKEN`.
const SERVER: &str = r#"
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([^,}]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"tools/list"'*) result='{"tools":[{"name":"pid","inputSchema":{"type":"object"},"execution":{"taskSupport":"forbidden"}}]}' ;;
    *'"tools/call"'*) result="{\"content\":[],\"pid\":$$,\"token\":\"$TOKEN\"}" ;;
    *'"notifications/'*) continue ;;
    *) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id"; continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;

fn program(name: &str, command: &[&str]) -> ProxyUpstream {
    let mut upstream = upstream(name, "");
    upstream.kind = UpstreamKind::Child {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        env: Vec::new(),
    };
    upstream
}

fn token() -> SecretEntry {
    SecretEntry {
        name: "s".to_owned(),
        key: "token".to_owned(),
    }
}

fn with_token(mut upstream: ProxyUpstream) -> ProxyUpstream {
    let UpstreamKind::Child { env, .. } = &mut upstream.kind else {
        panic!("a child")
    };
    env.push(ChildVariable::Secret {
        name: "TOKEN".to_owned(),
        secret: token(),
        optional: false,
    });
    upstream
}

fn is_alive(pid: u64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

#[tokio::test]
async fn clients_of_both_eras_call_a_program_and_modern_ones_share_it() {
    let own = Spec::legacy(&["echo"]).start().await;
    let upstreams = vec![
        program("p", &["sh", "-c", SERVER]),
        upstream("a", &own.endpoint()),
    ];
    let proxy = serve(plan(upstreams)).await;
    assert_eq!(proxy.tool_names().await, ["p__pid", "a__echo"]);
    let list = proxy.modern("tools/list", json!({})).await;
    assert!(
        list.text
            .contains(r#""execution":{"taskSupport":"forbidden"}"#)
    );
    let mut pids = BTreeSet::new();
    for _ in 0..3 {
        let answer = proxy.modern("tools/call", json!({"name": "p__pid"})).await;
        pids.insert(answer.result()["pid"].as_u64().unwrap());
        let answer = proxy.legacy("tools/call", json!({"name": "p__pid"})).await;
        pids.insert(answer.result()["pid"].as_u64().unwrap());
    }
    assert_eq!(pids.len(), 1, "requests without a session share a child");
    proxy.programs.stopped().await;
    assert!(pids.into_iter().all(|pid| !is_alive(pid)));
}

#[tokio::test]
async fn a_program_that_cannot_start_hides_only_its_own_tools() {
    let own = Spec::legacy(&["echo"]).start().await;
    let upstreams = vec![program("p", &["/nowhere"]), upstream("a", &own.endpoint())];
    let proxy = serve(plan(upstreams)).await;
    assert_eq!(proxy.tool_names().await, ["a__echo"]);
    let report = proxy.proxy.status().digest().unwrap();
    let said = report.upstreams[0].message.clone().unwrap();
    assert!(said.contains("cannot start the program"), "{said}");
    assert_eq!(report.upstreams[0].reachable, Some(false));
    proxy.programs.stopped().await;
}

#[tokio::test]
async fn a_program_in_another_container_says_why_it_is_not_there() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("mcp.sock");
    let launch = Launch {
        name: "p".to_owned(),
        command: vec!["/nowhere".to_owned()],
        inherit: Inherit::All,
        env: BTreeMap::new(),
        message_bytes: 1024,
        idle: Duration::from_secs(60),
    };
    let stop = CancellationToken::new();
    let (socket, stopped) = (path.clone(), stop.clone());
    let shim = tokio::spawn(async move { serve_program(launch, &socket, stopped).await });
    while !path.exists() {
        tokio::task::yield_now().await;
    }
    let mut upstream = upstream("p", "");
    upstream.kind = UpstreamKind::Socket {
        path: path.to_str().unwrap().to_owned(),
    };
    let proxy = serve(plan(vec![upstream])).await;
    let answer = proxy.legacy("tools/call", json!({"name": "pid"})).await;
    let said = answer.error_text();
    assert!(
        said.contains("cannot start the program: No such file"),
        "{said}"
    );
    stop.cancel();
    shim.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_secret_of_its_environment_reaches_it_and_no_client() {
    let mut secrets = Secrets::new();
    secrets.insert(token(), "a-value-that-is-secret");
    let upstreams = vec![with_token(program("p", &["sh", "-c", SERVER]))];
    let proxy = serve_with(plan(upstreams.clone()), secrets).await;
    let answer = proxy.modern("tools/call", json!({"name": "pid"})).await;
    assert!(answer.text.contains("[redacted]"), "{}", answer.text);
    proxy.programs.stopped().await;

    let without = serve(plan(upstreams)).await;
    let answer = without.modern("tools/call", json!({"name": "pid"})).await;
    assert!(
        answer.text.contains(r#"key \"token\" is missing"#),
        "{}",
        answer.text
    );
    without.programs.stopped().await;
}

#[tokio::test]
async fn a_plan_without_a_program_stops_it() {
    let proxy = serve(plan(vec![program("p", &["sh", "-c", SERVER])])).await;
    let answer = proxy.modern("tools/call", json!({"name": "pid"})).await;
    let pid = answer.result()["pid"].as_u64().unwrap();
    let own = Spec::legacy(&["echo"]).start().await;
    let next = plan(vec![upstream("a", &own.endpoint())]);
    proxy
        .source
        .replace(next, &super::kit::clients(), Secrets::new())
        .unwrap();
    assert_eq!(proxy.tool_names().await, ["echo"]);
    while is_alive(pid) {
        tokio::task::yield_now().await;
    }
}
