//! What holds of every wire to a provider, passed on and translated: failures before
//! the first piece fail over, later ones are told and never look complete, and a
//! client that leaves takes its request along.

use std::time::Duration;

use agentkube_plan::{GatewayPlan, GatewayUpstream, Provider};
use agentkube_testkit::{Outcome, Reply, Upstream, within};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::json;

use super::kit::{
    Answer, Rig, api_chat, behaving, chat, messages, mk_upstream, openai, plan, post,
};

/// A client that streams, and how it is told that an answer is over or failed.
#[derive(Clone, Copy)]
struct Speaker {
    name: &'static str,
    ask: fn(&str) -> Request<Full<Bytes>>,
    over: &'static str,
    failed: &'static str,
}

const CHAT: Speaker = Speaker {
    name: "chat",
    ask: |model| {
        chat(&json!({"model": model, "stream": true,
                     "messages": [{"role": "user", "content": "Hi"}]}))
    },
    over: "[DONE]",
    failed: "data: {\"error\":",
};

const RESPONSES: Speaker = Speaker {
    name: "responses",
    ask: |model| {
        let body = json!({"model": model, "stream": true, "store": false, "input": "Hi"});
        post("/v1/responses", body.to_string())
    },
    over: "response.completed",
    failed: "\nevent: error\n",
};

const MESSAGES: Speaker = Speaker {
    name: "messages",
    ask: |model| {
        messages(&json!({"model": model, "stream": true, "max_tokens": 9,
                         "messages": [{"role": "user", "content": "Hi"}]}))
    },
    over: "message_stop",
    failed: "event: error\n",
};

const CONVERSE: Speaker = Speaker {
    name: "converse",
    ask: |model| {
        let body = json!({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]});
        post(&format!("/model/{model}/converse-stream"), body.to_string())
    },
    over: "messageStop",
    failed: "Exception",
};

const GEMINI: Speaker = Speaker {
    name: "gemini",
    ask: |model| {
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]});
        let path = format!("/v1beta/models/{model}:streamGenerateContent?alt=sse");
        post(&path, body.to_string())
    },
    over: "finishReason",
    failed: "data: {\"error\":",
};

const OLLAMA: Speaker = Speaker {
    name: "ollama",
    ask: |model| {
        api_chat(&json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]}))
    },
    over: "\"done\":true",
    failed: "{\"error\":",
};

/// Each wire to a provider: who speaks it to us as well, and a model that goes over it.
const WIRES: [(Speaker, Provider, &str); 6] = [
    (CHAT, Provider::Openai, "gpt-5.1"),
    // Served by Responses only.
    (RESPONSES, Provider::Openai, "gpt-5-pro"),
    (MESSAGES, Provider::Anthropic, "gpt-5.1"),
    (CONVERSE, Provider::Bedrock, "gpt-5.1"),
    (GEMINI, Provider::Vertex, "gpt-5.1"),
    (OLLAMA, Provider::Ollama, "gpt-5.1"),
];

/// One wire with one client.
struct Pair {
    name: String,
    client: Speaker,
    provider: Provider,
    model: &'static str,
    /// Where the upstream is asked.
    path: &'static str,
}

/// Every wire with a client of its own dialect, and with one of another.
fn pairs() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (own, provider, model) in WIRES {
        let path = match own.name {
            "chat" => "/v1/chat/completions",
            "responses" => "/v1/responses",
            "messages" => "/v1/messages",
            "converse" => "/model/gpt-5.1/converse-stream",
            "gemini" => {
                "/v1/projects/p/locations/global/publishers/google/models/\
                 gpt-5.1:streamGenerateContent?alt=sse"
            }
            _ => "/api/chat",
        };
        let other = match own.name {
            "chat" => MESSAGES,
            // Ollama speaks OpenAI's and Anthropic's dialects as well.
            "ollama" => GEMINI,
            _ => CHAT,
        };
        for client in [own, other] {
            pairs.push(Pair {
                name: format!("{} by {}", own.name, client.name),
                client,
                provider,
                model,
                path,
            });
        }
    }
    pairs
}

impl Pair {
    fn upstream(&self, upstream: &Upstream) -> GatewayUpstream {
        let base = match self.provider {
            Provider::Anthropic | Provider::Bedrock => "",
            Provider::Vertex => "/v1/projects/p/locations/global",
            _ => "/v1",
        };
        let mut spec = mk_upstream("primary", self.provider, upstream.url(base));
        spec.models = vec![self.model.into()];
        spec
    }

    fn alone(&self, upstream: &Upstream) -> GatewayPlan {
        plan(vec![self.upstream(upstream)])
    }

    async fn asked(&self, rig: &Rig) -> Answer {
        within(&self.name, rig.call((self.client.ask)(self.model))).await
    }
}

