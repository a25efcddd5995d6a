use serde_json::json;

use super::*;

#[test]
fn a_finding_carries_the_path_of_kubernetes() {
    let object = json!({
        "metadata": {"name": "x"},
        "spec": {"upstreams": [
            {"name": "a", "provider": "openai", "models": ["m"], "credentialsRef": {"name": "s", "key": "k"}},
            {"name": "b", "provider": "openai", "models": ["m*n"], "region": "r", "credentialsRef": {"name": "s"}},
        ]},
    });
    let object = crate::defaults(Kind::LLMGateway, &object);
    let found = check_cel(Kind::LLMGateway, &object, None);
    let fields: Vec<(&str, Reason)> = found
        .iter()
        .map(|error| (error.field.as_str(), error.reason))
        .collect();
    assert_eq!(
        fields,
        [
            ("spec.upstreams[1].credentialsRef.key", Reason::Required),
            ("spec.upstreams[1].region", Reason::Forbidden),
            ("spec.upstreams[1].models[0]", Reason::Invalid),
        ]
    );
}
