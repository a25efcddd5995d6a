use serde_json::{Value, json};

use super::*;
use crate::Usage;

fn service(provider: &str, model: &str) -> EmbedService {
    // A profile without embeddings of OpenAI's wire.
    EmbedService::of(provider, Profile::of("anthropic").unwrap(), model).unwrap()
}

fn sent(request: &EmbedRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

#[test]
fn providers_of_openais_wire_take_the_clients_bytes() {
    for provider in ["openai", "ollama", "vllm"] {
        let profile = Profile::of(provider).unwrap();
        let found = EmbedService::of(provider, profile, "org/m").unwrap();
        assert!(found.is_bypass());
        assert_eq!(found.path("org/m").unwrap(), "/embeddings");
    }
    let anthropic = Profile::of("anthropic").unwrap();
    assert_eq!(EmbedService::of("anthropic", anthropic, "m"), None);
    assert!(not_served("claude").message().contains("vllm"));
}

#[test]
fn titan_embeds_one_text_and_counts_it() {
    let titan = service("bedrock", "amazon.titan-embed-text-v2:0");
    assert_eq!(
        titan.path("amazon.titan-embed-text-v2:0").unwrap(),
        "/model/amazon.titan-embed-text-v2%3A0/invoke"
    );
    let asked = br#"{"model":"m","input":"Hi","dimensions":256,"user":"u"}"#;
    let request = titan.request(asked).unwrap();
    assert_eq!(
        sent(&request),
        json!({"inputText": "Hi", "dimensions": 256})
    );
    assert_eq!(request.dropped.to_string(), "user");
    let said = br#"{"embedding":[0.10,-2],"inputTextTokenCount":3}"#;
    let (body, usage) = request.context.answer(said, "served", None).unwrap();
    assert_eq!(
        body,
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-2]}],"model":"served","usage":{"prompt_tokens":3,"total_tokens":3}}"#
    );
    let input = 3;
    let expected = Usage {
        input,
        ..Usage::default()
    };
    assert_eq!(usage, UsageReport::Final(expected));
    let two = titan.request(br#"{"input":["a","b"]}"#).unwrap_err();
    assert_eq!(two.param.as_deref(), Some("input"));
}

#[test]
fn cohere_embeds_many_texts_and_a_header_counts_them() {
    let cohere = service("bedrock", "us.cohere.embed-v4:0");
    let request = cohere.request(br#"{"input":["a","b"]}"#).unwrap();
    let expected = json!({"texts": ["a", "b"], "input_type": "search_document"});
    assert_eq!(sent(&request), expected);
    for said in [
        r#"{"id":"1","embeddings":[[1],[2]],"response_type":"embeddings_floats"}"#,
        r#"{"id":"1","embeddings":{"float":[[1],[2]]},"response_type":"embeddings_by_type"}"#,
    ] {
        let (body, usage) = request
            .context
            .answer(said.as_bytes(), "m", Some(5))
            .unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["data"][1]["embedding"], json!([2]));
        assert_eq!(usage.counts().unwrap().input, 5);
        let (body, usage) = request.context.answer(said.as_bytes(), "m", None).unwrap();
        assert_eq!(usage, UsageReport::Absent, "not invented");
        assert!(!String::from_utf8(body.to_vec()).unwrap().contains("usage"));
    }
}

#[test]
fn vertex_predicts_and_what_is_too_long_is_not_cut() {
    let vertex = service("vertex", "gemini-embedding-001");
    assert_eq!(
        vertex.path("gemini-embedding-001").unwrap(),
        "/publishers/google/models/gemini-embedding-001:predict"
    );
    let asked = br#"{"input":["a","b"],"dimensions":2,"encoding_format":"base64"}"#;
    let request = vertex.request(asked).unwrap();
    let expected = json!({"instances": [{"content": "a"}, {"content": "b"}],
        "parameters": {"autoTruncate": false, "outputDimensionality": 2}});
    assert_eq!(sent(&request), expected);
    let said = br#"{"predictions":[
        {"embeddings":{"values":[1,0.5],"statistics":{"token_count":4.0,"truncated":false}}},
        {"embeddings":{"values":[-1,0],"statistics":{"token_count":2}}}]}"#;
    let (body, usage) = request.context.answer(said, "m", None).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["data"][0]["embedding"], "AACAPwAAAD8=");
    assert_eq!(usage.counts().unwrap().input, 6);
}

#[test]
fn answers_of_another_shape_or_number_are_failures() {
    let vertex = service("vertex", "text-embedding-005");
    let request = vertex.request(br#"{"input":["a","b"]}"#).unwrap();
    for said in [
        r#"{"predictions":[]}"#,
        r#"{"predictions":[{"embeddings":{"values":[1]}}]}"#,
        r#"{"predictions":[{"embeddings":{"values":["x"]}},{"embeddings":{"values":[1]}}]}"#,
        "{}",
        "<html>",
    ] {
        let failure = request
            .context
            .answer(said.as_bytes(), "m", None)
            .unwrap_err();
        assert_eq!(failure.code.as_deref(), Some("unreadable_answer"), "{said}");
    }
}

#[test]
fn what_cannot_be_embedded_is_a_400_that_names_the_field() {
    let vertex = service("vertex", "text-embedding-005");
    for (body, field) in [
        (r#"{"model":"m"}"#, "input"),
        (r#"{"input":[]}"#, "input"),
        (r#"{"input":[1,2]}"#, "input"),
        (r#"{"input":[[1],[2]]}"#, "input"),
        (r#"{"input":""}"#, "input"),
        (
            r#"{"input":"a","encoding_format":"int8"}"#,
            "encoding_format",
        ),
        (r#"{"input":"a","dimensions":"many"}"#, "dimensions"),
    ] {
        let refused = vertex.request(body.as_bytes()).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some(field), "{body}");
    }
}
