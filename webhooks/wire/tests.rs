//! What a Pod is given, and what is left alone.

use agentkube_crds::Kind;
use agentkube_crds::agent::AgentRuntime;
use serde_json::json;

use super::*;
use crate::lookup::FileIndex;
use crate::testing::{gateway, lines, mcp, namespace, open_targets, secret, set};

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "generateName": "reviewer-",
            "labels": {"agentkube.io/wire": "true"},
            "annotations": {
                "agentkube.io/llm-gateway": "platform/shared-gateway",
                "agentkube.io/mcp": "github-tools",
            },
        },
        "spec": {
            "serviceAccountName": "reviewer",
            "initContainers": [{"name": "prepare", "image": "busybox"}],
            "containers": [{
                "name": "main", "image": "agent", "env": [{"name": "HOME", "value": "/home/agent"}],
            }],
        },
    })
}

fn wired(pod: &Value, objects: &[Value]) -> Wired {
    let request = WireRequest {
        namespace: "team-a",
        pod,
        wants: Wants::Annotated,
        missing: Missing::Denied,
    };
    wire(&request, &FileIndex::from_objects(objects))
}

fn env_of(pod: &Value, container: usize) -> Vec<(&str, &Value)> {
    let env = pod["spec"]["containers"][container]["env"]
        .as_array()
        .unwrap();
    env.iter()
        .map(|item| (item["name"].as_str().unwrap(), item))
        .collect()
}

#[test]
fn a_pod_gets_its_environment_its_file_and_its_marks() {
    let wired = wired(&pod(), &open_targets());
    assert_eq!(lines(&wired.errors), [""; 0]);
    assert_eq!(lines(&wired.warnings), [""; 0]);
    insta::assert_json_snapshot!("wired_pod", wired.pod);
}

#[test]
fn wiring_a_wired_pod_changes_nothing() {
    let once = wired(&pod(), &open_targets());
    let twice = wired(&once.pod, &open_targets());
    assert_eq!(once.pod, twice.pod);
    assert_eq!(lines(&twice.warnings), [""; 0]);
    assert_eq!(once.wiring.unwrap().hash(), twice.wiring.unwrap().hash());
}

#[test]
fn what_the_user_set_is_kept_and_said() {
    let mut own = pod();
    set(
        &mut own,
        "/spec/containers/0/env",
        json!([{"name": "OPENAI_BASE_URL", "value": "https://elsewhere"}]),
    );
    set(
        &mut own,
        "/spec/containers/0/volumeMounts",
        json!([{"name": "mine", "mountPath": "/etc/agentkube/"}]),
    );
    let wired = wired(&own, &open_targets());
    assert_eq!(
        wired.pod["spec"]["containers"][0]["env"][0]["value"],
        "https://elsewhere"
    );
    assert_eq!(
        wired.pod["spec"]["containers"][0]["volumeMounts"],
        json!([{"name": "mine", "mountPath": "/etc/agentkube/"}])
    );
    assert_eq!(
        lines(&wired.warnings),
        [
            "spec.containers[0].env[0]: OPENAI_BASE_URL is kept as written, so it does not come \
             from agentkube",
            "spec.containers[0].env: OPENAI_API_KEY is not given: its URL is kept as written, and \
             our key must not go there",
            "spec.containers[0].volumeMounts[0]: is kept, so mcp.json is not at /etc/agentkube \
             in this container",
        ]
    );
}

#[test]
fn our_key_never_goes_to_a_url_of_the_users_own() {
    let mut own = pod();
    set(
        &mut own,
        "/spec/containers/0/env",
        json!([
            {"name": "OPENAI_API_BASE", "value": "https://elsewhere/v1"},
            {"name": "OPENAI_API_KEY", "value": "sk-theirs"},
            {"name": "ANTHROPIC_BASE_URL", "value": "https://elsewhere"},
        ]),
    );
    let once = wired(&own, &open_targets());
    let given: Vec<&str> = env_of(&once.pod, 0).iter().map(|(name, _)| *name).collect();
    for key in ["OPENAI_API_KEY", "ANTHROPIC_AUTH_TOKEN"] {
        assert!(!given.contains(&key), "{given:?}");
    }
    assert!(given.contains(&"AGENTKUBE_LLM_URL"));
    let twice = wired(&once.pod, &open_targets());
    assert_eq!(once.pod, twice.pod);
}

