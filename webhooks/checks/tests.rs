//! Every check, as a table of one change to a good object and its verdict.

use serde_json::{Value, json};

use crate::lookup::FileIndex;
use crate::testing::{
    created, documented, gateway, judged, lines, mcp, namespace, open_targets, secret, set,
};
use crate::{Install, Mode, Verdict};

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
            (
                "limit of zero",
                &[("/spec/rateLimit/requestsPerMinute", json!(0))],
                "spec.rateLimit.requestsPerMinute",
                "at least 1",
            ),
            (
                "provider of later",
                &[
                    ("/spec/upstreams/0/provider", json!("vertex")),
                    ("/spec/upstreams/0/project", json!("p")),
                ],
                "spec.upstreams[0].provider",
                "not supported yet",
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
                "pinning",
                &[("/spec/toolPinning", json!("block"))],
                "spec.toolPinning",
                "not supported yet",
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
        &[(
            "a pattern that matches nothing",
            &[("/spec/upstreams/0/tools/allow", json!(["create issue"]))],
            "spec.upstreams[0].tools.allow[0]",
            "no legal tool name",
        )],
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
          Secret \"platform/anthropic-key\" does not exist yet"]
    );
}

fn agent(spec: Value) -> Value {
    json!({
        "apiVersion": "agentkube.io/v1alpha1", "kind": "Agent",
        "metadata": {"name": "reviewer", "namespace": "team-a"}, "spec": spec,
    })
}

fn good_agent() -> Value {
    agent(json!({
        "runtime": "Custom", "image": "agent:1", "goal": {"inline": "review"},
        "llmGatewayRef": {"name": "shared-gateway", "namespace": "platform"},
        "mcpRefs": [{"name": "github-tools"}],
    }))
}

fn agent_verdict(changes: &[(&str, Value)]) -> Verdict {
    let index = FileIndex::from_objects(&open_targets());
    created(&changed(good_agent(), changes), &index)
}

#[test]
fn an_agent_with_everything_in_place_is_admitted() {
    let verdict = agent_verdict(&[]);
    assert_eq!(lines(&verdict.errors), [""; 0]);
    assert_eq!(lines(&verdict.warnings), [""; 0]);
}

#[test]
fn an_agent_is_held_to_what_its_runtime_and_gateway_can_do() {
    let token = json!({"env": "KEY", "secretRef": {"name": "s", "key": "k"}});
    let both = json!({"inline": "x", "configMapKeyRef": {"name": "c", "key": "k"}});
    for (changes, field, piece) in [
        (
            &[("/spec/model", json!({"name": "opuss"}))][..],
            "spec.model.name",
            "did you mean \"opus\"?",
        ),
        (
            &[("/spec/runtime", json!("Cursor"))],
            "spec.llmGatewayRef",
            "Cursor",
        ),
        (
            &[("/spec/runtime", json!("Aider"))],
            "spec.mcpRefs",
            "Aider",
        ),
        (
            &[("/spec/agentToken", token)],
            "spec.agentToken",
            "provider key",
        ),
        (
            &[("/spec/goal", both)],
            "spec.goal.configMapKeyRef",
            "not both",
        ),
        (
            &[
                ("/spec/mcpRefs/0/namespace", json!("team-a")),
                ("/spec/mcpRefs/1", json!(null)),
            ],
            "spec.mcpRefs[1]",
            "map",
        ),
    ] {
        let mut object = good_agent();
        if changes.len() == 2 {
            object["spec"]["mcpRefs"] = json!([{"name": "github-tools"}, null]);
        }
        let index = FileIndex::from_objects(&open_targets());
        let verdict = created(&changed(object, changes), &index);
        let found = verdict.errors.iter().find(|it| it.field == field);
        assert!(
            found.is_some_and(|it| it.to_string().contains(piece)),
            "{field}: {:?}",
            lines(&verdict.errors)
        );
    }
}

#[test]
fn an_alias_of_the_gateway_is_a_model_of_the_agent() {
    assert!(agent_verdict(&[("/spec/model", json!({"name": "sonnet"}))]).is_allowed());
}

#[test]
fn a_program_that_will_not_find_its_wiring_is_pointed_out() {
    let tools = agent_verdict(&[("/spec/runtime", json!("ClaudeCode"))]);
    let line = "spec.runtime: ClaudeCode's own configuration file is not written yet: \
                it does not find its MCPs";
    assert_eq!(lines(&tools.warnings), [line]);
    let model = agent_verdict(&[("/spec/runtime", json!("Codex"))]);
    assert!(lines(&model.warnings)[0].contains("does not find the gateway"));
}

