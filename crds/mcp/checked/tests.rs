use std::time::Duration;

use agentkube_plan::{HttpTransport, OAuth2, SecretEntry, ToolFilter, UpstreamAuth, UpstreamKind};
use serde_json::json;

use super::super::upstream::{OWN_HEADER, OWN_HEADERS};
use super::*;
use crate::{check_cel, defaults};

fn mcp(spec: &Value) -> MCP {
    let raw = json!({
        "apiVersion": crate::API_VERSION,
        "kind": "MCP",
        "metadata": {"name": "github-tools", "namespace": "team-a"},
        "spec": spec,
    });
    let raw = defaults(Kind::MCP, &raw);
    assert_eq!(check_cel(Kind::MCP, &raw, None), []);
    MCP::read(&raw).unwrap()
}

#[test]
fn the_mcp_of_the_documentation_becomes_its_plan() {
    let checked = mcp(&json!({
        "port": 8080,
        "replicas": 2,
        "upstreams": [{
            "name": "github", "kind": "http", "endpoint": "https://mcp.github.com",
            "auth": {"mode": "bearer", "secretRef": {"name": "github-upstream-pat", "key": "token"}},
            "tools": {"mode": "allow", "allow": ["create_issue", "list_issues", "add_comment"]},
        }],
    }))
    .parse()
    .unwrap();
    assert_eq!((checked.port, checked.replicas), (8080, 2));
    let [CheckedUpstream::Server(upstream)] = checked.upstreams.as_slice() else {
        panic!("one upstream")
    };
    let plan = checked.plan(vec![upstream.clone()]);
    assert_eq!(
        upstream.kind,
        UpstreamKind::Http {
            endpoint: "https://mcp.github.com".to_owned(),
            transport: HttpTransport::Auto
        },
        "used as written"
    );
    let [ToolFilter::Allow(tools)] = upstream.tools.as_slice() else {
        panic!("one filter")
    };
    assert_eq!(tools.len(), 3);
    assert_eq!(upstream.timeouts.total, Duration::from_secs(600));
    assert_eq!(plan.limits.message_bytes, 16 << 20);
    assert_eq!(plan.auth, ClientAuth::Apikey);
    assert!(
        plan.hosts
            .contains(&"github-tools-mcp.team-a.svc".to_owned())
    );
    let entries: Vec<String> = upstream.auth.secrets().map(ToString::to_string).collect();
    assert_eq!(entries, [r#"Secret "github-upstream-pat", key "token""#]);
}

#[test]
fn hosts_are_compared_in_lower_case_and_said_once() {
    let checked = mcp(&json!({
        "upstreams": [{"name": "a", "kind": "http", "endpoint": "https://a"}],
        "hosts": ["Tools.Example.com.", "github-tools-mcp"],
    }))
    .parse()
    .unwrap();
    assert_eq!(checked.hosts.len(), 5);
    assert_eq!(checked.hosts[4], "tools.example.com");
}

fn auth(auth: &Value) -> UpstreamAuth {
    let upstream = json!({"name": "a", "kind": "http", "endpoint": "https://a", "auth": auth});
    let checked = mcp(&json!({ "upstreams": [upstream] })).parse().unwrap();
    match &checked.upstreams[0] {
        CheckedUpstream::Server(server) => server.auth.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_auth_mode_names_the_entries_that_it_reads() {
    let entry = |key: &str| SecretEntry {
        name: "s".to_owned(),
        key: key.to_owned(),
    };
    let header =
        json!({"mode": "header", "header": "X-Key", "secretRef": {"name": "s", "key": "k"}});
    assert_eq!(
        auth(&header),
        UpstreamAuth::Header {
            header: "X-Key".to_owned(),
            secret: entry("k")
        }
    );
    let oauth2 = json!({
        "mode": "oauth2", "secretRef": {"name": "s", "key": "k"},
        "oauth2": {"tokenUrl": "https://id/token", "clientId": "us", "scopes": ["a"]},
    });
    assert_eq!(
        auth(&oauth2),
        UpstreamAuth::Oauth2(OAuth2 {
            token_url: "https://id/token".to_owned(),
            client_id: "us".to_owned(),
            secret: entry("k"),
            scopes: vec!["a".to_owned()],
            audience: None
        })
    );
    let basic = json!({"mode": "basic", "secretRef": {"name": "s"}});
    let basic = auth(&basic);
    let read: Vec<_> = basic.secrets().cloned().collect();
    assert_eq!(read, [entry("username"), entry("password")]);
}

#[test]
fn a_header_that_the_proxy_sets_itself_carries_no_credential() {
    let own = OWN_HEADERS.iter().copied().chain(["MCP-Method", "Host"]);
    for header in own {
        let auth = json!({
            "mode": "header", "header": header, "secretRef": {"name": "s", "key": "k"},
        });
        let raw = json!({"apiVersion": crate::API_VERSION, "kind": "MCP", "metadata": {}, "spec": {
            "upstreams": [{"name": "a", "kind": "http", "endpoint": "https://a", "auth": auth}],
        }});
        let errors = check_cel(Kind::MCP, &raw, None);
        assert_eq!(errors.len(), 1, "{header}");
        assert_eq!(errors[0].message, OWN_HEADER);
        let raw = defaults(Kind::MCP, &raw);
        let errors = MCP::read(&raw).unwrap().parse().unwrap_err();
        assert_eq!(errors[0].field, "spec.upstreams[0].auth.header", "{header}");
    }
}

#[test]
fn each_transport_is_the_one_that_was_written() {
    for (written, transport) in [
        ("auto", HttpTransport::Auto),
        ("sse", HttpTransport::Sse),
        ("streamable-http", HttpTransport::StreamableHttp),
    ] {
        let checked = mcp(&json!({"upstreams": [
            {"name": "b", "kind": "http", "endpoint": "https://b", "transport": written},
        ]}))
        .parse()
        .unwrap();
        let [CheckedUpstream::Server(upstream)] = checked.upstreams.as_slice() else {
            panic!("one upstream")
        };
        let endpoint = "https://b".to_owned();
        assert_eq!(
            upstream.kind,
            UpstreamKind::Http {
                endpoint,
                transport
            },
            "{written}"
        );
    }
}

#[test]
fn a_program_is_started_with_its_arguments_and_its_environment() {
    let checked = mcp(
        &json!({"upstreams": [{"name": "a", "kind": "stdio", "stdio": {
            "command": ["npx", "server"], "args": ["/data"],
            "env": [
                {"name": "A", "value": "1"},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ],
        }}]}),
    )
    .parse()
    .unwrap();
    let [CheckedUpstream::Program { upstream, .. }] = checked.upstreams.as_slice() else {
        panic!("a program")
    };
    let UpstreamKind::Child { command, env } = &upstream.kind else {
        panic!("a child")
    };
    assert_eq!(command, &["npx", "server", "/data"]);
    assert_eq!(env.len(), 2);
    let read: Vec<String> = upstream.secrets().map(ToString::to_string).collect();
    assert_eq!(read, [r#"Secret "s", key "k""#]);
}
