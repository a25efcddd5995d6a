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
        assert!(found.is_bypass(EmbedForm::OpenAi));
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
    let request = titan.request(EmbedForm::OpenAi, asked, "m").unwrap();
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
    let two = titan
        .request(EmbedForm::OpenAi, br#"{"input":["a","b"]}"#, "m")
        .unwrap_err();
    assert_eq!(two.param.as_deref(), Some("input"));
}

#[test]
fn cohere_embeds_many_texts_and_a_header_counts_them() {
    let cohere = service("bedrock", "us.cohere.embed-v4:0");
    let request = cohere
        .request(EmbedForm::OpenAi, br#"{"input":["a","b"]}"#, "m")
        .unwrap();
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
    let request = vertex.request(EmbedForm::OpenAi, asked, "m").unwrap();
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
    let request = vertex
        .request(EmbedForm::OpenAi, br#"{"input":["a","b"]}"#, "m")
        .unwrap();
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
        let refused = vertex
            .request(EmbedForm::OpenAi, body.as_bytes(), "m")
            .unwrap_err();
        assert_eq!(refused.param.as_deref(), Some(field), "{body}");
    }
}

const BATCH: &[u8] = br#"{"requests":[
    {"model":"models/m","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":2},
    {"model":"models/m","content":{"role":"user","parts":[{"text":"b"},{"text":"c"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":2}
]}"#;

const ONE: &[u8] = br#"{"content":{"parts":[{"text":"a"}]},
    "embedContentConfig":{"taskType":"CLUSTERING","title":"T","autoTruncate":true}}"#;

fn asked(provider: &str, model: &str, form: EmbedForm, body: &[u8]) -> EmbedRequest {
    let profile = Profile::of(provider).unwrap();
    let service = EmbedService::of(provider, profile, model).unwrap();
    service.request(form, body, model).unwrap()
}

fn told(request: &EmbedRequest, said: &str, counted: Option<u64>) -> Value {
    let (body, _) = request
        .context
        .answer(said.as_bytes(), "m", counted)
        .unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn clients_of_gemini_embed_with_openais_models() {
    let batch = asked(
        "openai",
        "text-embedding-3-small",
        EmbedForm::GeminiBatch,
        BATCH,
    );
    let expected = json!({"model": "text-embedding-3-small", "input": ["a", "b\nc"],
        "encoding_format": "float", "dimensions": 2});
    assert_eq!(sent(&batch), expected);
    let dropped = "requests[0].taskType, requests[1].taskType";
    assert_eq!(batch.dropped.to_string(), dropped);
    let said = r#"{"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2]}],
        "usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    let expected = json!({"embeddings": [{"values": [1, 2]}, {"values": [3, 4]}],
        "usageMetadata": {"promptTokenCount": 5}});
    assert_eq!(told(&batch, said, None), expected);

    let one = asked("vllm", "bge", EmbedForm::GeminiContent, ONE);
    let said = r#"{"data":[{"index":0,"embedding":[1,2]}]}"#;
    assert_eq!(
        told(&one, said, None),
        json!({"embedding": {"values": [1, 2]}})
    );
    assert_eq!(
        one.dropped.to_string(),
        "embedContentConfig.taskType, embedContentConfig.title, embedContentConfig.autoTruncate"
    );
}

#[test]
fn what_a_vector_is_for_is_told_to_those_who_ask() {
    let cohere = asked(
        "bedrock",
        "cohere.embed-v4:0",
        EmbedForm::GeminiBatch,
        BATCH,
    );
    let expected = json!({"texts": ["a", "b\nc"], "input_type": "search_query",
        "output_dimension": 2});
    assert_eq!(sent(&cohere), expected);
    assert!(cohere.dropped.is_empty());
    let vertex = asked(
        "vertex",
        "text-embedding-005",
        EmbedForm::GeminiContent,
        ONE,
    );
    let instance = json!({"content": "a", "task_type": "CLUSTERING", "title": "T"});
    let parameters = json!({"autoTruncate": true});
    let expected = json!({"instances": [instance], "parameters": parameters});
    assert_eq!(sent(&vertex), expected);
    let titan = asked(
        "bedrock",
        "amazon.titan-embed-text-v2:0",
        EmbedForm::GeminiContent,
        ONE,
    );
    assert_eq!(sent(&titan), json!({"inputText": "a"}));
    assert_eq!(titan.dropped.len(), 3);
}

#[test]
fn geminis_second_generation_is_asked_in_its_own_words() {
    let profile = Profile::of("vertex").unwrap();
    let path = |model: &str| {
        let service = EmbedService::of("vertex", profile, model).unwrap();
        service.path(model).unwrap().into_owned()
    };
    assert!(path("gemini-embedding-001").ends_with(":predict"));
    assert!(path("gemini-embedding-2-preview").ends_with(":batchEmbedContents"));
    let openai = br#"{"input":["a"],"dimensions":3}"#;
    let request = asked("vertex", "gemini-embedding-2", EmbedForm::OpenAi, openai);
    let config = json!({"outputDimensionality": 3, "autoTruncate": false});
    let content = json!({"role": "user", "parts": [{"text": "a"}]});
    let expected = json!({"requests": [{"content": content, "embedContentConfig": config}]});
    assert_eq!(sent(&request), expected);
    let said = r#"{"embeddings":[{"values":[1]}],"usageMetadata":{"promptTokenCount":2}}"#;
    let answer = told(&request, said, None);
    assert_eq!(answer["data"][0]["embedding"], json!([1]));
    assert_eq!(answer["usage"]["prompt_tokens"], 2);
}

#[test]
fn what_gemini_clients_cannot_have_is_a_400_that_names_it() {
    let profile = Profile::of("bedrock").unwrap();
    let titan = EmbedService::of("bedrock", profile, "amazon.titan-embed-text-v1").unwrap();
    let batch = |requests: &str| format!("{{\"requests\":[{requests}]}}");
    let text = r#"{"content":{"parts":[{"text":"a"}]}}"#;
    for (form, body, field) in [
        (EmbedForm::GeminiBatch, batch(""), "requests"),
        (
            EmbedForm::GeminiBatch,
            batch(&[text, text].join(",")),
            "requests",
        ),
        (EmbedForm::GeminiBatch, "{}".to_owned(), "requests"),
        (EmbedForm::GeminiContent, "{}".to_owned(), "content"),
        (
            EmbedForm::GeminiContent,
            r#"{"content":{"parts":[{"inlineData":{}}]}}"#.to_owned(),
            "content.parts[0]",
        ),
        (
            EmbedForm::GeminiBatch,
            batch(
                r#"{"content":{"parts":[{"text":"a"}]},"outputDimensionality":1},
                   {"content":{"parts":[{"text":"a"}]},"outputDimensionality":2}"#,
            ),
            "requests[1].outputDimensionality",
        ),
    ] {
        let refused = titan.request(form, body.as_bytes(), "m").unwrap_err();
        assert_eq!(refused.param.as_deref(), Some(field), "{body}");
    }
}