#[test]
fn a_variable_that_the_wiring_would_set_is_kept_and_said() {
    let env = json!([{"name": "OPENAI_BASE_URL", "value": "http://x"}, {"name": "HOME"}]);
    let verdict = agent_verdict(&[("/spec/env", env)]);
    assert_eq!(
        lines(&verdict.warnings),
        [
            "spec.env[0].name: OPENAI_BASE_URL is kept as written, so it does not come from agentkube"
        ]
    );
}

#[test]
fn an_inline_provider_key_beside_a_gateway_is_only_said() {
    let verdict = agent_verdict(&[(
        "/spec/env",
        json!([{"name": "ANTHROPIC_API_KEY", "value": "sk"}]),
    )]);
    assert!(verdict.is_allowed(), "{:?}", lines(&verdict.errors));
    assert_eq!(verdict.warnings[0].field, "spec.env[0].name");
}

#[test]
fn a_reference_to_nothing_is_said_and_one_without_a_grant_is_denied() {
    let index = FileIndex::from_objects(&[mcp()]);
    let verdict = created(&good_agent(), &index);
    assert_eq!(
        lines(&verdict.warnings),
        ["spec.llmGatewayRef.name: LLMGateway \"platform/shared-gateway\" does not exist yet"]
    );

    let index = FileIndex::from_objects(&[gateway(), mcp()]);
    let verdict = created(&good_agent(), &index);
    assert_eq!(verdict.errors.len(), 1);
    let line = verdict.errors[0].to_string();
    assert!(line.starts_with("spec.llmGatewayRef: "), "{line}");
    assert!(
        line.contains("does not admit namespace \"team-a\""),
        "{line}"
    );
    assert!(
        line.contains("kubernetes.io/metadata.name: team-a"),
        "{line}"
    );
}

#[test]
fn a_selector_over_labels_that_no_file_names_is_only_said() {
    let mut by_tier = gateway();
    by_tier["spec"]["allowedNamespaces"] =
        json!({"from": "Selector", "selector": {"matchLabels": {"tier": "gold"}}});
    let mut objects = vec![by_tier, mcp()];
    let verdict = created(&good_agent(), &FileIndex::from_objects(&objects));
    assert!(verdict.is_allowed(), "{:?}", lines(&verdict.errors));
    assert_eq!(verdict.warnings[0].field, "spec.llmGatewayRef");

    objects.push(namespace("team-a", json!({"tier": "iron"}), json!({})));
    assert!(!created(&good_agent(), &FileIndex::from_objects(&objects)).is_allowed());
    objects.pop();
    objects.push(namespace("team-a", json!({"tier": "gold"}), json!({})));
    let verdict = created(&good_agent(), &FileIndex::from_objects(&objects));
    assert_eq!(lines(&verdict.warnings), [""; 0]);
}

#[test]
fn an_image_of_the_installation_is_enough_and_lint_cannot_know_it() {
    let bare = changed(
        good_agent(),
        &[
            ("/spec/image", Value::Null),
            ("/spec/runtime", json!("ClaudeCode")),
        ],
    );
    let index = FileIndex::from_objects(&open_targets());
    let request = crate::Admit {
        kind: agentkube_crds::Kind::Agent,
        namespace: "team-a",
        new: &bare,
        old: None,
        subresource: None,
    };
    let mut install = Install::of(Mode::Cluster);
    install.runtime_images = Some(["ClaudeCode".to_owned()].into());
    let verdict = crate::admit(&request, &index, &install);
    assert!(verdict.is_allowed(), "{:?}", lines(&verdict.errors));
    assert!(verdict.warnings.iter().all(|it| it.field != "spec.image"));

    install.runtime_images = Some([].into());
    let verdict = crate::admit(&request, &index, &install);
    assert!(lines(&verdict.errors)[0].contains("runtimes.ClaudeCode.image"));

    let verdict = judged(&bare, None, &index, Mode::Cluster);
    assert!(verdict.is_allowed(), "{:?}", lines(&verdict.errors));
    assert!(verdict.warnings.iter().any(|it| it.field == "spec.image"));
}
