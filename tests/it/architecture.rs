//! The edges between the crates are part of the design; this test holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Package → the packages of ours that it may depend on. `docs/architecture.md`
/// says why.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("agentkube-plan", &[]),
    ("agentkube-llm", &[]),
    ("agentkube-mcp", &[]),
    ("agentkube-certs", &[]),
    ("agentkube-testkit", &[]),
    ("agentkube-crds", &["agentkube-plan"]),
    ("agentkube-webhooks", &["agentkube-certs", "agentkube-crds"]),
    (
        "agentkube-operator",
        &[
            "agentkube-certs",
            "agentkube-crds",
            "agentkube-plan",
            "agentkube-webhooks",
        ],
    ),
    (
        "agentkube-dataplane",
        &["agentkube-llm", "agentkube-mcp", "agentkube-plan"],
    ),
];

/// Crates without IO: what they declare may not bring a runtime or a server.
const SANS_IO: [&str; 4] = [
    "agentkube-plan",
    "agentkube-llm",
    "agentkube-mcp",
    "agentkube-crds",
];

/// The packages of the workspace, and for each what it declares as a normal
/// (not dev, not build) dependency.
fn declared() -> BTreeMap<String, BTreeSet<String>> {
    let output = cargo(&["metadata", "--format-version=1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&output).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| (name(package), normal(package)))
        .collect()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn name(package: &Value) -> String {
    package["name"].as_str().unwrap().to_owned()
}

fn normal(package: &Value) -> BTreeSet<String> {
    let dependencies = package["dependencies"].as_array().unwrap();
    dependencies
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .map(name)
        .collect()
}

#[test]
fn crates_depend_only_along_the_allowed_edges() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    for (package, dependencies) in declared() {
        if package == "agentkube" {
            continue; // the binary may use every crate
        }
        let edges = allowed.get(package.as_str()).unwrap_or_else(|| {
            panic!("{package} is new: add its edges here and to docs/architecture.md")
        });
        for dependency in dependencies
            .iter()
            .filter(|name| name.starts_with("agentkube"))
        {
            assert!(
                edges.contains(&dependency.as_str()),
                "{package} may not use {dependency}"
            );
        }
    }
}

#[test]
fn sans_io_crates_declare_no_runtime() {
    let declared = declared();
    for package in SANS_IO {
        for banned in [
            "tokio",
            "hyper",
            "hyper-util",
            "axum",
            "reqwest",
            "kube",
            "kube-client",
        ] {
            assert!(
                !declared[package].contains(banned),
                "{package} may not use {banned}"
            );
        }
    }
}

#[test]
fn no_kube_reaches_the_data_plane() {
    // The tree of this platform: other platforms' packages were never downloaded.
    let package = ["--package", "agentkube-dataplane", "--edges", "normal"];
    let tree = cargo(&[&["tree", "--prefix", "none"], package.as_slice()].concat());
    let names: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(
        names.contains("hyper") && names.len() > 20,
        "the tree was read"
    );
    for name in names {
        assert!(!name.starts_with("kube") && name != "k8s-openapi", "{name}");
    }
}

#[test]
fn only_the_webhooks_may_reach_kube_below_the_operator() {
    let declared = declared();
    for package in [
        "agentkube-plan",
        "agentkube-certs",
        "agentkube-crds",
        "agentkube-dataplane",
    ] {
        assert!(
            !declared[package].contains("kube"),
            "{package} may not use the kube facade"
        );
    }
}
