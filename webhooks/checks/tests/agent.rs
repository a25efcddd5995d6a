//! Agents, against their installation, their gateway and their tools.

use serde_json::{Value, json};

use super::changed;
use crate::lookup::FileIndex;
use crate::testing::{created, gateway, judged, lines, mcp, namespace, open_targets};
use crate::{Install, Mode, Verdict};

fn agent(spec: Value) -> Value {
    json!({
        "apiVersion": "agentkube.io/v1alpha1", "kind": "Agent",
        "metadata": {"name": "reviewer", "namespace": "team-a"}, "spec": spec,
    })
}

fn good_agent() -> Value {
    agent(json!({
        "runtime": "Custom", "image": "agent:1", "command": ["agent"], "goal": {"inline": "review"},
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
fn what_is_run_once_must_be_known() {
    for (changes, field, piece) in [
        (
            &[("/spec/command", Value::Null)][..],
            "spec.command",
            "cannot know the image's entrypoint",
        ),
        (
            &[
                ("/spec/command", Value::Null),
                ("/spec/runtime", json!("ClaudeCode")),
                ("/spec/args", json!(["-v"])),
            ],
            "spec.command",
            "write command, or mode system",
        ),
        (
            &[
                ("/spec/command", Value::Null),
                ("/spec/runtime", json!("ClaudeCode")),
                ("/spec/goal", Value::Null),
            ],
            "spec.goal",
            "write goal, or command",
        ),
    ] {
        let verdict = agent_verdict(changes);
        let found: Vec<_> = verdict.errors.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(found, [field]);
        assert!(
            verdict.errors[0].to_string().contains(piece),
            "{:?}",
            lines(&verdict.errors)
        );
    }
    for changes in [
        &[
            ("/spec/command", Value::Null),
            ("/spec/runtime", json!("ClaudeCode")),
        ][..],
        &[
            ("/spec/command", Value::Null),
            ("/spec/mode", json!("system")),
        ],
        &[("/spec/goal", Value::Null)],
    ] {
        assert!(agent_verdict(changes).is_allowed());
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

#[test]
fn a_runtime_that_reads_no_token_from_a_file_is_not_connected_to_who_wants_one() {
    let [mut gateway, mcp] = open_targets();
    gateway["spec"]["auth"] = json!({"mode": "serviceAccount"});
    let index = FileIndex::from_objects(&[gateway, mcp]);
    let mut agent = good_agent();
    agent["spec"]["runtime"] = json!("ClaudeCode");
    let said = lines(&created(&agent, &index).errors).join("\n");
    assert!(said.starts_with("spec.llmGatewayRef: LLMGateway"), "{said}");
    assert!(
        said.contains("ClaudeCode cannot read one from a file"),
        "{said}"
    );
    agent["spec"]["runtime"] = json!("Custom");
    let verdict = created(&agent, &index);
    assert!(verdict.is_allowed(), "{:?}", lines(&verdict.errors));
}
