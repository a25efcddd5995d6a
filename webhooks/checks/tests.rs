//! Every check, as a table of one change to a good object and its verdict.

mod agent;
mod references;
mod stdio;

use serde_json::{Value, json};

use crate::lookup::FileIndex;
use crate::testing::{created, documented, gateway, lines, mcp, namespace, secret, set};

/// Changes to a good object, and what must be said about them: a path and a
/// piece of the message.
type Case<'a> = (&'a str, &'a [(&'a str, Value)], &'a str, &'a str);

fn changed(mut object: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        set(&mut object, pointer, value.clone());
    }
    object
}

fn index() -> FileIndex {
    let mut objects = documented();
    objects.push(secret("platform", "anthropic-key", &["api-key"]));
    FileIndex::from_objects(&objects)
}

fn tokens_from(url: &str) -> Value {
    json!({
        "mode": "oauth2", "secretRef": {"name": "id", "key": "secret"},
        "oauth2": {"tokenUrl": url, "clientId": "us"},
    })
}

fn grant(client: &str, tool: &str) -> Value {
    json!([{"clients": [client], "tools": [tool]}])
}

fn denies(good: &Value, cases: &[Case<'_>]) {
    for (name, changes, field, piece) in cases {
        let verdict = created(&changed(good.clone(), changes), &index());
        let found = verdict.errors.iter().find(|it| it.field == *field);
        let said = found.is_some_and(|it| it.to_string().contains(piece));
        assert!(said, "{name}: {:?}", lines(&verdict.errors));
        assert_eq!(
            verdict.errors.len(),
            1,
            "{name}: {:?}",
            lines(&verdict.errors)
        );
    }
}

fn warns(good: &Value, cases: &[Case<'_>]) {
    for (name, changes, field, piece) in cases {
        let verdict = created(&changed(good.clone(), changes), &index());
        assert!(verdict.is_allowed(), "{name}: {:?}", lines(&verdict.errors));
        let found = verdict.warnings.iter().find(|it| it.field == *field);
        let said = found.is_some_and(|it| it.to_string().contains(piece));
        assert!(said, "{name}: {:?}", lines(&verdict.warnings));
    }
}

#[test]
fn a_gateway_that_contradicts_itself_is_denied() {
    let upstream = json!({
        "name": "anthropic", "provider": "anthropic", "models": ["m"],
        "credentialsRef": {"name": "anthropic-key", "key": "api-key"},
    });
    denies(
        &gateway(),
        &[
            (
                "name",
                &[("/metadata/name", json!("Shared"))],
                "metadata.name",
                "Service",
            ),
            (
                "long name",
                &[("/metadata/name", json!("a".repeat(60)))],
                "metadata.name",
                "59 characters",
            ),
            (
                "two upstreams of a name",
                &[(
                    "/spec/upstreams",
                    json!([gateway()["spec"]["upstreams"][0], upstream]),
                )],
                "spec.upstreams[1].name",
                "already spec.upstreams[0].name",
            ),
            (
                "region of another provider",
                &[("/spec/upstreams/0/region", json!("us-east-1"))],
                "spec.upstreams[0].region",
                "bedrock",
            ),
            (
                "limit of zero",
                &[("/spec/rateLimit/requestsPerMinute", json!(0))],
                "spec.rateLimit.requestsPerMinute",
                "at least 1",
            ),
            (
                "vertex without its project",
                &[("/spec/upstreams/0/provider", json!("vertex"))],
                "spec.upstreams[0].project",
                "needs a project",
            ),
        ],
    );
}

#[test]
fn routing_to_what_is_not_served_is_denied_with_the_nearest_name() {
    denies(
        &gateway(),
        &[
            (
                "alias to nothing",
                &[(
                    "/spec/routing/modelMap",
                    json!([{"from": "x", "to": "claude-opus-4-8"}]),
                )],
                "spec.routing.modelMap[0].to",
                "did you mean \"claude-opus-4-7\"?",
            ),
            (
                "alias to an alias",
                &[(
                    "/spec/routing/modelMap",
                    json!([{"from": "a", "to": "claude-opus-4-7"}, {"from": "b", "to": "a"}]),
                )],
                "spec.routing.modelMap[1].to",
                "an alias itself; name a served model (did you mean \"claude-opus-4-7\"?)",
            ),
            (
                "alias twice",
                &[(
                    "/spec/routing/modelMap",
                    json!([
                        {"from": "a", "to": "claude-opus-4-7"},
                        {"from": "a", "to": "claude-sonnet-4-6"},
                    ]),
                )],
                "spec.routing.modelMap[1].from",
                "already mapped by spec.routing.modelMap[0]",
            ),
            (
                "default model",
                &[("/spec/routing/defaultModel", json!("opuss"))],
                "spec.routing.defaultModel",
                "did you mean \"opus\"?",
            ),
        ],
    );
}

#[test]
fn urls_that_leak_or_lead_astray_are_denied_and_never_repeated() {
    for (url, piece) in [
        ("ftp://host/", "http:// or https://"),
        ("host:8080", "http:// or https://"),
        ("http://ho st/", "whitespace"),
        ("http://user:hunter2@host/", "Secret"),
        ("http://host/#part", "fragment"),
        ("http://169.254.169.254/", "link-local"),
        ("http://[::ffff:a9fe:a9fe]/", "link-local"),
        ("http://metadata.google.internal/v1", "link-local"),
        ("http://localhost:8080/", "loopback"),
        ("https://[::1]/", "loopback"),
    ] {
        let bad = changed(mcp(), &[("/spec/upstreams/0/endpoint", json!(url))]);
        let verdict = created(&bad, &index());
        assert_eq!(
            verdict.errors.len(),
            1,
            "{url}: {:?}",
            lines(&verdict.errors)
        );
        let line = verdict.errors[0].to_string();
        assert!(
            line.starts_with("spec.upstreams[0].endpoint: ") && line.contains(piece),
            "{line}"
        );
        assert!(!line.contains("hunter2"));
    }
    for url in [
        "http://10.1.2.3/v1",
        "http://tools.team-a.svc:8080/mcp",
        "https://192.168.0.1",
    ] {
        let good = changed(mcp(), &[("/spec/upstreams/0/endpoint", json!(url))]);
        assert!(created(&good, &index()).is_allowed(), "{url}");
    }
}

#[test]
fn an_mcp_that_contradicts_itself_is_denied() {
    let up = "/spec/upstreams/0";
    let at = |field: &str| format!("{up}/{field}");
    denies(
        &mcp(),
        &[
            (
                "no endpoint",
                &[(&at("endpoint"), Value::Null)],
                "spec.upstreams[0].endpoint",
                "needs its endpoint",
            ),
            (
                "a mode without its Secret",
                &[(&at("auth"), json!({"mode": "bearer"}))],
                "spec.upstreams[0].auth.secretRef",
                "secretRef",
            ),
            (
                "a list that the mode does not name",
                &[(&at("tools"), json!({"mode": "all", "allow": ["a"]}))],
                "spec.upstreams[0].tools.allow",
                "not used",
            ),
            (
                "a wildcard that is none",
                &[(&at("tools/allow/0"), json!("create_?"))],
                "spec.upstreams[0].tools.allow[0]",
                "only '*'",
            ),
            (
                "a wildcard for clients that is none",
                &[("/spec/access", grant("team-?", "a"))],
                "spec.access[0].clients[0]",
                "only '*'",
            ),
            (
                "access for nobody or for everybody",
                &[("/spec/access", json!([]))],
                "spec.access",
                "must not be empty",
            ),
            (
                "a token of the node",
                &[(&at("auth"), tokens_from("http://169.254.169.254/token"))],
                "spec.upstreams[0].auth.oauth2.tokenUrl",
                "metadata addresses are refused",
            ),
            (
                "a token endpoint in the pod itself",
                &[(&at("auth"), tokens_from("http://localhost/token"))],
                "spec.upstreams[0].auth.oauth2.tokenUrl",
                "loopback is the pod itself",
            ),
        ],
    );
}

#[test]
fn what_is_odd_but_possible_is_only_said() {
    let second = json!({
        "name": "second", "provider": "anthropic", "models": ["claude-opus-4-7"],
        "credentialsRef": {"name": "anthropic-key", "key": "api-key"},
    });
    let first = gateway()["spec"]["upstreams"][0].clone();
    warns(
        &gateway(),
        &[
            (
                "equal shares",
                &[("/spec/upstreams", json!([first, second]))],
                "spec.upstreams[1].weight",
                "\"anthropic\" serves \"claude-opus-4-7\" at the same priority",
            ),
            (
                "shadowed alias",
                &[(
                    "/spec/routing/modelMap",
                    json!([
                        {"from": "op*", "to": "claude-opus-4-7"},
                        {"from": "opus", "to": "claude-opus-4-7"},
                    ]),
                )],
                "spec.routing.modelMap[1].from",
                "\"op*\" at spec.routing.modelMap[0] comes first",
            ),
            (
                "burst",
                &[("/spec/rateLimit/burst", json!(1000))],
                "spec.rateLimit.burst",
                "burst of 1000",
            ),
            (
                "one bucket",
                &[("/spec/auth/mode", json!("none"))],
                "spec.rateLimit.scope",
                "share one bucket",
            ),
            (
                "shared limits",
                &[("/spec/replicas", json!(3))],
                "spec.replicas",
                "1/3 of a limit",
            ),
            (
                "a model that is not listed",
                &[(
                    "/spec/upstreams/0/modelNames",
                    json!({"claude-opus-4-6": "x"}),
                )],
                "spec.upstreams[0].modelNames[claude-opus-4-6]",
                "does not list",
            ),
            (
                "an entry that is not there",
                &[("/spec/upstreams/0/credentialsRef/key", json!("api_key"))],
                "spec.upstreams[0].credentialsRef.key",
                "did you mean \"api-key\"?",
            ),
        ],
    );
    warns(
        &mcp(),
        &[
            (
                "a pattern that matches nothing",
                &[("/spec/upstreams/0/tools/allow", json!(["create issue"]))],
                "spec.upstreams[0].tools.allow[0]",
                "no legal tool name",
            ),
            (
                "a grant that nobody gets",
                &[
                    ("/spec/auth/mode", json!("none")),
                    ("/spec/access", grant("team-a/*", "a")),
                ],
                "spec.access[0].clients",
                "every client is \"anonymous\"",
            ),
        ],
    );
}

#[test]
fn a_weight_written_on_one_side_settles_the_shares() {
    let mut good = gateway();
    let mut second = good["spec"]["upstreams"][0].clone();
    second["name"] = json!("second");
    second["weight"] = json!(3);
    set(&mut good, "/spec/upstreams/0/weight", json!(1));
    good["spec"]["upstreams"]
        .as_array_mut()
        .unwrap()
        .push(second);
    let verdict = created(&good, &index());
    assert!(
        verdict
            .warnings
            .iter()
            .all(|it| !it.field.ends_with("weight"))
    );
}

#[test]
fn in_a_strict_namespace_a_missing_secret_denies() {
    let mut objects = documented();
    objects.push(namespace(
        "platform",
        json!({"agentkube.io/strict": "true"}),
        json!({}),
    ));
    let verdict = created(&gateway(), &FileIndex::from_objects(&objects));
    assert_eq!(
        lines(&verdict.errors),
        ["spec.upstreams[0].credentialsRef.name: \
          Secret \"platform/anthropic-key\" does not exist yet; the namespace's label \
          agentkube.io/strict denies that"]
    );
}

#[test]
fn an_object_of_the_cluster_asks_for_no_namespace() {
    let index = FileIndex::default();
    let recorder = crate::lookup::Recorder::new(&index);
    assert!(!super::is_strict("", &recorder));
    assert!(recorder.into_misses().is_empty());
}
