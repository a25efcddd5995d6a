use agentkube_plan::{Credentials, Provider};
use serde_json::json;

use super::*;
use crate::{check_cel, defaults};

fn gateway(spec: Value) -> LLMGateway {
    let raw = json!({
        "apiVersion": crate::API_VERSION,
        "kind": "LLMGateway",
        "metadata": {"name": "x", "namespace": "ns"},
        "spec": spec,
    });
    LLMGateway::read(&raw).unwrap()
}

fn upstream(name: &str, models: &[&str]) -> Value {
    json!({"name": name, "provider": "openai", "models": models,
           "credentialsRef": {"name": "s", "key": "k"}})
}

fn base_url(provider: &str, endpoint: Option<&str>) -> String {
    let mut upstream = upstream("a", &["m"]);
    upstream["provider"] = json!(provider);
    if let Some(endpoint) = endpoint {
        upstream["endpoint"] = json!(endpoint);
    }
    let checked = gateway(json!({"upstreams": [upstream]})).parse().unwrap();
    checked.upstreams[0].base_url.clone()
}

#[test]
fn base_urls_are_written_as_the_sdks_take_them() {
    assert_eq!(base_url("openai", None), "https://api.openai.com/v1");
    assert_eq!(base_url("anthropic", None), "https://api.anthropic.com");
    for (provider, endpoint, base) in [
        (
            "ollama",
            "http://ollama.ai.svc:11434",
            "http://ollama.ai.svc:11434/v1",
        ),
        (
            "ollama",
            "http://ollama.ai.svc:11434/",
            "http://ollama.ai.svc:11434/v1",
        ),
        ("vllm", "http://vllm:8000/v1", "http://vllm:8000/v1"),
        ("vllm", "http://vllm:8000/v1/", "http://vllm:8000/v1"),
        (
            "openai",
            "https://proxy.example.com/openai",
            "https://proxy.example.com/openai/v1",
        ),
        (
            "openai",
            "https://g.example.com/v1beta/openai/",
            "https://g.example.com/v1beta/openai",
        ),
        (
            "openai",
            "https://z.example.com/api/paas/v4",
            "https://z.example.com/api/paas/v4",
        ),
        (
            "openai",
            "HTTPS://API.Example.com/V1",
            "https://api.example.com/V1/v1",
        ),
        (
            "anthropic",
            "https://proxy.example.com/anthropic",
            "https://proxy.example.com/anthropic",
        ),
        (
            "anthropic",
            "https://proxy.example.com/v1/",
            "https://proxy.example.com",
        ),
    ] {
        assert_eq!(
            base_url(provider, Some(endpoint)),
            base,
            "{provider} {endpoint}"
        );
    }
}

#[test]
fn the_gateway_of_the_documentation_becomes_its_plan() {
    let raw = json!({
        "apiVersion": "agentkube.io/v1alpha1",
        "kind": "LLMGateway",
        "metadata": {"name": "shared-gateway", "namespace": "platform"},
        "spec": {
            "upstreams": [{
                "name": "anthropic", "provider": "anthropic",
                "credentialsRef": {"name": "anthropic-key", "key": "api-key"},
                "models": ["claude-opus-4-7", "claude-sonnet-4-6", "claude-haiku-4-5"],
                "priority": 1,
            }],
            "routing": {
                "defaultModel": "claude-opus-4-7",
                "modelMap": [
                    {"from": "opus", "to": "claude-opus-4-7", "upstream": "anthropic"},
                    {"from": "sonnet", "to": "claude-sonnet-4-6", "upstream": "anthropic"},
                ],
            },
            "rateLimit": {"requestsPerMinute": 600, "scope": "perClient"},
            "guardrails": {"piiRedaction": true, "inputFilters": ["prompt-injection"]},
            "auth": {"mode": "apikey"},
        },
    });
    let raw = defaults(Kind::LLMGateway, &raw);
    assert_eq!(check_cel(Kind::LLMGateway, &raw, None), []);
    let checked = LLMGateway::read(&raw).unwrap().parse().unwrap();
    let unenforced: Vec<&str> = checked.not_enforced.iter().map(|it| it.field).collect();
    assert_eq!(unenforced, ["spec.rateLimit", "spec.guardrails"]);
    let plan = checked.plan();
    assert_eq!(plan.object.to_string(), "platform/shared-gateway");
    let [upstream] = plan.upstreams.as_slice() else {
        panic!("one upstream")
    };
    assert_eq!(upstream.provider, Provider::Anthropic);
    assert_eq!(upstream.weight, 1);
    let secret = SecretEntry {
        name: "anthropic-key".to_owned(),
        key: "api-key".to_owned(),
    };
    assert_eq!(upstream.credentials, Credentials::ApiKey { secret });
    assert_eq!(plan.routing.aliases.len(), 2);
    assert_eq!(plan.routing.retries.attempts, 2);
    assert_eq!(plan.routing.retries.retry_on.len(), 7);
    assert_eq!(checked.secrets().count(), 1);
}

