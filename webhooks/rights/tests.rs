//! Which rights a request needs.

use serde_json::{Value, json};

use super::*;
use crate::lookup::FileIndex;
use crate::testing::{gateway, mcp, set};

fn program(args: &Value) -> Value {
    let mut object = mcp();
    let env = json!([{"name": "T", "valueFrom": {"secretKeyRef": {"name": "pat", "key": "t"}}}]);
    let stdio = json!({"image": "a:1", "command": ["server"], "args": args, "env": env});
    let upstreams = json!([{"name": "a", "kind": "stdio", "stdio": stdio}]);
    set(&mut object, "/spec/upstreams", upstreams);
    object
}

fn agent() -> Value {
    json!({
        "apiVersion": "agentkube.io/v1alpha1", "kind": "Agent",
        "metadata": {"name": "a", "namespace": "team-a"},
        "spec": {"runtime": "ClaudeCode", "image": "a:1", "agentToken": {
            "env": "T", "secretRef": {"name": "token", "key": "t"},
        }},
    })
}

/// What is needed, one a line.
fn needs(kind: Kind, new: &Value, old: Option<&Value>, mode: Mode) -> Vec<String> {
    let request = Admit {
        kind,
        namespace: "team-a",
        new,
        old,
        subresource: None,
    };
    let needed = needed(&request, &FileIndex::default(), &Install::of(mode));
    let line = |(right, fields): (&Right, &Vec<String>)| match right {
        Right::CreatePods { namespace } => format!("pods {namespace}: {fields:?}"),
        Right::GetSecret { name, .. } => format!("secret {name}: {fields:?}"),
    };
    needed.iter().map(line).collect()
}

fn of_mcp(new: &Value, old: Option<&Value>) -> Vec<String> {
    needs(Kind::MCP, new, old, Mode::Cluster)
}

#[test]
fn a_program_needs_the_right_to_create_pods_and_to_read_its_secrets() {
    let new = program(&json!([]));
    assert_eq!(
        of_mcp(&new, None),
        [
            r#"pods team-a: ["spec.upstreams[0].stdio.image"]"#,
            r#"secret pat: ["spec.upstreams[0].stdio.env[0].valueFrom.secretKeyRef"]"#,
        ]
    );
    assert_eq!(needs(Kind::MCP, &new, None, Mode::Local), [""; 0]);
    // A Secret that may be missing is read where it is not.
    let mut optional = program(&json!([]));
    let field = "/spec/upstreams/0/stdio/env/0/valueFrom/secretKeyRef/optional";
    set(&mut optional, field, json!(true));
    assert_eq!(of_mcp(&optional, None), of_mcp(&new, None));
}

#[test]
fn what_decides_nothing_is_not_asked_about_again() {
    let old = program(&json!([]));
    let mut new = old.clone();
    set(&mut new, "/spec/replicas", json!(3));
    set(
        &mut new,
        "/spec/upstreams/0/tools",
        json!({"mode": "deny", "deny": ["x"]}),
    );
    assert_eq!(of_mcp(&new, Some(&old)), [""; 0]);
    let changed = program(&json!(["--send-it-to", "me"]));
    assert_eq!(of_mcp(&changed, Some(&old)).len(), 2);
}

#[test]
fn a_credential_that_goes_elsewhere_is_asked_about() {
    let old = mcp();
    assert_eq!(of_mcp(&old, Some(&old)), [""; 0]);
    let mut new = old.clone();
    set(
        &mut new,
        "/spec/upstreams/0/endpoint",
        json!("https://elsewhere.example"),
    );
    let needed = of_mcp(&new, Some(&old));
    assert_eq!(needed.len(), 1, "{needed:?}");
    assert!(
        needed[0].ends_with(r#"["spec.upstreams[0].auth.secretRef"]"#),
        "{needed:?}"
    );

    let old = gateway();
    let mut new = old.clone();
    set(
        &mut new,
        "/spec/upstreams/0/endpoint",
        json!("https://elsewhere.example"),
    );
    let needed = needs(Kind::LLMGateway, &new, Some(&old), Mode::Cluster);
    assert_eq!(needed.len(), 1, "{needed:?}");
    assert!(
        needed[0].ends_with(r#"["spec.upstreams[0].credentialsRef"]"#),
        "{needed:?}"
    );
}

#[test]
fn an_agent_runs_and_a_service_account_is_borrowed() {
    let old = agent();
    let new = |pointer: &str, value: Value| {
        let mut new = old.clone();
        set(&mut new, pointer, value);
        needs(Kind::Agent, &new, Some(&old), Mode::Cluster)
    };
    let all = needs(Kind::Agent, &old, None, Mode::Cluster);
    assert_eq!(
        all,
        [
            r#"pods team-a: ["spec.image"]"#,
            r#"secret token: ["spec.agentToken.secretRef"]"#,
        ]
    );
    assert_eq!(new("/spec/paused", json!(true)), [""; 0]);
    assert_eq!(new("/spec/args", json!(["x"])).len(), 2);
    assert_eq!(
        new("/spec/podTemplate", json!({"serviceAccountName": "root"})),
        [r#"pods team-a: ["spec.podTemplate.serviceAccountName"]"#]
    );
}
