//! Who is asked next, and when nobody is.
//!
//! What holds us to the scenarios of Failover Bench 0.1 (here, or in the module that
//! is named):
//!
//! | scenario | test |
//! |---|---|
//! | S01 429 with Retry-After | `a_short_retry_after_is_waited_for_when_nobody_else_is_there` |
//! | S02 429 for ever | `whatever_fails_before_the_first_event_fails_over`, `balance::retries_add_little…` |
//! | S03 500 once | `what_errs_is_tried_again_before_the_next_one` |
//! | S04 503 for ever, S05 reset | `whatever_fails_before_the_first_event_fails_over` |
//! | S06 no response | `what_is_full_or_slow_is_not_tried_again_while_there_is_another` |
//! | S07 slow first token | `heads::a_stream_that_fails_behind_its_announcement_fails_over` |
//! | S08 cut, S14 cut and prefill | `streams::a_cut_chat_stream…`, `nothing_is_retried_after_the_first_event` |
//! | S09 stall | `streams::a_stream_that_stalls_is_given_up_after_the_idle_time` |
//! | S10 malformed chunk, S11 no `[DONE]` | the taps of `agentkube-llm` |
//! | S12 context length, S13 content filter | `a_bad_request_is_passed_on_as_it_is_and_never_retried` |
//! | S15 flapping | `resting::an_open_breaker_leaves_the_upstream_alone`, and the breaker's own |
//! | S16 accounting | `rescued`, `heads::every_answer_names_the_served_model` |

use std::time::Duration;

use agentkube_plan::RetryOn;
use agentkube_testkit::{Reply, Upstream, within};
use serde_json::json;

use super::kit::{Answer, PROVIDER_KEY, Rig, behaving, chat, messages, openai, plan, two};

/// The first upstream behaves so; the second one answers.
async fn rescued(behaviour: &'static str, stream: bool) -> Answer {
    let (first, second, mut plan) = two(behaving(behaviour)).await;
    plan.upstreams[0].timeouts.first_token = Duration::from_millis(100);
    plan.upstreams[0].timeouts.idle = Duration::from_millis(100);
    let rig = Rig::new(plan).await;
    let body = json!({"model": "gpt-5.1", "stream": stream});
    let answer = within(behaviour, rig.call(chat(&body))).await;
    assert_eq!(answer.status, 200, "{behaviour}: {}", answer.text());
    assert_eq!(answer.header("x-agentkube-upstream"), "backup");
    assert_eq!(answer.header("x-agentkube-attempts"), "2");
    assert_eq!(first.requests().len(), 1, "{behaviour}");
    assert_eq!(second.requests().len(), 1, "{behaviour}");
    answer
}

#[tokio::test]
async fn whatever_fails_before_the_first_event_fails_over() {
    for behaviour in [
        "overloaded",
        "ratelimited",
        "quota",
        "unauthorized",
        "broken",
        "cuthead",
        "stallhead",
        "lateerror",
    ] {
        let answer = rescued(behaviour, true).await;
        assert!(answer.text().ends_with("data: [DONE]\n\n"), "{behaviour}");
    }
}

#[tokio::test]
async fn a_whole_answer_that_is_cut_or_stalls_fails_over() {
    for behaviour in ["cut", "stall", "stallhead", "cuthead", "lateerror"] {
        let answer = rescued(behaviour, false).await;
        assert_eq!(answer.json()["object"], "chat.completion", "{behaviour}");
    }
}

#[tokio::test]
async fn an_empty_stream_fails_over() {
    for transcript in ["", "data: [DONE]\n\n", ": hello\n\n"] {
        let (_first, _second, plan) = two(|_| Reply::transcript(transcript)).await;
        let answer = Rig::new(plan).await.chat_stream("gpt-5.1").await;
        assert_eq!(
            answer.header("x-agentkube-upstream"),
            "backup",
            "{transcript:?}"
        );
    }
}

#[tokio::test]
async fn a_refused_connection_fails_over() {
    let (first, _second, plan) = two(|_| Reply::status(200)).await;
    first.stop().await;
    let answer = Rig::new(plan).await.chat("gpt-5.1").await;
    assert_eq!(answer.header("x-agentkube-upstream"), "backup");
}

