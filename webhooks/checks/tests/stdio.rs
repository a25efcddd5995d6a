//! Tool servers that are programs.

use serde_json::{Value, json};

use crate::Mode;
use crate::lookup::FileIndex;
use crate::testing::{judged, lines, mcp, set};

fn program(image: Option<&str>) -> Value {
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
    object
}

#[test]
fn a_program_needs_an_image_in_a_cluster_only() {
    let index = FileIndex::default();
    let cluster = judged(&program(None), None, &index, Mode::Cluster);
    assert_eq!(cluster.errors.len(), 1);
    assert_eq!(cluster.errors[0].field, "spec.upstreams[0].stdio.image");
    let local = judged(&program(None), None, &index, Mode::Local);
    assert_eq!(lines(&local.errors), [""; 0]);
    assert_eq!(lines(&local.warnings), [""; 0]);
}

#[test]
fn a_program_with_an_image_is_fine() {
    let index = FileIndex::default();
    let verdict = judged(&program(Some("a:1")), None, &index, Mode::Cluster);
    assert_eq!(lines(&verdict.errors), [""; 0]);
    assert_eq!(lines(&verdict.warnings), [""; 0]);
}
