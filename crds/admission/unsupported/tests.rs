use serde_json::json;

use super::*;

fn refused(kind: Kind, spec: Value) -> Vec<String> {
    let (refused, _) = unsupported(kind, &json!({ "spec": spec }));
    refused.into_iter().map(|error| error.field).collect()
}

#[test]
fn defaults_are_supported() {
    for kind in [Kind::LLMGateway, Kind::MCP, Kind::Agent] {
        let object = crate::admission::defaults(kind, &json!({"spec": {}}));
        assert_eq!(unsupported(kind, &object), (vec![], vec![]), "{kind}");
    }
}

#[test]
fn what_does_nothing_yet_is_refused_at_its_path() {
    let upstream =
        |provider: &str| json!({"name": provider, "provider": provider, "models": ["m"]});
    assert_eq!(
        refused(
            Kind::LLMGateway,
            json!({
                "upstreams": [upstream("openai")],
                "budgets": [{"period": "day", "usd": 1}],
                "prices": {"m": {"input": 1, "output": 1}},
                "state": {"redis": {"endpoint": "redis://r"}},
            })
        ),
        ["spec.budgets", "spec.prices", "spec.state"]
    );
    assert_eq!(
        refused(Kind::AgentPolicy, json!({"enforcement": "Deny"})),
        ["spec"]
    );
}

#[test]
fn what_is_not_enforced_yet_is_announced() {
    let object = json!({"spec": {
        "rateLimit": {"requestsPerMinute": 1, "scope": "perClient"},
        "guardrails": {"piiRedaction": true},
        "caching": {"enabled": true},
    }});
    let (refused, warned) = unsupported(Kind::LLMGateway, &object);
    assert_eq!(refused, []);
    let fields: Vec<&str> = warned
        .iter()
        .map(|warning| warning.field.as_str())
        .collect();
    assert_eq!(
        fields,
        ["spec.rateLimit", "spec.guardrails", "spec.caching"]
    );
    for warning in &warned {
        let text = warning.to_string();
        assert!(
            text.contains("not enforced yet") && text.len() <= 120,
            "{text}"
        );
    }
}

#[test]
fn a_cache_that_is_turned_off_is_not_announced() {
    let object = json!({"spec": {"caching": {"enabled": false, "ttl": "5m"}}});
    assert_eq!(not_enforced(Kind::LLMGateway, &object), []);
}

#[test]
fn every_row_names_a_field_of_the_schema() {
    let rows = REFUSED.iter().map(|row| (row.0, row.1));
    for (kind, path) in rows.chain(NOT_ENFORCED.iter().map(|row| (row.kind, row.field))) {
        let mut schema = crate::schema::open_api_schema(kind);
        for step in path.split('.') {
            let name = step.trim_end_matches("[]");
            schema = &schema["properties"][name];
            if step.ends_with("[]") {
                schema = &schema["items"];
            }
        }
        assert!(schema.is_object(), "{kind} has no {path}");
    }
}
