//! What an upstream is sent and how its answer is read: the client's own bytes
//! where both speak one dialect, a translation where they do not.

use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use agentkube_llm::capabilities::CapabilityTable;
use agentkube_llm::custody::{SignatureStore, strip_marked, unwrap_ids};
use agentkube_llm::{
    ApiError, Dialect, End, Failure, Head, Outcome, Peeked, Rewritten, Tap, TapOptions, Target,
    Translated, TranslatingTap, Translator, UsageReport, answer, rewrite,
};
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::table::Candidate;

/// What models take: data that is parsed once a process.
static CAPABILITIES: LazyLock<CapabilityTable> = LazyLock::new(CapabilityTable::embedded);

/// Of a client's headers, those that mean the same to a provider of another
/// dialect.
static COMMON: [HeaderName; 3] = [
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("user-agent"),
];

/// A client's request, as far as its dialect matters.
pub(super) struct Asked<'a> {
    pub(super) dialect: Dialect,
    pub(super) raw: &'a Bytes,
    pub(super) peeked: &'a Peeked,
    /// The served model.
    pub(super) served: &'a str,
    /// Names the answer of a provider that names none.
    pub(super) id: &'a str,
    /// The client's name; empty for anybody.
    pub(super) tenant: &'a str,
    pub(super) store: &'a Arc<dyn SignatureStore>,
    /// Refuse what cannot be carried.
    pub(super) strict: bool,
}

/// One request, as one upstream gets it.
pub(super) enum Wire {
    /// Both speak this dialect.
    Bypass {
        dialect: Dialect,
        body: Rewritten,
        choices: u32,
    },
    Translated(Box<(Translator, Translated)>),
}

impl Wire {
    /// Prepares a request for an upstream.
    ///
    /// # Errors
    /// A 400 that names the field: the request cannot be said in the upstream's
    /// dialect, or not without loss where that is asked for.
    pub(super) fn prepare<C>(
        asked: &Asked<'_>,
        candidate: &Candidate<C>,
    ) -> Result<Self, ApiError> {
        let profile = candidate.upstream.profile;
        if profile.dialect == asked.dialect {
            let body = rewrite(
                asked.raw,
                asked.peeked,
                &candidate.model,
                profile.stream_usage,
            );
            return Ok(Self::Bypass {
                dialect: asked.dialect,
                body: ours_removed(asked.dialect, body),
                choices: asked.peeked.choices,
            });
        }
        let provider = candidate.upstream.spec.provider.as_str();
        let capabilities = CAPABILITIES.of(provider, asked.served);
        let translator = Translator::new(asked.dialect, profile.dialect);
        let target = Target {
            served: asked.served,
            now: seconds(),
            id: asked.id,
            store: Some(Arc::clone(asked.store)),
            tenant: asked.tenant,
            ..Target::new(&candidate.model, &capabilities)
        };
        let translated = translator.request(asked.raw, &target)?;
        match translated.dropped.refusal().filter(|_| asked.strict) {
            Some(refusal) => Err(refusal),
            None => Ok(Self::Translated(Box::new((translator, translated)))),
        }
    }

    pub(super) fn body(&self) -> Bytes {
        match self {
            Self::Bypass { body, .. } => body.body.clone(),
            Self::Translated(both) => both.1.body.clone(),
        }
    }

