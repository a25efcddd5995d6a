//! What becomes of `mcpRef`.

use serde_json::Value;

use super::*;
use crate::clients::secret_name;
use agentkube_crds::{Kind, defaults};
use agentkube_webhooks::TargetRef;

fn object(namespace: &str, name: &str, spec: Value) -> Value {
    let object = json!({
        "apiVersion": "agentkube.io/v1alpha1", "kind": "MCP",
        "metadata": { "name": name, "namespace": namespace }, "spec": spec,
    });
    defaults(Kind::MCP, &object)
}

fn server(name: &str) -> Value {
    json!({ "name": name, "kind": "http", "endpoint": format!("http://{name}/mcp") })
}

fn reference(name: &str, target: Value) -> Value {
    json!({ "name": name, "kind": "mcpRef", "mcpRef": target })
}

fn resolved(objects: &[Value], hops: Hops) -> Resolution<ProxyPlan> {
    let index = FileIndex::from_objects(objects);
    let first = MCP::read(&objects[0]).unwrap().parse().unwrap();
    mcp(&first, &index, hops)
}

fn names(plan: &ProxyPlan) -> Vec<&str> {
    plan.upstreams.iter().map(|it| it.name.as_str()).collect()
}

fn kinds(resolution: &Resolution<ProxyPlan>) -> Vec<&str> {
    resolution.missing.iter().map(MissingRef::reason).collect()
}

#[test]
fn an_mcp_of_the_same_namespace_is_flattened_with_its_filters_and_secrets() {
    let mut x = server("x");
    x["auth"] = json!({ "mode": "bearer", "secretRef": { "name": "x-token", "key": "token" } });
    x["tools"] = json!({ "mode": "deny", "deny": ["drop_*"] });
    x["timeouts"] = json!({ "idle": "30s", "total": "1h" });
    let mut to_b = reference("b", json!({ "name": "b" }));
    to_b["tools"] = json!({ "mode": "allow", "allow": ["x__*"] });
    let access = json!([{ "clients": ["team-a/a"], "tools": ["x__get"] }]);
    let resolution = resolved(
        &[
            object("team-a", "a", json!({ "upstreams": [server("own"), to_b] })),
            object(
                "team-a",
                "b",
                json!({ "upstreams": [x, server("y")], "access": access,
                    "toolNames": { "maxLength": 40 } }),
            ),
        ],
        Hops::Keyed,
    );
    let plan = &resolution.plan;
    assert_eq!(names(plan), ["own", "b/x", "b/y"]);
    let [own, x, y] = plan.upstreams.as_slice() else {
        panic!("three upstreams")
    };
    assert_eq!(own.through, None);
    let [level] = x.through.as_deref().unwrap() else {
        panic!("one level")
    };
    assert_eq!((level.prefix.as_deref(), level.max_length), (Some("x"), 40));
    assert_eq!(level.client, "team-a/a");
    assert_eq!(level.access.len(), 1);
    assert_eq!(
        level.tools,
        agentkube_plan::ToolFilter::Allow(vec!["x__*".to_owned()])
    );
    assert_eq!(
        x.tools,
        [agentkube_plan::ToolFilter::Deny(vec!["drop_*".to_owned()])]
    );
    assert_eq!(
        (x.timeouts.idle.as_secs(), x.timeouts.total.as_secs()),
        (30, 600)
    );
    assert_eq!(
        y.through.as_deref().unwrap()[0].prefix.as_deref(),
        Some("y")
    );
    let mounted = resolution.secrets.iter().any(|it| it.name == "x-token");
    assert!(mounted, "its Secrets are mounted here too");
    assert_eq!(kinds(&resolution), ["SecretNotFound"]);
    assert_eq!(resolution.missing[0].upstream, "b/x");
}

#[test]
fn one_of_another_namespace_is_called_with_a_key_of_our_own() {
    let objects = [
        object(
            "team-a",
            "a",
            json!({ "upstreams": [reference("b", json!({ "name": "b", "namespace": "team-b" }))] }),
        ),
        object(
            "team-b",
            "b",
            json!({ "port": 9000, "upstreams": [server("x")], "allowedNamespaces": { "from": "All" } }),
        ),
    ];
    let resolution = resolved(&objects, Hops::Keyed);
    let [hop] = resolution.plan.upstreams.as_slice() else {
        panic!("one upstream")
    };
    let target = TargetRef {
        kind: Kind::MCP,
        namespace: "team-b".to_owned(),
        name: "b".to_owned(),
    };
    let key = secret_name("team-a/a", &target);
    assert_eq!(hop.through, Some(vec![]));
    assert!(format!("{:?}", hop.kind).contains("http://b-mcp.team-b.svc:9000/mcp"));
    assert!(
        resolution
            .secrets
            .iter()
            .any(|it| it.name == key && it.key == "api-key")
    );
    assert_eq!(
        kinds(&resolution),
        ["SecretNotFound"],
        "until the key is there"
    );

    let flat = resolved(&objects, Hops::Flattened);
    assert_eq!(names(&flat.plan), ["b/x"]);
}