#[tokio::test]
async fn nothing_is_retried_after_the_first_event() {
    for behaviour in ["cut", "miderror", "unfinished"] {
        let (first, second, mut plan) = two(behaving(behaviour)).await;
        plan.routing.retries.attempts = 2;
        let answer = Rig::new(plan).await.chat_stream("gpt-5.1").await;
        assert_eq!(answer.header("x-agentkube-upstream"), "primary");
        assert!(answer.text().contains("\"error\""), "{behaviour}");
        assert_eq!(first.requests().len(), 1, "{behaviour}");
        assert!(second.requests().is_empty(), "{behaviour}");
    }
}

#[tokio::test]
async fn a_bad_request_is_passed_on_as_it_is_and_never_retried() {
    let (first, second, mut plan) = two(behaving("badrequest")).await;
    plan.routing.retries.attempts = 2;
    let rig = Rig::new(plan).await;
    let answer = rig.chat("gpt-5.1").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    assert_eq!(answer.header("x-agentkube-upstream"), "primary");
    assert_eq!(first.requests().len(), 1);
    assert!(second.requests().is_empty());
}

fn missing(_: &agentkube_testkit::Request) -> Reply {
    let message = "The API deployment for this resource does not exist.";
    let error = json!({"code": "DeploymentNotFound", "message": message});
    Reply::json(404, &json!({"error": error}))
}

#[tokio::test]
async fn who_does_not_know_the_model_does_not_hide_who_is_down() {
    let down = || Upstream::start(|_| Reply::text(503, "text/plain", "no"));
    let unknowing = || Upstream::start(missing);
    for (first, second) in [
        (down().await, unknowing().await),
        (unknowing().await, down().await),
    ] {
        let mut other = openai("other", &second);
        other.priority = 2;
        let mut plan = plan(vec![openai("primary", &first), other]);
        plan.routing.retries.attempts = 0;
        let answer = Rig::new(plan).await.chat("gpt-5.1").await;
        assert!(answer.status.is_server_error(), "{}", answer.text());
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_know_the_model_is_passed_over() {
    let (first, second, mut plan) = two(missing).await;
    plan.routing.retries.attempts = 2;
    let answer = Rig::new(plan).await.chat_stream("gpt-5.1").await;
    assert_eq!(answer.header("x-agentkube-upstream"), "backup");
    assert_eq!(answer.header("x-agentkube-attempts"), "2");
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
    // Nobody knows it: the provider's own words.
    let upstream = Upstream::start(missing).await;
    let mut other = openai("other", &upstream);
    other.priority = 2;
    let rig = Rig::new(super::kit::plan(vec![openai("primary", &upstream), other])).await;
    let answer = rig.chat("gpt-5.1").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["error"]["code"], "DeploymentNotFound");
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn a_refusal_that_quotes_our_key_is_not_passed_on() {
    for (status, kind) in [
        (400, "invalid_request_error"),
        (200, "invalid_request_error"),
    ] {
        let upstream = Upstream::start(move |_| {
            let said = format!("who is Bearer {PROVIDER_KEY}?");
            Reply::json(status, &json!({"error": {"message": said, "type": kind}}))
        })
        .await;
        let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
        let answer = rig.chat("gpt-5.1").await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(!answer.text().contains(PROVIDER_KEY), "{}", answer.text());
        assert!(answer.message().contains("refused the request"));
    }
}

#[tokio::test]
async fn what_errs_is_tried_again_before_the_next_one() {
    let upstream = Upstream::start(|request| match request.number {
        0 | 1 => Reply::text(500, "text/plain", "no"),
        _ => behaving("ok")(request),
    })
    .await;
    let mut plan = plan(vec![openai("primary", &upstream)]);
    plan.routing.retries.attempts = 2;
    let answer = Rig::new(plan).await.chat("gpt-5.1").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-agentkube-attempts"), "3");
    let bodies: Vec<_> = upstream.requests().iter().map(|r| r.body.clone()).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[tokio::test]
async fn what_is_full_or_slow_is_not_tried_again_while_there_is_another() {
    for behaviour in [
        "overloaded",
        "ratelimited",
        "stallhead",
        "quota",
        "unauthorized",
    ] {
        let (first, _second, mut plan) = two(behaving(behaviour)).await;
        plan.routing.retries.attempts = 2;
        plan.upstreams[0].timeouts.first_token = Duration::from_millis(50);
        let answer = Rig::new(plan).await.chat("gpt-5.1").await;
        assert_eq!(answer.header("x-agentkube-upstream"), "backup");
        assert_eq!(first.requests().len(), 1, "{behaviour}");
    }
}

#[tokio::test]
async fn priority_decides_and_not_the_order_of_the_spec() {
    let (first, second, mut plan) = two(behaving("ok")).await;
    plan.upstreams.reverse();
    let answer = Rig::new(plan).await.chat("gpt-5.1").await;
    assert_eq!(answer.header("x-agentkube-upstream"), "primary");
    assert_eq!((first.requests().len(), second.requests().len()), (1, 0));
}

#[tokio::test]
async fn a_short_retry_after_is_waited_for_when_nobody_else_is_there() {
    let upstream = Upstream::start(|request| match request.number {
        0 => Reply::status(429).header("retry-after-ms", "20"),
        _ => behaving("ok")(request),
    })
    .await;
    let mut plan = plan(vec![openai("primary", &upstream)]);
    plan.routing.retries.attempts = 1;
    let answer = Rig::new(plan).await.chat("gpt-5.1").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_long_retry_after_is_told_to_the_client() {
    let upstream = Upstream::start(behaving("ratelimited")).await;
    let mut plan = plan(vec![openai("primary", &upstream)]);
    plan.routing.retries.attempts = 2;
    let answer = Rig::new(plan).await.chat("gpt-5.1").await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), "7");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn an_absurd_retry_after_is_told_as_an_hour() {
    let upstream = Upstream::start(|_| Reply::status(429).header("retry-after", "1e18")).await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let answer = rig.chat("gpt-5.1").await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), "3600");
}

#[tokio::test]
async fn an_exhausted_account_is_no_rate_limit() {
    let upstream = Upstream::start(behaving("quota")).await;
    let mut plan = plan(vec![openai("primary", &upstream)]);
    plan.routing.retries.attempts = 2;
    let answer = Rig::new(plan).await.chat("gpt-5.1").await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.json()["error"]["code"], "insufficient_quota");
    assert_eq!(answer.header("x-should-retry"), "false");
    assert_eq!(upstream.requests().len(), 1, "waiting does not help");
}