#[test]
fn no_provider_key_stays_beside_a_gateway() {
    let mut own = pod();
    set(
        &mut own,
        "/spec/containers/0/env",
        json!([
            {"name": "ANTHROPIC_API_KEY", "value": "sk-ant"},
            {"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "AWS_ACCESS_KEY_ID", "value": "left alone"},
        ]),
    );
    let wired = wired(&own, &open_targets());
    let env = env_of(&wired.pod, 0);
    assert!(env.iter().all(|(name, _)| *name != "ANTHROPIC_API_KEY"));
    assert!(env.iter().any(|(name, _)| *name == "AWS_ACCESS_KEY_ID"));
    let mut patched = own.clone();
    json_patch::patch(&mut patched, &json_patch::diff(&own, &wired.pod)).unwrap();
    assert_eq!(
        patched, wired.pod,
        "the patch that is sent makes the same Pod"
    );
    let key = env
        .iter()
        .find(|(name, _)| *name == "OPENAI_API_KEY")
        .unwrap()
        .1;
    assert_eq!(key["valueFrom"]["secretKeyRef"]["key"], "api-key");
    assert_eq!(
        lines(&wired.warnings),
        [
            "spec.containers[0].env[1]: OPENAI_API_KEY is replaced by the key for the gateway",
            "spec.containers[0].env[0]: ANTHROPIC_API_KEY is removed: it would bypass the gateway",
        ]
    );
}

#[test]
fn without_a_gateway_provider_keys_are_left_alone() {
    let mut own = pod();
    own["metadata"]["annotations"]["agentkube.io/llm-gateway"] = json!("");
    set(
        &mut own,
        "/spec/containers/0/env",
        json!([{"name": "ANTHROPIC_API_KEY", "value": "k"}]),
    );
    let wired = wired(&own, &open_targets());
    assert_eq!(lines(&wired.warnings), [""; 0]);
    let names: Vec<&str> = env_of(&wired.pod, 0)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "ANTHROPIC_API_KEY",
            "AGENTKUBE_MCP_GITHUB_TOOLS_URL",
            "AGENTKUBE_MCP_GITHUB_TOOLS_KEY",
            "AGENTKUBE_MCP_CONFIG",
        ]
    );
}

#[test]
fn a_key_imported_from_a_secret_is_pointed_at() {
    let mut own = pod();
    set(
        &mut own,
        "/spec/containers/0/envFrom",
        json!([{"secretRef": {"name": "all"}}]),
    );
    let mut objects = open_targets().to_vec();
    objects.push(secret(
        "team-a",
        "all",
        &["ANTHROPIC_API_KEY", "OPENAI_API_KEY"],
    ));
    let wired = wired(&own, &objects);
    assert_eq!(
        lines(&wired.warnings),
        [
            "spec.containers[0].envFrom[0]: ANTHROPIC_API_KEY of this Secret lets the container \
          bypass the gateway"
        ]
    );
}

#[test]
fn a_target_without_client_auth_needs_no_key() {
    let mut objects = open_targets();
    for object in &mut objects {
        object["spec"]["auth"] = json!({"mode": "none"});
    }
    let wired = wired(&pod(), &objects);
    let env = env_of(&wired.pod, 0);
    let text = |name: &str| {
        env.iter()
            .find(|(it, _)| *it == name)
            .map(|(_, item)| item["value"].clone())
    };
    assert_eq!(text("OPENAI_API_KEY"), Some(json!("agentkube")));
    assert_eq!(text("ANTHROPIC_AUTH_TOKEN"), Some(json!("agentkube")));
    assert_eq!(text("AGENTKUBE_MCP_GITHUB_TOOLS_KEY"), None);
    let wiring = wired.wiring.unwrap();
    assert!(!wiring.mcp_json.as_ref().unwrap().contains("Authorization"));
    assert_eq!(wiring.key_secrets(), []);
}

#[test]
fn what_the_pod_leaves_open_comes_from_its_namespace() {
    let mut own = pod();
    own["metadata"]["annotations"] = json!({"agentkube.io/mcp": "github-tools"});
    let mut objects = open_targets().to_vec();
    let annotations = json!({
        "agentkube.io/llm-gateway": "platform/shared-gateway", "agentkube.io/mcp": "other",
    });
    objects.push(namespace("team-a", json!({}), annotations));
    let wiring = wired(&own, &objects).wiring.unwrap();
    assert_eq!(
        wiring.wired_by(),
        "llmgateway platform/shared-gateway, mcp team-a/github-tools"
    );
    assert_eq!(wiring.client, "team-a/reviewer");
}

