use std::path::Path;

use serde_json::json;

use super::files::manifests;
use super::{Manifest, Position};

fn one(text: &str) -> Manifest {
    let mut all = manifests(Path::new("x.yaml"), text).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

const HEAD: &str = "apiVersion: v1\nkind: X\n";

#[test]
fn plain_scalars_are_read_as_kubectl_reads_them() {
    let object = one(&format!(
        "{HEAD}a: [on, Off, y, NO, ~, 0777, 0x1f, 1_000, -3, +7, 1.5, 1e3, .5, 1.2.3, 10m, '8', 08]\n"
    ))
    .object;
    assert_eq!(
        object["a"],
        json!([
            true, false, true, false, null, 511, 31, 1000, -3, 7, 1.5, 1000.0, 0.5, "1.2.3", "10m",
            "8", 8.0
        ])
    );
}

#[test]
fn a_duplicate_key_names_both_lines() {
    let error = manifests(Path::new("x.yaml"), &format!("{HEAD}a: 1\nb: 2\na: 3\n")).unwrap_err();
    assert_eq!(error.position, Position { line: 5, column: 1 });
    assert!(error.message.contains("line 3") && error.message.contains("line 5"));
}

#[test]
fn merge_keys_take_over_what_is_not_said() {
    let object = one(&format!(
        "{HEAD}base: &b {{x: 1, z: 2}}\nc:\n  <<: *b\n  z: 3\n"
    ))
    .object;
    assert_eq!(object["c"], json!({"z": 3, "x": 1}));
}

#[test]
fn a_list_is_unrolled() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A}\n- {apiVersion: v1, kind: B}\n";
    let all = manifests(Path::new("x.yaml"), text).unwrap();
    assert_eq!(
        all.iter().map(Manifest::kind).collect::<Vec<_>>(),
        ["A", "B"]
    );
    assert_eq!(all[1].position(""), Position { line: 5, column: 3 });
}

#[test]
fn positions_follow_field_paths() {
    let manifest = one(&format!(
        "{HEAD}metadata:\n  annotations:\n    agentkube.io/mcp: a\nspec:\n  upstreams:\n    - name: a\n      kind: b\n  prices:\n    gpt-5.1: {{}}\n"
    ));
    let line = |field| manifest.position(field).line;
    assert_eq!(line("spec.upstreams[0].kind"), 9);
    assert_eq!(line("metadata.annotations[agentkube.io/mcp]"), 5);
    assert_eq!(line("spec.prices[gpt-5.1]"), 11);
    assert_eq!(
        line("spec.upstreams[0].endpoint"),
        8,
        "a missing field stands where its parent is"
    );
    assert_eq!(line("spec.upstreams[7].name"), 7);
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from(HEAD) + "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
    for (name, before) in ["b", "c", "d", "e", "f", "g"]
        .iter()
        .zip(["a", "b", "c", "d", "e", "f"])
    {
        let aliases = vec![format!("*{before}"); 10].join(", ");
        text += &format!("{name}: &{name} [{aliases}]\n");
    }
    let error = manifests(Path::new("x.yaml"), &text).unwrap_err();
    assert!(error.message.contains("nodes"), "{}", error.message);
}

#[test]
fn a_document_without_a_kind_says_so() {
    let error = manifests(Path::new("x.yaml"), "a: 1\n").unwrap_err();
    assert!(error.message.starts_with("apiVersion not set"));
}

#[test]
fn empty_documents_are_skipped() {
    assert!(
        manifests(Path::new("x.yaml"), "---\n# nothing\n---\n")
            .unwrap()
            .is_empty()
    );
}
