//! How busy upstreams are: what we wait for there, and what vLLM says of itself.
//!
//! Several replicas, and others, may use one engine; its own queue tells what all
//! of them wait for. It is asked for in the background, never by a request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agentkube_plan::Provider;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use tokio::time::Instant;
use tower::ServiceExt;

use super::dial::Dial;
use super::table::{Candidate, Upstream};
use crate::edge::BoxError;

/// How often engines are asked.
pub(super) const EVERY: Duration = Duration::from_secs(5);

/// How long one may take to say.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What was said is old behind that: three times without an answer.
const FRESH: Duration = Duration::from_secs(15);

/// Longest page of metrics that is read; vLLM's has some 100 KiB.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A cache so full that an engine puts off what it has begun.
const FULL: f64 = 0.95;

/// A share is divided by as much more when the cache is full.
const FULL_COSTS: u64 = 4;

/// A weight of 1 for an idle upstream. Weights go to 1,000,000 at most.
const SCALE: u64 = 1 << 20;

/// What an engine said of itself last.
#[derive(Debug, Default)]
pub(super) struct EngineLoad(Mutex<Option<(Instant, Engine)>>);

/// The gauges of an engine (vLLM, "Production Metrics").
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Engine {
    running: f64,
    waiting: f64,
    /// Of the KV cache: 0 to 1.
    cache: f64,
}

/// The share of a candidate, by weight and load: as weights say among idle
/// upstreams; with N requests under way, a part in N+1 of that.
pub(super) fn share<C>(candidate: &Candidate<C>, now: Instant) -> u64 {
    let weight = u64::from(candidate.upstream.weight);
    let pending = u64::from(candidate.slot.pending());
    let (queue, full) = candidate.upstream.engine.queue(now);
    let costs = if full { FULL_COSTS } else { 1 };
    let share = weight.saturating_mul(SCALE) / pending.max(queue).saturating_add(1) / costs;
    // A weight that is none stays none; another one always has a share.
    share.max(weight.min(1))
}

/// Asks all engines of a table whose answer can matter.
pub(super) async fn refresh<D: Dial>(upstreams: &[std::sync::Arc<Upstream<D::Client>>]) {
    if upstreams.len() < 2 {
        return;
    }
    let engines = upstreams
        .iter()
        .filter(|upstream| upstream.spec.provider == Provider::Vllm);
    let asked = engines.map(|upstream| async move {
        if let Ok(Ok(engine)) = tokio::time::timeout(TIMEOUT, ask::<D>(upstream)).await {
            upstream.engine.set(Instant::now(), engine);
        }
    });
    futures::future::join_all(asked).await;
}

async fn ask<D: Dial>(upstream: &Upstream<D::Client>) -> Result<Engine, BoxError> {
    let base = &upstream.spec.base_url;
    let base = base.strip_suffix("/v1").unwrap_or(base);
    let mut request = Request::builder()
        .method(Method::GET)
        .uri(format!("{base}/metrics"))
        .body(Full::default())?;
    let proven = upstream.key.prove(&mut request, &Bytes::new()).await;
    proven.map_err(|failed| failed.what)?;
    let response = upstream.client.clone().oneshot(request).await?;
    if !response.status().is_success() {
        return Err("no metrics".into());
    }
    let body = Limited::new(response.into_body(), MAX_BYTES);
    let bytes = body.collect().await?.to_bytes();
    let text = std::str::from_utf8(&bytes)?;
    Engine::read(text).ok_or_else(|| "no gauges".into())
}

impl EngineLoad {
    fn set(&self, now: Instant, engine: Engine) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((now, engine));
    }

    /// Requests at the engine, and whether its cache is full.
    fn queue(&self, now: Instant) -> (u64, bool) {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match last {
            Some((at, engine)) if now.saturating_duration_since(at) < FRESH => {
                (engine.requests(), engine.cache >= FULL)
            }
            _ => (0, false),
        }
    }
}

impl Engine {
    /// Sums over the models and engines behind one address; none when it is no
    /// vLLM.
    fn read(text: &str) -> Option<Self> {
        let mut engine = Self::default();
        let mut known = false;
        for line in text.lines() {
            let Some(gauge) = line.strip_prefix("vllm:") else {
                continue;
            };
            let name = gauge.split(['{', ' ']).next().unwrap_or_default();
            let value = || gauge.rsplit(' ').next()?.parse::<f64>().ok();
            let value = || value().filter(|value| value.is_finite() && *value >= 0.0);
            match name {
                "num_requests_running" => engine.running += value()?,
                "num_requests_waiting" => engine.waiting += value()?,
                // Its name in older versions.
                "kv_cache_usage_perc" | "gpu_cache_usage_perc" => {
                    engine.cache = engine.cache.max(value()?);
                    continue;
                }
                _ => continue,
            }
            known = true;
        }
        known.then_some(engine)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count, finite and not negative; too many saturate"
    )]
    fn requests(self) -> u64 {
        (self.running + self.waiting) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine=\"0\",model_name=\"a b\"} 3.0
vllm:num_requests_running{engine=\"1\",model_name=\"a b\"} 2.0
vllm:num_requests_waiting{engine=\"0\",model_name=\"a b\"} 7.0
vllm:num_requests_waiting_by_reason{reason=\"x\"} 7.0
vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"a b\"} 0.97
vllm:prompt_tokens_total{engine=\"0\"} 1.5e+06
process_open_fds 20.0
";

    #[test]
    fn the_gauges_of_all_engines_are_summed() {
        let engine = Engine::read(PAGE).unwrap();
        assert_eq!((engine.running, engine.waiting), (5.0, 7.0));
        assert_eq!(engine.cache, 0.97);
        let old = "vllm:gpu_cache_usage_perc 0.5\nvllm:num_requests_waiting 0\n";
        assert_eq!(Engine::read(old).unwrap().cache, 0.5);
    }

    #[test]
    fn what_is_no_engine_says_nothing() {
        for page in [
            "",
            "<html>",
            "process_open_fds 20.0",
            "vllm:num_requests_running{} NaN",
        ] {
            assert_eq!(Engine::read(page), None, "{page}");
        }
    }

    #[test]
    fn old_words_do_not_count() {
        let (load, now) = (EngineLoad::default(), Instant::now());
        assert_eq!(load.queue(now), (0, false));
        load.set(now, Engine::read(PAGE).unwrap());
        assert_eq!(load.queue(now), (12, true));
        assert_eq!(load.queue(now + FRESH), (0, false));
    }
}