#[test]
fn everything_wrong_is_found_at_once() {
    let gateway = gateway(json!({
        "upstreams": [
            upstream("a", &["gpt-5*"]),
            {"name": "a", "provider": "vllm", "models": ["m"], "timeouts": {"connect": "soon"}},
            {"name": "c", "provider": "openai", "models": ["m"]},
            {"name": "d", "provider": "bedrock", "region": "evil.example/", "models": ["m"]},
        ],
        "routing": {"breaker": {"cooldown": "0s"}},
        "translation": "strict",
    }));
    let errors = gateway.parse().unwrap_err();
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "spec.upstreams[1].name",
            "spec.upstreams[1].endpoint",
            "spec.upstreams[1].timeouts.connect",
            "spec.upstreams[2].credentialsRef",
            "spec.upstreams[3].region",
            "spec.routing.breaker.cooldown",
        ]
    );
}

#[test]
fn routing_names_only_what_exists() {
    let gateway = gateway(json!({
        "upstreams": [upstream("first", &["gpt-5.1"]), upstream("second", &["claude-*"])],
        "routing": {
            "defaultModel": "gpt-51",
            "modelMap": [
                {"from": "a", "to": "gpt-5.1"},
                {"from": "b", "to": "claude-opus-4-7", "upstream": "second"},
                {"from": "c", "to": "gpt-5.1", "upstream": "second"},
                {"from": "d", "to": "gpt-5.1", "upstream": "frist"},
            ],
        },
    }));
    let found = gateway.parse().unwrap_err();
    let found: Vec<(&str, Option<&str>)> = found
        .iter()
        .map(|error| (error.field.as_str(), error.suggestion.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            ("spec.routing.modelMap[2].to", None),
            ("spec.routing.modelMap[3].upstream", Some("first")),
            ("spec.routing.defaultModel", Some("gpt-5.1")),
        ]
    );
}

#[test]
fn a_default_model_may_be_an_alias() {
    let gateway = gateway(json!({
        "upstreams": [upstream("a", &["gpt-5.1"])],
        "routing": {"defaultModel": "best", "modelMap": [{"from": "b*", "to": "gpt-5.1"}]},
    }));
    assert!(gateway.parse().is_ok());
}

#[test]
fn the_clouds_have_the_addresses_that_they_document() {
    let base = |upstream: Value| {
        let checked = gateway(json!({"upstreams": [upstream]})).parse().unwrap();
        checked.upstreams[0].base_url.clone()
    };
    let vertex = |location: Option<&str>| {
        let mut upstream =
            json!({"name": "v", "provider": "vertex", "project": "p", "models": ["m"]});
        if let Some(location) = location {
            upstream["location"] = json!(location);
        }
        base(upstream)
    };
    assert_eq!(
        vertex(None),
        "https://aiplatform.googleapis.com/v1/projects/p/locations/global"
    );
    assert_eq!(
        vertex(Some("europe-west4")),
        "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4"
    );
    assert_eq!(
        vertex(Some("eu")),
        "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu"
    );
    let bedrock = |region: &str| {
        base(json!({"name": "b", "provider": "bedrock", "region": region, "models": ["m"]}))
    };
    assert_eq!(
        bedrock("us-east-1"),
        "https://bedrock-runtime.us-east-1.amazonaws.com"
    );
    assert_eq!(
        bedrock("cn-north-1"),
        "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"
    );
    let azure = |endpoint: &str, version: Option<&str>| {
        base(json!({
            "name": "a", "provider": "azure-openai", "endpoint": endpoint,
            "apiVersion": version, "models": ["m"],
        }))
    };
    let host = "https://r.openai.azure.com";
    for endpoint in [
        host.to_owned(),
        format!("{host}/"),
        format!("{host}/openai/v1/"),
    ] {
        assert_eq!(
            azure(&endpoint, None),
            "https://r.openai.azure.com/openai/v1"
        );
    }
    assert_eq!(
        azure(host, Some("2024-10-21")),
        "https://r.openai.azure.com/openai"
    );
}

#[test]
fn the_clouds_take_a_secret_or_what_they_give_to_the_pod() {
    let credentials = |upstream: Value| {
        let checked = gateway(json!({"upstreams": [upstream]})).parse().unwrap();
        let needed: Vec<String> = checked
            .secrets()
            .map(|(_, entry)| entry.key.clone())
            .collect();
        (checked.upstreams[0].credentials.clone(), needed)
    };
    let bedrock = |reference: Value| {
        credentials(json!({
            "name": "b", "provider": "bedrock", "region": "us-east-1", "models": ["m"],
            "credentialsRef": reference,
        }))
    };
    let (keys, needed) = bedrock(json!({"name": "aws"}));
    assert!(matches!(keys, Credentials::AwsKeys { .. }));
    assert_eq!(needed, ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);
    assert_eq!(
        keys.secrets().count(),
        3,
        "a session token is read where there is one"
    );
    let (key, needed) = bedrock(json!({"name": "aws", "key": "bearer"}));
    assert!(matches!(key, Credentials::ApiKey { .. }));
    assert_eq!(needed, ["bearer"]);
    let region = "us-east-1".to_owned();
    assert_eq!(bedrock(Value::Null).0, Credentials::AwsWorkload { region });
    let vertex = json!({"name": "v", "provider": "vertex", "project": "p", "models": ["m"]});
    assert_eq!(credentials(vertex).0, Credentials::GoogleWorkload);
}
