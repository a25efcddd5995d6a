use std::path::{Path, PathBuf};

use agentkube_webhooks::admit::Mode;

use super::{Finding, Offline, Severity};
use crate::cli::manifest::load;

fn findings(name: &str, text: &str) -> Vec<Finding> {
    let directory = tempfile::tempdir().unwrap();
    let file: PathBuf = directory.path().join(name);
    std::fs::write(&file, text).unwrap();
    Offline::judge(load(&[file]).unwrap(), &[], Mode::Cluster).findings()
}

fn fields(findings: &[Finding], severity: Severity) -> Vec<&str> {
    let wanted = findings
        .iter()
        .filter(|finding| finding.severity == severity);
    wanted
        .map(|finding| finding.finding.field.as_str())
        .collect()
}

#[test]
fn five_mistakes_are_found_at_their_lines() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifests/five-mistakes.yaml");
    let found = Offline::judge(load(&[file]).unwrap(), &[], Mode::Cluster).findings();
    let errors: Vec<(usize, &str)> = found
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| (finding.position.line, finding.finding.field.as_str()))
        .collect();
    assert_eq!(
        errors,
        [
            (8, "spec.upstreams[0].provider"),
            (11, "spec.upstreams[1].endpoint"),
            (15, "spec.routing.defaultModel"),
            (17, "spec.routing.modelMap[0].to"),
            (18, "spec.routing.modelMap[1].upstream"),
        ],
        "{found:#?}"
    );
}

#[test]
fn the_seed_manifests_are_admitted_with_a_warning_for_the_missing_secret() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifests/seed.yaml");
    let found = Offline::judge(load(&[file]).unwrap(), &[], Mode::Cluster).findings();
    assert_eq!(fields(&found, Severity::Error), [""; 0], "{found:#?}");
    assert!(
        fields(&found, Severity::Warning).contains(&"spec.upstreams[0].credentialsRef.name"),
        "{found:#?}"
    );
}

#[test]
fn an_unknown_kind_is_near_a_known_one() {
    let found = findings(
        "x.yaml",
        "apiVersion: agentkube.io/v1alpha1\nkind: Mcp\nmetadata: {name: a}\n",
    );
    assert_eq!(found[0].finding.suggestion.as_deref(), Some("MCP"));
    assert_eq!(found[0].position.line, 2);
}

#[test]
fn a_label_that_is_no_string_is_to_be_quoted() {
    let found = findings(
        "x.yaml",
        "apiVersion: agentkube.io/v1\nkind: MCP\nmetadata:\n  name: a\n  labels: {x: on}\n",
    );
    assert_eq!(
        fields(&found, Severity::Error),
        ["apiVersion", "metadata.labels[x]"]
    );
    assert!(found[1].finding.message.contains("quote it"));
}

#[test]
fn an_object_that_stands_there_twice_is_an_error() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";
    let found = findings("x.yaml", text);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].finding.message.contains(":3; keep one"),
        "{}",
        found[0].finding.message
    );
    assert_eq!(found[0].position.line, 7);
}

#[test]
fn a_template_that_names_nothing_is_refused_at_its_path() {
    let text = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: team-a}
spec:
  template:
    metadata:
      labels: {agentkube.io/wire: 'true'}
    spec: {containers: [{name: a, image: a}]}
";
    let found = findings("x.yaml", text);
    assert_eq!(
        fields(&found, Severity::Error),
        ["spec.template.metadata.annotations"]
    );
    assert_eq!(found[0].object, "deployment team-a/a");
}

#[test]
fn a_key_that_wires_nothing_is_said() {
    let found = findings(
        "pods.yaml",
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: agents
  labels: { team: true }
spec:
  template:
    metadata:
      labels: { agentkube.io/wire: \"yes\" }
      annotations: { agentkube.io/llm-gatway: models, example.com/wire: \"yes\" }
---
apiVersion: v1
kind: Namespace
metadata:
  name: team-a
  annotations: { agentkube.io/strict: \"true\" }
",
    );
    assert_eq!(
        fields(&found, Severity::Error),
        ["metadata.labels[team]"],
        "{found:#?}"
    );
    assert_eq!(
        fields(&found, Severity::Warning),
        [
            "spec.template.metadata.labels[agentkube.io/wire]",
            "spec.template.metadata.annotations[agentkube.io/llm-gatway]",
            "metadata.annotations[agentkube.io/strict]",
        ],
        "{found:#?}"
    );
    let said: Vec<String> = found.iter().map(|it| it.finding.to_string()).collect();
    assert!(
        said[2].contains("did you mean \"agentkube.io/llm-gateway\""),
        "{said:?}"
    );
    assert!(said[3].ends_with("it belongs to the labels"), "{said:?}");
}
