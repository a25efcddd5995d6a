//! What an upstream is sent and how its answer is read: the client's own bytes
//! where both speak one dialect, a translation where they do not.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use agentkube_llm::capabilities::{CapabilityTable, ModelCapabilities};
use agentkube_llm::count::{CountRequest, not_counted};
use agentkube_llm::custody::{
    SignatureStore, strip_marked, strip_sealed, strip_wrapped, unwrap_ids,
};
use agentkube_llm::{
    Action, ApiError, Dialect, Dropped, Failure, JsonList, ModelIn, Peeked, Rewritten, Served,
    ServedName, Service, Tap, TapOptions, Target, Translated, Translator, UsageReport, answer,
    model_in_path, refuse_kept, rewrite, with_member,
};
use bytes::Bytes;
use http::Uri;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::answer_tap::AnswerTap;
use super::betas::Betas;
use super::embeddings::{self, Embeddings};
use super::headers::ClientHeaders;
use super::table::Candidate;

/// Of a client's headers, those that mean the same to a provider of another
/// dialect.
static COMMON: [HeaderName; 3] = [
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("user-agent"),
];

/// A client's request, as far as its dialect matters.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) dialect: Dialect,
    pub(super) action: Action,
    pub(super) raw: &'a Bytes,
    pub(super) peeked: &'a Peeked,
    /// The client's query, with its question mark.
    pub(super) query: &'a str,
    /// The served model.
    pub(super) served: &'a str,
    /// The same, as answers name it.
    pub(super) served_name: &'a ServedName,
    /// Names the answer of a provider that names none.
    pub(super) nonce: u64,
    /// The client's name; empty for anybody.
    pub(super) tenant: &'a str,
    pub(super) store: &'a Arc<dyn SignatureStore>,
    /// What models take.
    pub(super) capabilities: &'a CapabilityTable,
    /// Refuse what cannot be carried.
    pub(super) strict: bool,
    /// Give no thoughts back.
    pub(super) without_thoughts: bool,
}

/// One request, as one upstream gets it.
pub(super) struct Wire {
    uri: Uri,
    service: &'static Service,
    form: Form,
    /// Its answer is a number of tokens, and costs none.
    counts: bool,
    /// Streamed, the client wants a list and no events.
    is_list: bool,
    /// The values of `anthropic-beta` that pass, where not all do.
    betas: Option<Betas>,
}

pub(super) enum Form {
    /// Both speak one dialect.
    Bypass {
        body: Rewritten,
        choices: u32,
        served: Served,
    },
    /// A count of tokens, in another wire.
    Counted(Box<(Translator, CountRequest)>),
    /// Embeddings, in another wire.
    Embeddings(Box<Embeddings>),
    Translated(Box<(Translator, Translated)>),
}

impl Wire {
    /// Prepares a request for an upstream.
    ///
    /// # Errors
    /// A 400 that names the field: the request cannot be said in the upstream's
    /// dialect, or not without loss where that is asked for. A 404 when the
    /// upstream has no such action.
    pub(super) fn prepare<C>(
        asked: &Asked<'_>,
        candidate: &Candidate<C>,
    ) -> Result<Self, ApiError> {
        let upstream = &candidate.upstream;
        let mut service = upstream.profile.service(asked.dialect, &candidate.model);
        if let Some(sizing) = sizing(asked, candidate) {
            service = sizing;
        }
        if asked.action == Action::CountTokens {
            let counting = upstream.profile.counting(asked.dialect, &candidate.model);
            service = counting.ok_or_else(|| not_counted(asked.served))?;
        }
        if let Action::Embed(form) = asked.action {
            let (uri, form) = embeddings::prepare(asked, candidate, form)?;
            return Ok(Self {
                uri,
                service,
                form,
                counts: false,
                is_list: false,
                betas: None,
            });
        }
        let translates = service.dialect != asked.dialect;
        let streams = asked.action == Action::Stream;
        let is_list = streams && JsonList::is_wanted(asked.dialect, asked.query);
        // A query of another dialect means nothing.
        let query = if translates { "" } else { asked.query };
        let address = |action| {
            upstream
                .addresses
                .of(service, action, &candidate.model, query)
        };
        if !translates {
            if service.dialect == Dialect::OpenAiResponses {
                refuse_kept(asked.raw, !asked.tenant.is_empty())?;
            }
            return Ok(Self {
                uri: address(asked.action)?,
                service,
                form: Form::bypass(asked, service, &candidate.model),
                counts: asked.action == Action::CountTokens,
                is_list,
                betas: betas(asked, service, candidate),
            });
        }
        let form = match asked.action {
            Action::CountTokens => Form::counted(asked, service, candidate)?,
            _ => Form::translated(asked, service, candidate)?,
        };
        Ok(Self {
            uri: address(asked.action)?,
            service,
            form,
            counts: asked.action == Action::CountTokens,
            is_list,
            betas: None,
        })
    }

