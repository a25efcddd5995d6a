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
    let packages = metadata(&["--no-deps"])["packages"].clone();
    packages
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (name(package), normal(package)))
        .collect()
}

fn metadata(extra: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(extra)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
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
    let metadata = metadata(&[]);
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeMap<&str, String> = packages
        .iter()
        .map(|package| (package["id"].as_str().unwrap(), name(package)))
        .collect();
    let edges: BTreeMap<&str, BTreeSet<&str>> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), normal_edges(node)))
        .collect();
    let start = *names
        .iter()
        .find(|(_, name)| *name == "agentkube-dataplane")
        .unwrap()
        .0;
    let mut reached = BTreeSet::new();
    let mut next = vec![start];
    while let Some(id) = next.pop() {
        if reached.insert(id) {
            next.extend(&edges[id]);
        }
    }
    assert!(reached.len() > 20, "the walk found the graph");
    for id in reached {
        assert!(
            !names[id].starts_with("kube") && names[id] != "k8s-openapi",
            "{}",
            names[id]
        );
    }
}

fn normal_edges(node: &Value) -> BTreeSet<&str> {
    let is_normal = |dependency: &&Value| {
        dependency["dep_kinds"]
            .as_array()
            .unwrap()
            .iter()
            .any(|kind| kind["kind"].is_null())
    };
    let dependencies = node["deps"].as_array().unwrap();
    dependencies
        .iter()
        .filter(is_normal)
        .map(|found| found["pkg"].as_str().unwrap())
        .collect()
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
