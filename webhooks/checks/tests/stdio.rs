//! Tool servers that are programs.

use serde_json::{Value, json};

use crate::Mode;
use crate::lookup::FileIndex;
use crate::testing::{judged, lines, mcp, set};

fn program(image: Option<&str>, replicas: u32) -> Value {
    let mut object = mcp();
    let mut stdio = json!({"command": ["server"]});
    if let Some(image) = image {
        stdio["image"] = json!(image);
    }
    set(
        &mut object,
        "/spec/upstreams",
        json!([{"name": "a", "kind": "stdio", "stdio": stdio}]),
    );
    set(&mut object, "/spec/replicas", json!(replicas));
    object
}

#[test]
fn a_program_needs_an_image_in_a_cluster_only() {
    let index = FileIndex::default();
    let cluster = judged(&program(None, 1), None, &index, Mode::Cluster);
    assert_eq!(cluster.errors.len(), 1);
    assert_eq!(cluster.errors[0].field, "spec.upstreams[0].stdio.image");
    for (object, mode) in [
        (program(Some("a:1"), 1), Mode::Cluster),
        (program(None, 1), Mode::Local),
    ] {
        let verdict = judged(&object, None, &index, mode);
        assert_eq!(lines(&verdict.errors), [""; 0]);
        assert_eq!(lines(&verdict.warnings), [""; 0]);
    }
}

#[test]
fn several_replicas_of_a_program_are_warned_of() {
    let object = program(Some("a:1"), 2);
    let verdict = judged(&object, None, &FileIndex::default(), Mode::Cluster);
    assert!(verdict.is_allowed());
    let said = lines(&verdict.warnings).join("\n");
    assert!(said.contains("a session lives in one Pod"), "{said}");
}