    pub(super) fn body(&self) -> Bytes {
        match &self.form {
            Form::Bypass { body, .. } => body.body.clone(),
            Form::Counted(both) => both.1.body.clone(),
            Form::Embeddings(embeddings) => embeddings.body(),
            Form::Translated(both) => both.1.body.clone(),
        }
    }

    /// True when tokens are only counted.
    pub(super) fn counts(&self) -> bool {
        self.counts
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The wire of the provider.
    pub(super) fn service(&self) -> &'static Service {
        self.service
    }

    /// Says of an answer that is no longer in the provider's form in which one the
    /// client gets it.
    pub(super) fn announce(&self, headers: &mut HeaderMap) {
        if self.is_list {
            let json = HeaderValue::from_static("application/json");
            headers.insert(CONTENT_TYPE, json);
        } else if let Form::Translated(both) = &self.form {
            let (translator, translated) = &**both;
            let media = match translated.stream {
                true => translator.client().stream_content_type(),
                false => "application/json",
            };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        }
    }

    /// The headers of the request, but for the upstream's own.
    pub(super) fn headers(&self, client: &ClientHeaders) -> HeaderMap {
        let streams = match &self.form {
            Form::Bypass { .. } => {
                let mut headers = client.passing();
                if let Some(betas) = &self.betas {
                    betas.pass(&mut headers);
                }
                return headers;
            }
            Form::Counted(_) | Form::Embeddings(_) => false,
            Form::Translated(both) => both.1.stream,
        };
        let accept = match streams {
            true => self.service.dialect.framing().content_type(),
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

    /// True when the answer must be in the form that was asked for, since it is
    /// going to be translated: `Some(stream)`.
    pub(super) fn must_stream(&self) -> Option<bool> {
        match &self.form {
            Form::Bypass { .. } => self.is_list.then_some(true),
            Form::Counted(_) | Form::Embeddings(_) => Some(false),
            Form::Translated(both) => Some(both.1.stream),
        }
    }

    pub(super) fn is_translated(&self) -> bool {
        !matches!(self.form, Form::Bypass { .. })
    }

    /// A tap on the streamed answer.
    pub(super) fn tap(&self) -> AnswerTap {
        let tap = match &self.form {
            Form::Bypass {
                body,
                choices,
                served,
            } => {
                let options = TapOptions {
                    hide_usage: body.hide_usage,
                    choices: *choices,
                    ..TapOptions::default()
                };
                let tap = Tap::new(self.service.dialect, options).serving(served.clone());
                AnswerTap::passing(tap)
            }
            // Never streamed.
            Form::Counted(_) | Form::Embeddings(_) => {
                AnswerTap::passing(Tap::new(Dialect::OpenAiChat, TapOptions::default()))
            }
            Form::Translated(both) => {
                let (translator, translated) = &**both;
                let tap = translator.stream(&translated.context, TapOptions::default());
                AnswerTap::translating(tap)
            }
        };
        tap.listed(self.is_list)
    }

    /// An answer in one piece, for the client. `head` is that of the answer.
    ///
    /// # Errors
    /// When it is none: another upstream may still be tried.
    pub(super) fn whole(
        &self,
        head: &HeaderMap,
        bytes: Bytes,
    ) -> Result<(Bytes, UsageReport), Failure> {
        match &self.form {
            Form::Counted(both) => Ok((both.0.counted(&bytes)?, UsageReport::Absent)),
            Form::Embeddings(embeddings) => embeddings.answer(head, &bytes),
            Form::Bypass { served, .. } => {
                let answer = answer::read(self.service.dialect, &bytes)?;
                let bytes = match answer.model {
                    Some(named) => served.answer_at(bytes, named),
                    None => served.answer(bytes),
                };
                Ok((bytes, answer.usage))
            }
            Form::Translated(both) => {
                let (translator, translated) = &**both;
                let answer = translator.response(&bytes, &translated.context)?;
                Ok((answer.body, answer.usage))
            }
        }
    }

    /// The beginning of an answer that is too large to be read whole.
    pub(super) fn beginning(&self, bytes: Bytes) -> Bytes {
        match &self.form {
            Form::Bypass { served, .. } => served.answer(bytes),
            Form::Counted(_) | Form::Embeddings(_) | Form::Translated(_) => bytes,
        }
    }

    /// What the upstream was not told; none when that is nothing.
    pub(super) fn dropped(&self) -> Option<&Dropped> {
        let dropped = match &self.form {
            Form::Bypass { .. } => return None,
            Form::Counted(both) => &both.1.dropped,
            Form::Embeddings(embeddings) => embeddings.dropped(),
            Form::Translated(both) => &both.1.dropped,
        };
        Some(dropped).filter(|dropped| !dropped.is_empty())
    }
}

impl Form {
    fn bypass(asked: &Asked<'_>, service: &Service, model: &str) -> Self {
        let path = service.template(asked.action);
        let in_path = path.is_some_and(|path| path.contains("{model}"));
        let model = match service.model_in {
            ModelIn::Path if in_path => None,
            ModelIn::Body | ModelIn::Path => Some(model),
        };
        let mut body = rewrite(asked.raw, asked.peeked, model, service.stream_usage);
        body.body = match (in_path, service.body_member) {
            (false, Some(member)) => with_member(&body.body, member),
            _ => placed(service, body.body),
        };
        Self::Bypass {
            body: ours_removed(asked.dialect, body),
            choices: asked.peeked.choices,
            served: Served::new(service.dialect, asked.served_name),
        }
    }

    fn counted<C>(
        asked: &Asked<'_>,
        service: &Service,
        candidate: &Candidate<C>,
    ) -> Result<Self, ApiError> {
        let capabilities = capabilities(asked, candidate);
        let translator = Translator::new(asked.dialect, service.dialect);
        let target = Target {
            store: Some(Arc::clone(asked.store)),
            tenant: asked.tenant,
            ..Target::new(&candidate.model, &capabilities)
        };
        let counted = translator.count(asked.raw, &target)?;
        if let Some(refusal) = counted.dropped.refusal().filter(|_| asked.strict) {
            return Err(refusal);
        }
        Ok(Self::Counted(Box::new((translator, counted))))
    }

    fn translated<C>(
        asked: &Asked<'_>,
        service: &Service,
        candidate: &Candidate<C>,
    ) -> Result<Self, ApiError> {
        let capabilities = capabilities(asked, candidate);
        let translator = Translator::new(asked.dialect, service.dialect);
        let id = format!("agentkube-{:016x}", asked.nonce);
        let target = Target {
            served: asked.served,
            stream: Some(asked.peeked.stream),
            now: seconds(),
            id: &id,
            store: Some(Arc::clone(asked.store)),
            tenant: asked.tenant,
            without_thoughts: asked.without_thoughts,
            ..Target::new(&candidate.model, &capabilities)
        };
        let mut translated = translator.request(asked.raw, &target)?;
        translated.body = placed(service, translated.body);
        match translated.dropped.refusal().filter(|_| asked.strict) {
            Some(refusal) => Err(refusal),
            None => Ok(Self::Translated(Box::new((translator, translated)))),
        }
    }
}

/// What the model takes at this upstream.
fn capabilities<C>(asked: &Asked<'_>, candidate: &Candidate<C>) -> ModelCapabilities {
    let provider = candidate.upstream.spec.provider.as_str();
    let names = [&*candidate.model, asked.served];
    asked.capabilities.of_first_known(provider, &names)
}

/// Where the table says how large a context window shall be, the wire that has a field
/// for it, also for clients that another one would have been nearer to.
fn sizing<C>(asked: &Asked<'_>, candidate: &Candidate<C>) -> Option<&'static Service> {
    let generates = matches!(asked.action, Action::Generate | Action::Stream);
    let sizing = candidate.upstream.profile.sizing().filter(|_| generates)?;
    let wanted = capabilities(asked, candidate).num_ctx;
    wanted.map(|_| sizing)
}

/// Where a provider refuses values of `anthropic-beta` that Anthropic itself takes: those
/// that it takes. Counting needs none, and refuses more.
fn betas<C>(asked: &Asked<'_>, service: &Service, candidate: &Candidate<C>) -> Option<Betas> {
    let is_elsewhere =
        service.dialect == Dialect::AnthropicMessages && service.model_in == ModelIn::Path;
    if !is_elsewhere {
        return None;
    }
    if asked.action == Action::CountTokens {
        return Some(Betas::default());
    }
    capabilities(asked, candidate).betas.map(Betas)
}

/// The body of a wire that has the model in its path.
fn placed(service: &Service, body: Bytes) -> Bytes {
    match (service.model_in, service.body_member) {
        (ModelIn::Path, Some(member)) => model_in_path(&body, Some(member)),
        _ => body,
    }
}

/// What an earlier translated turn put into the conversation goes no further.
fn ours_removed(dialect: Dialect, mut rewritten: Rewritten) -> Rewritten {
    if let Some(body) = unwrap_ids(&rewritten.body) {
        rewritten.body = body;
    }
    let stripped = match dialect {
        Dialect::AnthropicMessages | Dialect::BedrockConverse => strip_marked(&rewritten.body),
        Dialect::Gemini => strip_wrapped(&rewritten.body),
        Dialect::OpenAiResponses => strip_sealed(&rewritten.body),
        _ => None,
    };
    if let Some(body) = stripped {
        rewritten.body = body;
    }
    rewritten
}

fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