#[test]
fn a_pod_that_cannot_be_wired_is_denied_and_not_touched() {
    let closed = [gateway(), mcp()];
    let mut twice = open_targets().to_vec();
    let mut other = mcp();
    other["metadata"]["namespace"] = json!("team-b");
    other["spec"]["allowedNamespaces"] = json!({"from": "All"});
    twice.push(other);
    let llm = "metadata.annotations[agentkube.io/llm-gateway]";
    let tools = "metadata.annotations[agentkube.io/mcp]";
    let annotated =
        |llm: &str, mcp: &str| json!({"agentkube.io/llm-gateway": llm, "agentkube.io/mcp": mcp});
    let usual = annotated("platform/shared-gateway", "github-tools");
    for (annotations, objects, field, piece) in [
        (
            json!({}),
            &open_targets()[..],
            "metadata.annotations",
            "says to what",
        ),
        (
            json!({"agentkube.io/mcp": " , "}),
            &open_targets()[..],
            "metadata.annotations",
            "says to what",
        ),
        (usual.clone(), &[][..], llm, "does not exist"),
        (
            usual.clone(),
            &closed[..],
            llm,
            "does not admit namespace \"team-a\"",
        ),
        (
            annotated("a/b/c", ""),
            &open_targets()[..],
            llm,
            "[namespace/]name",
        ),
        (
            annotated("a,b", ""),
            &open_targets()[..],
            llm,
            "one gateway",
        ),
        (
            annotated("", "github-tools,team-b/github-tools"),
            &twice[..],
            tools,
            "the same variables",
        ),
    ] {
        let mut own = pod();
        own["metadata"]["annotations"] = annotations;
        let wired = wired(&own, objects);
        assert!(wired.wiring.is_none());
        assert_eq!(wired.pod, own);
        let found = wired.errors.iter().find(|it| it.field == field);
        assert!(
            found.is_some_and(|it| it.to_string().contains(piece)),
            "{piece}: {:?}",
            lines(&wired.errors)
        );
    }
}

#[test]
fn in_files_a_missing_target_is_only_said() {
    let pod = pod();
    let request = WireRequest {
        namespace: "team-a",
        pod: &pod,
        wants: Wants::Annotated,
        missing: Missing::Said,
    };
    let wired = wire(&request, &FileIndex::default());
    assert_eq!(lines(&wired.errors), [""; 0]);
    assert_eq!(wired.warnings.len(), 2, "{:?}", lines(&wired.warnings));

    let strict = namespace("team-a", json!({"agentkube.io/strict": "true"}), json!({}));
    let wired = wire(&request, &FileIndex::from_objects(&[strict]));
    assert_eq!(wired.errors.len(), 2, "{:?}", lines(&wired.errors));
}