#[test]
fn in_one_process_a_secret_is_found_in_the_namespace_of_its_mcp() {
    let mut x = server("x");
    x["auth"] = json!({ "mode": "bearer", "secretRef": { "name": "token", "key": "token" } });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "token", "namespace": "team-b" }, "data": { "token": "eA==" },
    });
    let objects = [
        object(
            "team-a",
            "a",
            json!({ "upstreams": [reference("b", json!({ "name": "b", "namespace": "team-b" }))] }),
        ),
        object(
            "team-b",
            "b",
            json!({ "upstreams": [x], "allowedNamespaces": { "from": "All" } }),
        ),
        secret,
    ];
    let flat = resolved(&objects, Hops::Flattened);
    assert!(flat.missing.is_empty());
    assert!(flat.secrets.iter().any(|it| it.name == "team-b/token"));
}

#[test]
fn what_cannot_be_followed_is_reported_and_leaves_the_rest() {
    let elsewhere = json!({ "name": "b", "namespace": "team-b" });
    let a = |target: Value| {
        object(
            "team-a",
            "a",
            json!({ "upstreams": [server("own"), reference("b", target)] }),
        )
    };
    let cases = [
        (vec![a(elsewhere.clone())], "MCPNotFound"),
        (
            vec![
                a(elsewhere),
                object("team-b", "b", json!({ "upstreams": [server("x")] })),
            ],
            "NotAdmitted",
        ),
        (
            vec![
                a(json!({ "name": "b" })),
                object(
                    "team-a",
                    "b",
                    json!({ "upstreams": [reference("c", json!({ "name": "c" }))] }),
                ),
                object(
                    "team-a",
                    "c",
                    json!({ "upstreams": [server("z"), reference("a", json!({ "name": "a" }))] }),
                ),
            ],
            "ReferenceCycle",
        ),
    ];
    for (objects, reason) in cases {
        let resolution = resolved(&objects, Hops::Keyed);
        assert_eq!(kinds(&resolution), [reason]);
        assert_eq!(names(&resolution.plan), ["own", "b"]);
        let said = serde_json::to_string(&resolution.plan.upstreams[1].kind).unwrap();
        assert!(said.contains("absent"), "{said}");
    }
}

#[test]
fn a_ring_further_on_costs_only_what_lies_behind_it() {
    let resolution = resolved(
        &[
            object(
                "team-a",
                "a",
                json!({ "upstreams": [reference("b", json!({ "name": "b" }))] }),
            ),
            object(
                "team-a",
                "b",
                json!({ "upstreams": [server("x"), reference("c", json!({ "name": "c" }))] }),
            ),
            object(
                "team-a",
                "c",
                json!({ "upstreams": [server("y"), reference("b", json!({ "name": "b" }))] }),
            ),
        ],
        Hops::Keyed,
    );
    assert_eq!(names(&resolution.plan), ["b/x", "b/c"]);
    assert_eq!(kinds(&resolution), ["ReferenceCycle"]);
    let said = resolution.missing[0].to_string();
    assert!(said.contains("team-a/b → team-a/c → team-a/b"), "{said}");
}

#[test]
fn references_that_multiply_end_before_memory_does() {
    let all = |upstream: &dyn Fn(usize) -> Value| (0..64).map(upstream).collect::<Vec<_>>();
    let named = |n: usize| {
        let next = format!("m{}", n + 1);
        all(&|i| reference(&format!("r{i}"), json!({ "name": next })))
    };
    let mut objects: Vec<Value> = (0..6)
        .map(|n| object("team-a", &format!("m{n}"), json!({ "upstreams": named(n) })))
        .collect();
    let servers = all(&|i| server(&format!("s{i}")));
    objects.push(object("team-a", "m6", json!({ "upstreams": servers })));
    let resolution = resolved(&objects, Hops::Keyed);
    assert!(
        resolution.plan.upstreams.len() < 1024,
        "{}",
        resolution.plan.upstreams.len()
    );
    assert!(kinds(&resolution).contains(&"TooManyUpstreams"));
}

