//! Embeddings: the client's own bytes where the provider takes them, a translation
//! where it has words of its own.

use agentkube_llm::embed::{self, EmbedForm, EmbedRequest, EmbedService};
use agentkube_llm::{
    ApiError, Dialect, Dropped, Failure, Served, StreamUsage, UsageReport, rewrite,
};
use bytes::Bytes;
use http::{HeaderMap, Uri};

use super::table::Candidate;
use super::wire::{Asked, Form};

/// Bedrock counts the tokens of an input here, where the body has no room for it.
const COUNTED: &str = "x-amzn-bedrock-input-token-count";

/// A request in the words of another provider.
pub(super) struct Embeddings {
    request: EmbedRequest,
    /// The name that the answer carries.
    served: String,
}

/// Prepares a request for an upstream.
///
/// # Errors
/// A 400 when the upstream has no embeddings of this model, or cannot be asked for
/// these.
pub(super) fn prepare<C>(
    asked: &Asked<'_>,
    candidate: &Candidate<C>,
    form: EmbedForm,
) -> Result<(Uri, Form), ApiError> {
    let (upstream, model) = (&candidate.upstream, &*candidate.model);
    let provider = upstream.spec.provider.as_str();
    let service = EmbedService::of(provider, upstream.profile, model)
        .ok_or_else(|| embed::not_served(asked.served))?;
    let addresses = &upstream.addresses;
    let passes = service.is_bypass(form);
    let query = if passes { asked.query } else { "" };
    let uri = addresses.of_embeddings(service, model, query)?;
    if passes {
        let body = rewrite(asked.raw, asked.peeked, Some(model), StreamUsage::Leave);
        return Ok((
            uri,
            Form::Bypass {
                body,
                choices: 1,
                served: Served::new(Dialect::OpenAiChat, asked.served_name),
            },
        ));
    }
    let request = service.request(form, asked.raw, model)?;
    if let Some(refusal) = request.dropped.refusal().filter(|_| asked.strict) {
        return Err(refusal);
    }
    let served = asked.served.to_owned();
    let embeddings = Embeddings { request, served };
    Ok((uri, Form::Embeddings(Box::new(embeddings))))
}

impl Embeddings {
    pub(super) fn body(&self) -> Bytes {
        self.request.body.clone()
    }

    pub(super) fn dropped(&self) -> &Dropped {
        &self.request.dropped
    }

    /// The answer for the client.
    pub(super) fn answer(
        &self,
        head: &HeaderMap,
        body: &[u8],
    ) -> Result<(Bytes, UsageReport), Failure> {
        let counted = head.get(COUNTED).and_then(|value| value.to_str().ok());
        let counted = counted.and_then(|count| count.parse().ok());
        self.request.context.answer(body, &self.served, counted)
    }
}