    /// The headers of the request, but for the upstream's own. `client` are the
    /// client's, already stripped.
    pub(super) fn headers(&self, client: &HeaderMap) -> HeaderMap {
        let translated = match self {
            Self::Bypass { .. } => return client.clone(),
            Self::Translated(both) => &both.1,
        };
        let accept = match translated.stream {
            true => "text/event-stream",
            false => "application/json",
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for name in &COMMON {
            if let Some(value) = client.get(name) {
                headers.insert(name.clone(), value.clone());
            }
        }
        headers
    }

    /// The query that goes along: one of another dialect means nothing.
    pub(super) fn query<'q>(&self, client: &'q str) -> &'q str {
        match self {
            Self::Bypass { .. } => client,
            Self::Translated(_) => "",
        }
    }

    /// True when the answer must be in the form that was asked for, since it is
    /// going to be translated: `Some(stream)`.
    pub(super) fn must_stream(&self) -> Option<bool> {
        match self {
            Self::Bypass { .. } => None,
            Self::Translated(both) => Some(both.1.stream),
        }
    }

    pub(super) fn is_translated(&self) -> bool {
        matches!(self, Self::Translated(_))
    }

    /// A tap on the streamed answer.
    pub(super) fn tap(&self) -> AnswerTap {
        match self {
            Self::Bypass {
                dialect,
                body,
                choices,
            } => {
                let options = TapOptions {
                    hide_usage: body.hide_usage,
                    choices: *choices,
                    ..TapOptions::default()
                };
                AnswerTap::Passing(Box::new(Tap::new(*dialect, options)))
            }
            Self::Translated(both) => {
                let (translator, translated) = &**both;
                let tap = translator.stream(&translated.context, TapOptions::default());
                AnswerTap::Translating(Box::new(tap))
            }
        }
    }

    /// An answer in one piece, for the client.
    ///
    /// # Errors
    /// When it is none: another upstream may still be tried.
    pub(super) fn whole(&self, bytes: Bytes) -> Result<(Bytes, UsageReport), Failure> {
        match self {
            Self::Bypass { dialect, .. } => {
                answer::read(*dialect, &bytes).map(|read| (bytes, read.usage))
            }
            Self::Translated(both) => {
                let (translator, translated) = &**both;
                let answer = translator.response(&bytes, &translated.context)?;
                Ok((answer.body, answer.usage))
            }
        }
    }

    /// What the upstream was not told, as a response header; none when nothing
    /// was dropped.
    pub(super) fn dropped(&self) -> Option<HeaderValue> {
        match self {
            Self::Bypass { .. } => None,
            Self::Translated(both) if both.1.dropped.is_empty() => None,
            Self::Translated(both) => HeaderValue::try_from(both.1.dropped.to_string()).ok(),
        }
    }
}

/// What an earlier translated turn put into the conversation goes no further.
fn ours_removed(dialect: Dialect, mut rewritten: Rewritten) -> Rewritten {
    if let Some(body) = unwrap_ids(&rewritten.body) {
        rewritten.body = body;
    }
    if dialect == Dialect::AnthropicMessages
        && let Some(body) = strip_marked(&rewritten.body)
    {
        rewritten.body = body;
    }
    rewritten
}

fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Reads a streamed answer and says what the client gets.
pub(super) enum AnswerTap {
    Passing(Box<Tap>),
    Translating(Box<TranslatingTap>),
}

/// The stream cannot be read on; the tap has an error event for the client.
#[derive(Debug)]
pub(super) struct Unreadable;

impl AnswerTap {
    pub(super) fn feed(&mut self, chunk: Bytes) -> Result<(), Unreadable> {
        match self {
            Self::Passing(tap) => tap.feed(chunk).map_err(|_| Unreadable),
            Self::Translating(tap) => tap.feed(chunk).map_err(|_| Unreadable),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        match self {
            Self::Passing(tap) => tap.pop(),
            Self::Translating(tap) => tap.pop(),
        }
    }

    pub(super) fn head(&self) -> Head<'_> {
        match self {
            Self::Passing(tap) => tap.head(),
            Self::Translating(tap) => tap.head(),
        }
    }

    pub(super) fn usage(&self) -> UsageReport {
        match self {
            Self::Passing(tap) => tap.usage(),
            Self::Translating(tap) => tap.usage(),
        }
    }

    pub(super) fn terminated(&self) -> bool {
        match self {
            Self::Passing(tap) => tap.terminated(),
            Self::Translating(tap) => tap.terminated(),
        }
    }

    pub(super) fn finish(&mut self, end: End) -> Outcome {
        match self {
            Self::Passing(tap) => tap.finish(end),
            Self::Translating(tap) => tap.finish(end),
        }
    }
}