#[test]
fn a_program_gets_a_container_in_a_cluster_and_is_a_child_elsewhere() {
    let stdio = json!({
        "name": "files", "kind": "stdio",
        "stdio": {
            "image": "files:1", "command": ["server"],
            "env": [
                { "name": "A", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } },
                { "name": "B", "valueFrom": { "secretKeyRef": { "name": "t", "key": "k", "optional": true } } },
            ],
        },
    });
    let mut bare = stdio.clone();
    bare["name"] = json!("bare");
    bare["stdio"].as_object_mut().unwrap().remove("image");
    let objects = [
        object(
            "team-a",
            "a",
            json!({ "upstreams": [reference("b", json!({ "name": "b" }))] }),
        ),
        object("team-a", "b", json!({ "upstreams": [stdio, bare] })),
    ];
    let cluster = resolved(&objects, Hops::Keyed);
    let [program] = cluster.programs.as_slice() else {
        panic!("one program")
    };
    assert_eq!(program.upstream, "b/files");
    assert!(program.container().starts_with("stdio-b-files-"));
    let kinds: Vec<_> = cluster.plan.upstreams.iter().map(|it| &it.kind).collect();
    let socket = agentkube_plan::UpstreamKind::Socket {
        path: program.socket(),
    };
    assert_eq!(*kinds[0], socket);
    assert!(format!("{:?}", kinds[1]).contains("needs an image"));
    let mounted = cluster.secrets.iter().any(|it| it.name == "s");
    assert!(!mounted, "its container reads them, the proxy does not");
    let missing: Vec<_> = cluster
        .missing
        .iter()
        .map(|it| (it.upstream.as_str(), it.by_plane))
        .collect();
    assert_eq!(
        missing,
        [("b/files", false)],
        "an optional one is not missed"
    );

    let here = resolved(&objects, Hops::Flattened);
    assert!(here.programs.is_empty());
    assert!(here.secrets.iter().any(|it| it.name == "s"));
}

#[test]
fn the_breakers_of_both_mcps_hold() {
    let mut x = server("x");
    x["breaker"] = json!({ "failures": 9, "window": "60s", "cooldown": "5s" });
    let mut to_b = reference("b", json!({ "name": "b" }));
    to_b["breaker"] = json!({ "failures": 3, "window": "10s", "cooldown": "20s" });
    let objects = [
        object("team-a", "a", json!({ "upstreams": [to_b] })),
        object("team-a", "b", json!({ "upstreams": [x] })),
    ];
    let resolution = resolved(&objects, Hops::Keyed);
    let breaker = resolution.plan.upstreams[0].breaker;
    let seconds = (breaker.window.as_secs(), breaker.cooldown.as_secs());
    assert_eq!((breaker.failures, seconds), (3, (60, 20)));
}

#[test]
fn pins_that_find_no_room_in_the_plan_block_and_are_told_of() {
    let digest = agentkube_plan::ToolDigest::of("{}").to_string();
    let pins: Vec<Value> = (0..3000)
        .map(|at| json!({ "tool": format!("{at:0>60}"), "digest": digest }))
        .collect();
    let mut objects = vec![object(
        "team-a",
        "a",
        json!({ "upstreams": [
            reference("b", json!({ "name": "b" })), reference("c", json!({ "name": "c" })),
        ] }),
    )];
    for name in ["b", "c"] {
        let spec = json!({ "upstreams": [server("x")], "toolPinning": "block" });
        let mut other = object("team-a", name, spec);
        other["status"] = json!({ "upstreams": [{ "name": "x", "pins": pins }] });
        objects.push(other);
    }
    let resolution = resolved(&objects, Hops::Keyed);
    let sets: Vec<_> = resolution
        .plan
        .upstreams
        .iter()
        .map(|it| &it.pins[0])
        .collect();
    assert_eq!(sets[0].tools.len(), 3000);
    assert!(
        sets[1].tools.is_empty() && sets[1].seen,
        "blocked, not unseen"
    );
    let missing: Vec<_> = resolution.missing.iter().map(MissingRef::reason).collect();
    assert_eq!(missing, ["TooManyPins"]);
    assert!(serde_json::to_string(&resolution.plan).unwrap().len() < 1024 * 1024);
}

#[test]
fn pins_of_both_mcps_go_along() {
    let digest = agentkube_plan::ToolDigest::of("{}").to_string();
    let pinned = |namespace: &str, name: &str, spec: Value, rows: Value| {
        let mut object = object(namespace, name, spec);
        object["status"] = json!({ "upstreams": rows });
        object
    };
    let pin = |from: Option<&str>| match from {
        Some(from) => json!({ "tool": "t", "from": from, "digest": digest }),
        None => json!({ "tool": "t", "digest": digest }),
    };
    let resolution = resolved(
        &[
            pinned(
                "team-a",
                "a",
                json!({ "upstreams": [reference("b", json!({ "name": "b" }))], "toolPinning": "warn" }),
                json!([{ "name": "b", "pins": [pin(Some("x"))] }]),
            ),
            pinned(
                "team-a",
                "b",
                json!({ "upstreams": [server("x")], "toolPinning": "block" }),
                json!([{ "name": "x", "pins": [pin(None)] }]),
            ),
        ],
        Hops::Keyed,
    );
    let [x] = resolution.plan.upstreams.as_slice() else {
        panic!("one upstream")
    };
    let [inner, own] = x.pins.as_slice() else {
        panic!("two sets: {:?}", x.pins)
    };
    assert_eq!(inner.by.as_ref().unwrap().name, "b");
    assert_eq!(inner.mode, agentkube_plan::PinMode::Block);
    assert_eq!((&own.by, own.mode), (&None, agentkube_plan::PinMode::Warn));
    assert!(inner.tools.contains_key("t") && own.tools.contains_key("t"));
}