#[test]
fn an_agent_is_wired_to_what_its_spec_names() {
    let mut template = pod();
    template["metadata"] = json!({"labels": {"app": "x"}});
    let target = |kind, namespace: &str, name: &str| TargetRef {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let wants = Wants::Agent {
        gateway: Some(target(Kind::LLMGateway, "platform", "shared-gateway")),
        mcps: vec![target(Kind::MCP, "team-a", "absent")],
        model: Some("sonnet".to_owned()),
        runtime: AgentRuntime::Custom,
    };
    let request = WireRequest {
        namespace: "team-a",
        pod: &template,
        wants,
        missing: Missing::Denied,
    };
    let refused = wire(&request, &FileIndex::from_objects(&open_targets()));
    assert_eq!(
        lines(&refused.errors),
        ["spec.mcpRefs[0]: MCP \"team-a/absent\" does not exist"]
    );

    let Wants::Agent { gateway, model, .. } = request.wants.clone() else {
        unreachable!()
    };
    let request = WireRequest {
        wants: Wants::Agent {
            gateway,
            mcps: vec![],
            model,
            runtime: AgentRuntime::Custom,
        },
        ..request
    };
    let wired = wire(&request, &FileIndex::from_objects(&open_targets()));
    let env = env_of(&wired.pod, 0);
    let model = env
        .iter()
        .find(|(name, _)| *name == "AGENTKUBE_MODEL")
        .unwrap()
        .1;
    assert_eq!(model["value"], "sonnet");
    assert!(wired.pod["spec"].get("volumes").is_none());
}

#[test]
fn a_word_of_the_pod_beats_the_one_of_its_namespace() {
    let facts = |value: &str| crate::NamespaceFacts {
        labels: [("agentkube.io/wire".to_owned(), value.to_owned())].into(),
        ..crate::NamespaceFacts::default()
    };
    let labelled = |value: &str| json!({"metadata": {"labels": {"agentkube.io/wire": value}}});
    let bare = json!({"metadata": {}});
    for (pod, namespace, expected) in [
        (&labelled("true"), None, true),
        (&labelled("false"), Some(facts("true")), false),
        (&bare, Some(facts("true")), true),
        (&bare, Some(facts("false")), false),
        (&bare, None, false),
    ] {
        assert_eq!(
            is_wired(pod, namespace.as_ref()),
            expected,
            "{pod} {namespace:?}"
        );
    }
}

#[test]
fn the_hash_changes_with_what_is_given() {
    let before = wired(&pod(), &open_targets()).wiring.unwrap().hash();
    let mut moved = open_targets();
    moved[0]["spec"]["port"] = json!(9999);
    assert_ne!(before, wired(&pod(), &moved).wiring.unwrap().hash());
}

#[test]
fn odd_pods_are_wired_without_harm() {
    for pod in [
        json!({}),
        json!({"metadata": null, "spec": null}),
        json!({"spec": {"containers": 3}}),
    ] {
        let gateway = TargetRef {
            kind: Kind::LLMGateway,
            namespace: "platform".to_owned(),
            name: "shared-gateway".to_owned(),
        };
        let wants = Wants::Agent {
            gateway: Some(gateway),
            mcps: vec![],
            model: None,
            runtime: AgentRuntime::Custom,
        };
        let request = WireRequest {
            namespace: "a",
            pod: &pod,
            wants,
            missing: Missing::Denied,
        };
        assert!(
            wire(&request, &FileIndex::from_objects(&open_targets()))
                .wiring
                .is_some()
        );
    }
}

#[test]
fn the_names_that_admission_knows_are_those_that_a_container_gets() {
    let mut given = std::collections::BTreeSet::new();
    for mode in ["apikey", "serviceAccount"] {
        let mut targets = open_targets();
        for target in &mut targets {
            set(target, "/spec/auth", json!({"mode": mode}));
        }
        let wiring = wired(&pod(), &targets).wiring.unwrap();
        given.extend(wiring.env.into_iter().map(|variable| variable.name));
    }
    let known = names_for(true, ["github-tools"].into_iter());
    assert_eq!(given, known.into_iter().collect());
}

#[test]
fn a_target_that_wants_tokens_gets_a_mounted_one_and_no_key() {
    let mut targets = open_targets();
    for target in &mut targets {
        set(target, "/spec/auth", json!({"mode": "serviceAccount"}));
    }
    let once = wired(&pod(), &targets);
    assert_eq!(lines(&once.errors), [""; 0]);
    let env = env_of(&once.pod, 0);
    let value = |name: &str| {
        let (_, item) = env.iter().find(|(it, _)| *it == name)?;
        item["value"].as_str()
    };
    assert_eq!(
        value("AGENTKUBE_LLM_TOKEN_FILE"),
        Some("/var/run/agentkube/shared-gateway-llm/token")
    );
    assert_eq!(
        value("AGENTKUBE_MCP_GITHUB_TOOLS_TOKEN_FILE"),
        Some("/var/run/agentkube/github-tools-mcp/token")
    );
    let keys = [
        "OPENAI_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "AGENTKUBE_MCP_GITHUB_TOOLS_KEY",
    ];
    assert!(env.iter().all(|(name, _)| !keys.contains(name)));
    assert!(once.wiring.as_ref().unwrap().key_secrets().is_empty());
    let volumes = once.pod["spec"]["volumes"].as_array().unwrap();
    assert_eq!(
        volumes.last().unwrap(),
        &json!({
            "name": "agentkube-tokens",
            "projected": {
                "defaultMode": 420,
                "sources": [
                    {"serviceAccountToken": {
                        "audience": "llmgateway.agentkube.io/platform/shared-gateway",
                        "expirationSeconds": 3600,
                        "path": "shared-gateway-llm/token",
                    }},
                    {"serviceAccountToken": {
                        "audience": "mcp.agentkube.io/team-a/github-tools",
                        "expirationSeconds": 3600,
                        "path": "github-tools-mcp/token",
                    }},
                ],
            },
        })
    );
    let mounts = &once.pod["spec"]["containers"][0]["volumeMounts"];
    assert_eq!(mounts[1]["mountPath"], "/var/run/agentkube");
    let twice = wired(&once.pod, &targets);
    assert_eq!(once.pod, twice.pod);
    assert_eq!(lines(&twice.warnings), [""; 0]);
}

#[test]
fn a_runtime_that_cannot_read_a_token_is_not_wired_to_who_wants_one() {
    let mut targets = open_targets();
    set(
        &mut targets[0],
        "/spec/auth",
        json!({"mode": "serviceAccount"}),
    );
    for (runtime, refused) in [("ClaudeCode", true), ("Custom", false)] {
        let mut own = pod();
        own["metadata"]["labels"]["agentkube.io/runtime"] = json!(runtime);
        let errors = lines(&wired(&own, &targets).errors);
        assert_eq!(!errors.is_empty(), refused, "{errors:?}");
        if refused {
            assert!(
                errors[0].contains("ClaudeCode cannot read one from a file"),
                "{errors:?}"
            );
        }
    }
}