/// The answer of which the first of two upstreams only has the head.
async fn rescued(
    pair: &Pair,
    first: impl Fn(&agentkube_testkit::Request) -> Reply + Send + Sync + 'static,
) -> Answer {
    let first = Upstream::start(first).await;
    let second = Upstream::by_model().await;
    let mut primary = pair.upstream(&first);
    primary.timeouts.first_token = Duration::from_millis(50);
    let mut backup = openai("backup", &second);
    backup.models = vec![pair.model.into()];
    backup.priority = 2;
    let rig = Rig::new(plan(vec![primary, backup])).await;
    let answer = pair.asked(&rig).await;
    assert_eq!(first.requests()[0].path, pair.path, "{}", pair.name);
    answer
}

#[tokio::test]
async fn a_stream_without_a_first_piece_fails_over() {
    for pair in &pairs() {
        for behaviour in ["lateerror", "stallhead", "cuthead", "empty"] {
            let answer = match behaviour {
                "empty" => {
                    let media = if pair.provider == Provider::Bedrock {
                        "application/vnd.amazon.eventstream"
                    } else if pair.path == "/api/chat" {
                        "application/x-ndjson"
                    } else {
                        "text/event-stream"
                    };
                    rescued(pair, move |_| Reply::stream(media).head()).await
                }
                other => rescued(pair, behaving(other)).await,
            };
            let name = format!("{} {behaviour}", pair.name);
            assert_eq!(answer.status, 200, "{name}");
            assert_eq!(answer.header("x-agentkube-upstream"), "backup", "{name}");
            assert_eq!(answer.header("x-agentkube-attempts"), "2", "{name}");
            let told = String::from_utf8_lossy(&answer.body);
            assert!(told.contains(pair.client.over), "{name}: {told}");
            assert!(!told.contains(pair.client.failed), "{name}: {told}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_told_and_never_over() {
    for pair in &pairs() {
        for behaviour in ["cut", "stall", "unfinished", "miderror"] {
            let upstream = Upstream::start(behaving(behaviour)).await;
            let mut plan = pair.alone(&upstream);
            plan.upstreams[0].timeouts.idle = Duration::from_millis(50);
            let rig = Rig::new(plan).await;
            let answer = pair.asked(&rig).await;
            let name = format!("{} {behaviour}", pair.name);
            assert_eq!(answer.status, 200, "{name}");
            let told = String::from_utf8_lossy(&answer.body);
            assert!(told.contains("Hello"), "{name}: {told}");
            assert!(is_told(pair, &told), "{name}: {told}");
            assert!(!told.contains(pair.client.over), "{name}: {told}");
            let labels = ["outcome=\"truncated\""];
            let counted = rig.metric("agentkube_llm_attempts_total", &labels);
            assert_eq!(counted, 1.0, "{name}");
            if behaviour == "stall" {
                assert_eq!(upstream.outcome(0).await, Outcome::ClientGone, "{name}");
            }
        }
    }
}

/// A response that was announced fails in an event of its own.
fn is_told(pair: &Pair, told: &str) -> bool {
    told.contains(pair.client.failed)
        || (pair.client.name == "responses" && told.contains("event: response.failed\n"))
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_upstream_and_is_settled() {
    for pair in &pairs() {
        let upstream = Upstream::start(behaving("stall")).await;
        let rig = Rig::new(pair.alone(&upstream)).await;
        let mut body = rig.open((pair.client.ask)(pair.model)).await.into_body();
        let first = within(&pair.name, body.frame()).await;
        assert!(first.unwrap().is_ok(), "{}", pair.name);
        assert_eq!(rig.metric("agentkube_requests_in_flight", &[]), 1.0);
        drop(body);
        let outcome = within(&pair.name, upstream.outcome(0)).await;
        assert_eq!(outcome, Outcome::ClientGone, "{}", pair.name);
        for (metric, labels, expected) in [
            (
                "agentkube_llm_attempts_total",
                &["outcome=\"cancelled\""][..],
                1.0,
            ),
            ("agentkube_requests_total", &["code=\"aborted\""], 1.0),
            ("agentkube_requests_in_flight", &[], 0.0),
        ] {
            assert_eq!(
                rig.metric(metric, labels),
                expected,
                "{}: {metric}",
                pair.name
            );
        }
        // What the wire told by then.
        if matches!(pair.provider, Provider::Anthropic | Provider::Vertex) {
            let input = rig.metric("agentkube_llm_tokens_total", &["type=\"input\""]);
            assert_eq!(input, 11.0, "{}", pair.name);
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_piece_cancels_the_upstream() {
    for pair in &pairs() {
        let upstream = Upstream::start(behaving("stallhead")).await;
        let rig = Rig::new(pair.alone(&upstream)).await;
        let asked = (pair.client.ask)(pair.model);
        let call = tokio::spawn(tower::ServiceExt::oneshot(rig.gateway.service(), asked));
        within(&pair.name, upstream.request(0)).await;
        call.abort();
        let outcome = within(&pair.name, upstream.outcome(0)).await;
        assert_eq!(outcome, Outcome::ClientGone, "{}", pair.name);
    }
}
