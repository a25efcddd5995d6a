//! Models of upstreams that list none in the spec: they are asked for theirs
//! (`GET <base>/models`, as Ollama and vLLM serve it).

use std::collections::HashMap;
use std::time::Duration;

use agentkube_plan::{GatewayUpstream, ModelPattern};
use bytes::Bytes;
use http::{Method, Request, header::ACCEPT};
use http_body_util::{BodyExt, Full, Limited};
use serde::Deserialize;
use tower::ServiceExt;

use super::dial::Dial;
use super::table::Upstream;
use crate::edge::BoxError;

/// How often an upstream is asked.
pub(super) const EVERY: Duration = Duration::from_secs(30);

/// How long it may take to say.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Of one upstream; what it lists beyond that is not served.
const MAX_MODELS: usize = 256;

/// Longest list that is read.
const MAX_BYTES: usize = 1024 * 1024;

/// What discovering upstreams serve, by the upstream's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Discovered(HashMap<String, Vec<ModelPattern>>);

#[derive(Deserialize)]
struct List {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
}

impl Discovered {
    /// What an upstream serves: what the spec says, else what it said itself.
    pub(super) fn models<'a>(&'a self, spec: &'a GatewayUpstream) -> &'a [ModelPattern] {
        if spec.models.is_empty() {
            self.0.get(&spec.name).map_or(&[], Vec::as_slice)
        } else {
            &spec.models
        }
    }

    /// True when an upstream that lists none has said what it serves.
    pub(super) fn said(&self, spec: &GatewayUpstream) -> bool {
        self.0.contains_key(&spec.name)
    }

    /// Asks those that list none. Whoever does not answer keeps what it said
    /// last, since it may be back before the next request.
    pub(super) async fn refresh<D: Dial>(
        &self,
        upstreams: impl Iterator<Item = &Upstream<D::Client>>,
    ) -> Self {
        let mut next = Self::default();
        let asked = upstreams.filter(|upstream| upstream.spec.models.is_empty());
        let answers = asked.map(|upstream| async move {
            let listed = tokio::time::timeout(TIMEOUT, list::<D>(upstream)).await;
            (upstream, listed.unwrap_or_else(|_| Err("timed out".into())))
        });
        for (upstream, listed) in futures::future::join_all(answers).await {
            let name = &upstream.spec.name;
            match listed {
                Ok(models) => {
                    upstream.health.listed();
                    next.0.insert(name.clone(), models);
                }
                Err(error) => {
                    upstream.health.unlisted(&error.to_string());
                    if let Some(last) = self.0.get(name) {
                        next.0.insert(name.clone(), last.clone());
                    }
                }
            }
        }
        next
    }
}

async fn list<D: Dial>(upstream: &Upstream<D::Client>) -> Result<Vec<ModelPattern>, BoxError> {
    let mut request = Request::builder()
        .method(Method::GET)
        .uri(format!("{}/models", upstream.spec.base_url))
        .header(ACCEPT, "application/json")
        .body(Full::default())?;
    let proven = upstream.key.prove(&mut request, &Bytes::new()).await;
    proven.map_err(|failed| failed.what)?;
    let response = upstream.client.clone().oneshot(request).await?;
    if !response.status().is_success() {
        return Err(format!("status {}", response.status().as_u16()).into());
    }
    let body = Limited::new(response.into_body(), MAX_BYTES);
    let bytes = body.collect().await?.to_bytes();
    let list: List = serde_json::from_slice(&bytes).map_err(|_| "no list of models")?;
    let names = list.data.into_iter().map(|entry| entry.id);
    let mut names: Vec<String> = names
        .filter(|name| name.len() <= agentkube_llm::MODEL_NAME_LIMIT)
        .take(MAX_MODELS)
        .collect();
    names.sort_unstable();
    names.dedup();
    Ok(names.into_iter().map(ModelPattern::Exact).collect())
}