#[tokio::test]
async fn refused_credentials_are_a_502_that_names_the_secret() {
    let upstream = Upstream::start(behaving("unauthorized")).await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let answer = rig.chat("gpt-5.1").await;
    assert_eq!(answer.status, 502);
    let message = answer.message();
    assert!(message.contains("`primary`"), "{message}");
    assert!(
        message.contains("Secret \"provider\", key \"api-key\""),
        "{message}"
    );
    assert!(!message.contains("sk-provider"), "{message}");
}

#[tokio::test]
async fn a_failure_that_retry_on_does_not_list_goes_no_further() {
    let (_first, second, mut plan) = two(behaving("overloaded")).await;
    plan.routing.retries.retry_on = vec![RetryOn::Timeout];
    let answer = Rig::new(plan).await.chat("gpt-5.1").await;
    assert_eq!(answer.status, 503);
    assert!(second.requests().is_empty());
}

#[tokio::test]
async fn a_whole_answer_that_stalls_is_given_up_after_the_idle_time() {
    let upstream = Upstream::start(behaving("stall")).await;
    let mut spec = openai("primary", &upstream);
    spec.timeouts.first_token = Duration::from_secs(600);
    spec.timeouts.idle = Duration::from_millis(50);
    let rig = Rig::new(plan(vec![spec])).await;
    let answer = within("a 504", rig.chat("gpt-5.1")).await;
    assert_eq!(answer.status, 504);
    assert!(answer.message().contains("stalled"), "{}", answer.message());
}

#[tokio::test]
async fn nobody_left_is_told_in_the_clients_dialect() {
    let upstream = Upstream::start(behaving("stallhead")).await;
    let mut spec = super::kit::anthropic("claude", &upstream);
    spec.timeouts.first_token = Duration::from_millis(50);
    let rig = Rig::new(plan(vec![spec])).await;
    let answer = within("a 504", rig.call(messages(&json!({"model": "gpt-5.1"})))).await;
    assert_eq!(answer.status, 504);
    assert_eq!(answer.json()["type"], "error");
    assert!(
        answer.message().contains("within 50ms"),
        "{}",
        answer.message()
    );
}
