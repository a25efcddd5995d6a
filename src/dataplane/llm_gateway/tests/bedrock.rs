//! Clients and providers that speak Converse.

use agentkube_plan::Provider;
use agentkube_testkit::{Reply, Upstream};
use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Full;
use serde_json::json;

use super::kit::{KEY, PROVIDER_KEY, Rig, behaving, messages, mk_upstream, openai, plan, post};

const STREAM: &str = "application/vnd.amazon.eventstream";

fn bedrock(name: &str, upstream: &Upstream) -> agentkube_plan::GatewayUpstream {
    mk_upstream(name, Provider::Bedrock, upstream.url(""))
}

fn asked() -> String {
    // The white space is the client's.
    String::from(r#"{ "messages": [ {"role":"user","content":[{"text":"Hi"}]} ] }"#)
}

/// As boto3 signs it, with the key as its session.
fn converse(path: &str) -> Request<Full<Bytes>> {
    let mut request = post(path, asked());
    let headers = request.headers_mut();
    let signed = HeaderValue::from_static("AWS4-HMAC-SHA256 Credential=agentkube/x, Signature=0");
    headers.insert("authorization", signed);
    headers.insert("x-amz-date", HeaderValue::from_static("20261124T000000Z"));
    headers.insert("x-amz-security-token", HeaderValue::from_static(KEY));
    request
}

#[tokio::test]
async fn a_request_passes_as_it_is_to_the_providers_name_of_the_model() {
    let upstream = Upstream::by_model().await;
    let mut spec = bedrock("aws", &upstream);
    let profile = "us.anthropic.claude-v1:0";
    spec.model_names = [("gpt-5.1".to_owned(), profile.to_owned())].into();
    let rig = Rig::new(plan(vec![spec])).await;
    let answer = rig.call(converse("/model/fast/converse")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["stopReason"], "end_turn");
    assert_eq!(answer.header("x-agentkube-model"), "gpt-5.1");
    let seen = &upstream.requests()[0];
    assert_eq!(seen.path, "/model/us.anthropic.claude-v1%3A0/converse");
    assert_eq!(seen.body, asked());
    let key = format!("Bearer {PROVIDER_KEY}");
    assert_eq!(seen.header("authorization"), Some(key.as_str()));
    for name in ["x-amz-date", "x-amz-security-token"] {
        assert_eq!(seen.header(name), None, "the client's session stays here");
    }
    assert!(rig.metric("agentkube_llm_tokens_total", &["upstream=\"aws\""]) > 0.0);
}

#[tokio::test]
async fn a_stream_passes_frame_by_frame_and_is_counted() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![bedrock("aws", &upstream)])).await;
    let answer = rig.call(converse("/model/gpt-5.1/converse-stream")).await;
    assert_eq!(answer.header("content-type"), STREAM);
    let events = ["messageStart", "messageStop", "metadata"];
    let text = String::from_utf8_lossy(&answer.body);
    assert!(events.iter().all(|event| text.contains(event)), "{text}");
    assert!(rig.metric("agentkube_llm_tokens_total", &["upstream=\"aws\""]) > 0.0);
}

#[tokio::test]
async fn an_exception_first_under_a_200_fails_over() {
    let first = Upstream::start(behaving("lateerror")).await;
    let second = Upstream::by_model().await;
    let mut backup = openai("backup", &second);
    backup.priority = 2;
    let rig = Rig::new(plan(vec![bedrock("aws", &first), backup])).await;
    let answer = rig.call(converse("/model/gpt-5.1/converse-stream")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-agentkube-upstream"), "backup");
    // Translated, and framed as the client expects it.
    assert_eq!(answer.header("content-type"), STREAM);
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.contains("messageStop") && !text.contains("data:"));
}

#[tokio::test]
async fn a_damaged_frame_ends_in_an_exception_and_no_end_of_the_answer() {
    let whole = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![bedrock("aws", &whole)])).await;
    let body = rig
        .call(converse("/model/gpt-5.1/converse-stream"))
        .await
        .body;
    let mut body = body.to_vec();
    let at = body.windows(9).position(|it| it == b" scripted").unwrap();
    body[at + 1] = b'S';
    let damaged = Upstream::start(move |_| Reply::stream(STREAM).chunk(body.clone())).await;
    let rig = Rig::new(plan(vec![bedrock("aws", &damaged)])).await;
    let answer = rig.call(converse("/model/gpt-5.1/converse-stream")).await;
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.contains("Hello") && !text.contains("Scripted"));
    assert!(text.contains("modelStreamErrorException") && !text.contains("messageStop"));
}

#[tokio::test]
async fn an_error_of_ours_names_its_type_as_aws_does() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![bedrock("aws", &upstream)])).await;
    let answer = rig.call(converse("/model/unknown/converse")).await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.header("x-amzn-errortype"),
        "ResourceNotFoundException"
    );
    assert!(
        answer.json()["message"]
            .as_str()
            .unwrap()
            .contains("`unknown`")
    );
}

#[tokio::test]
async fn no_model_leads_to_another_path_of_the_provider() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![bedrock("aws", &upstream)])).await;
    for model in [
        "served-%2F..%2F..%2Fguardrail",
        "served-%3Fx",
        "served-%23",
        "served-%0A",
    ] {
        let answer = rig
            .call(converse(&format!("/model/{model}/converse")))
            .await;
        assert_eq!(answer.status, 400, "{model}");
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn tokens_are_counted_by_the_foundation_model() {
    let reply = |_: &agentkube_testkit::Request| Reply::json(200, &json!({"inputTokens": 7}));
    let upstream = Upstream::start(reply).await;
    let mut spec = bedrock("aws", &upstream);
    spec.model_names = [("gpt-5.1".to_owned(), "eu.anthropic.claude-v1:0".to_owned())].into();
    let rig = Rig::new(plan(vec![spec])).await;
    let answer = rig.call(converse("/model/gpt-5.1/count-tokens")).await;
    assert_eq!(answer.json()["inputTokens"], 7);
    let path = upstream.requests()[0].path.clone();
    assert_eq!(path, "/model/anthropic.claude-v1%3A0/count-tokens");
}

#[tokio::test]
async fn documents_of_claudes_clients_are_taken() {
    // The script refuses what the service does: documents without a text, text that is
    // no file, breakpoints behind such documents.
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![bedrock("aws", &upstream)])).await;
    let cached = json!({"type": "ephemeral"});
    let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="});
    let text = json!({"type": "text", "media_type": "text/plain", "data": "Plain."});
    let parts = json!({"type": "content", "content": [{"type": "text", "text": "In parts."}]});
    for (source, citations) in [
        (&pdf, false),
        (&text, false),
        (&text, true),
        (&parts, false),
        (&parts, true),
    ] {
        let document = json!({"type": "document", "source": source, "cache_control": cached,
                              "citations": {"enabled": citations}});
        for content in [
            json!([document]),
            json!([{"type": "text", "text": "This?"}, document]),
        ] {
            let body = json!({"model": "gpt-5.1", "max_tokens": 9,
                              "messages": [{"role": "user", "content": content}]});
            let answer = rig.call(messages(&body)).await;
            assert_eq!(answer.status, 200, "{content}: {}", answer.text());
        }
    }
}
