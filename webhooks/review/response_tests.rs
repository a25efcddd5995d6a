//! The answer as the API server reads it.

use agentkube_crds::Reason;
use serde_json::json;

use super::*;

fn answer<'a>(errors: &'a [FieldError], warnings: &'a [FieldError]) -> Answer<'a> {
    Answer {
        uid: "u-1",
        group: "agentkube.io",
        kind: "MCP",
        name: "tools",
        mutation: None,
        errors,
        warnings,
    }
}

fn parsed(answer: &Answer<'_>) -> Value {
    serde_json::from_slice(&respond(answer)).unwrap()
}

#[test]
fn a_denial_names_every_cause_and_sums_them_up_in_one_line() {
    let errors = [
        FieldError::new("spec.a", Reason::Required, "is missing"),
        FieldError::new("spec.b", Reason::NotSupported, "is odd").suggest("even"),
    ];
    assert_eq!(
        parsed(&answer(&errors, &[]))["response"],
        json!({
            "uid": "u-1",
            "allowed": false,
            "status": {
                "apiVersion": "v1", "kind": "Status", "status": "Failure",
                "code": 422, "reason": "Invalid",
                "message": "MCP \"tools\" is invalid: spec.a: is missing; \
                            spec.b: is odd (did you mean \"even\"?)",
                "details": {
                    "group": "agentkube.io", "kind": "MCP", "name": "tools",
                    "causes": [
                        {"reason": "FieldValueRequired", "field": "spec.a", "message": "is missing"},
                        {"reason": "FieldValueNotSupported", "field": "spec.b",
                         "message": "is odd (did you mean \"even\"?)"},
                    ],
                },
            },
        })
    );
}

#[test]
fn a_patch_is_base64_and_absent_when_nothing_changes() {
    let before = json!({"spec": {}});
    let after = json!({"spec": {"port": 8080}});
    let mut changed = answer(&[], &[]);
    changed.mutation = Some((&before, &after));
    let response = parsed(&changed)["response"].clone();
    assert_eq!(response["patchType"], "JSONPatch");
    let patch = STANDARD
        .decode(response["patch"].as_str().unwrap())
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&patch).unwrap(),
        json!([{"op": "add", "path": "/spec/port", "value": 8080}])
    );

    changed.mutation = Some((&before, &before));
    assert_eq!(
        parsed(&changed)["response"],
        json!({"uid": "u-1", "allowed": true})
    );
}

#[test]
fn a_denial_carries_no_patch() {
    let errors = [FieldError::new("spec.a", Reason::Invalid, "is wrong")];
    let (before, after) = (json!({}), json!({"spec": {}}));
    let mut denied = answer(&errors, &[]);
    denied.mutation = Some((&before, &after));
    assert!(parsed(&denied)["response"].get("patch").is_none());
}

#[test]
fn warnings_are_short_single_lines_and_few() {
    let many: Vec<FieldError> = (0..100)
        .map(|n| FieldError::new(format!("spec.x[{n}]"), Reason::Invalid, "line\n".repeat(60)))
        .collect();
    let response = parsed(&answer(&[], &many))["response"].clone();
    let warnings = response["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), MAX_WARNINGS);
    for warning in warnings {
        let text = warning.as_str().unwrap();
        assert!(
            text.chars().count() <= MAX_WARNING && !text.contains('\n'),
            "{text:?}"
        );
    }
    assert!(
        warnings[MAX_WARNINGS - 1]
            .as_str()
            .unwrap()
            .contains("71 more")
    );
}
