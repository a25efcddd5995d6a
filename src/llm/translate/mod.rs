//! One entry for the data plane: requests, answers and streams of a client in
//! another dialect than its upstream's.

mod tap;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use tap::TranslatingTap;

use crate::capabilities::ModelCapabilities;
use crate::codec::{self, Encode, Inbound, Reply, ToolNames};
use crate::custody::{self, Seal, SignatureStore};
use crate::ir::{ChatRequest, Content, Field};
use crate::{ApiError, Dialect, Dropped, Failure, TapOptions, UsageReport, answer};

/// Translates between a client's dialect and a provider's.
///
/// ```
/// use agentkube_llm::capabilities::CapabilityTable;
/// use agentkube_llm::{Dialect, Target, Translator};
/// use bytes::Bytes;
///
/// let translator = Translator::new(Dialect::OpenAiChat, Dialect::AnthropicMessages);
/// let capabilities = CapabilityTable::embedded().of("anthropic", "claude-haiku-4-5");
/// let body = Bytes::from_static(
///     br#"{"model":"haiku","messages":[{"role":"user","content":"Hi"}],"seed":7}"#,
/// );
/// let asked = translator.request(&body, &Target::new("claude-haiku-4-5", &capabilities))?;
/// assert_eq!(asked.dropped.to_string(), "seed");
///
/// let said = br#"{"id":"msg_1","content":[{"type":"text","text":"Hello!"}],
///     "stop_reason":"end_turn","usage":{"input_tokens":8,"output_tokens":3}}"#;
/// let answer = translator.response(said, &asked.context).expect("an answer");
/// assert!(answer.body.starts_with(b"{\"id\":\"msg_1\",\"object\":\"chat.completion\""));
/// # Ok::<(), agentkube_llm::ApiError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translator {
    client: Dialect,
    provider: Dialect,
}

/// Where a request goes, and what its answer must say.
#[derive(Clone)]
pub struct Target<'a> {
    /// The upstream's name of the model.
    pub model: &'a str,
    /// The name that answers carry: the served model.
    pub served: &'a str,
    /// What the model takes.
    pub capabilities: &'a ModelCapabilities,
    /// Whether a stream is wanted, in dialects whose path says it; none: the body
    /// does.
    pub stream: Option<bool>,
    /// Seconds since 1970: the `created` of answers whose provider says none.
    pub now: u64,
    /// The `id` of answers whose provider gives none.
    pub id: &'a str,
    /// Where signatures are kept that do not fit into the id of a tool call; none:
    /// those are lost.
    pub store: Option<Arc<dyn SignatureStore>>,
    /// Whose signatures: the client's name.
    pub tenant: &'a str,
    /// Give no thoughts back: the provider refused them
    /// ([`Failure::refuses_thoughts`]).
    pub without_thoughts: bool,
}

impl<'a> Target<'a> {
    /// A target that serves the model under its own name, and keeps nothing.
    #[must_use]
    pub fn new(model: &'a str, capabilities: &'a ModelCapabilities) -> Self {
        Self {
            model,
            served: model,
            capabilities,
            stream: None,
            now: 0,
            id: "",
            store: None,
            tenant: "",
            without_thoughts: false,
        }
    }
}

/// A request for the provider.
#[derive(Clone, Debug)]
pub struct Translated {
    /// The body, `application/json`.
    pub body: Bytes,
    /// What the provider cannot carry. `translation: strict` refuses with
    /// [`Dropped::refusal`].
    pub dropped: Dropped,
    /// True when a stream was asked for.
    pub stream: bool,
    /// What the answer's translation must know.
    pub context: Context,
}

/// What the translation of an answer must know of its request.
#[derive(Clone)]
pub struct Context {
    reply: Reply,
    tools: ToolNames,
    seal: Seal,
}

#[cfg(test)]
impl Context {
    /// The store that it seals into.
    pub(crate) fn store(&self) -> Option<Arc<dyn SignatureStore>> {
        self.seal.store.clone()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("reply", &self.reply)
            .finish_non_exhaustive()
    }
}

/// An answer for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranslatedAnswer {
    /// The body, `application/json`.
    pub body: Bytes,
    /// What it cost.
    pub usage: UsageReport,
}

impl Translator {
    /// A translator for a client and a provider. All pairs exist; for equal
    /// dialects the bypass is better.
    #[must_use]
    pub fn new(client: Dialect, provider: Dialect) -> Self {
        Self { client, provider }
    }

    /// The client's dialect.
    #[must_use]
    pub fn client(self) -> Dialect {
        self.client
    }

    /// The provider's dialect.
    #[must_use]
    pub fn provider(self) -> Dialect {
        self.provider
    }

    /// Translates a request.
    ///
    /// # Errors
    /// A 400 that names the field: the request is wrong, or nothing of a message
    /// could be carried.
    pub fn request(self, body: &Bytes, target: &Target<'_>) -> Result<Translated, ApiError> {
        let client = codec::client(self.client);
        let mut request = client.read_request(Inbound {
            body,
            stream: target.stream,
        })?;
        let seal = Seal {
            store: target.store.clone(),
            tenant: target.tenant.to_owned(),
            model: target.model.to_owned(),
        };
        custody::restore(&mut request, &seal);
        let names: &dyn codec::Names = client;
        let mut to = Encode::new(target.model, target.capabilities, self.client, names);
        if target.without_thoughts {
            forget_thoughts(&mut request, &mut to);
        }
        let encoded = codec::provider(self.provider).write_request(&request, &mut to)?;
        let (dropped, tools) = to.into_parts();
        Ok(Translated {
            body: encoded.body,
            dropped,
            stream: request.stream,
            context: Context {
                reply: Reply {
                    model: target.served.to_owned(),
                    upstream_model: target.model.to_owned(),
                    created: target.now,
                    id: target.id.to_owned(),
                    include_usage: request.include_usage,
                    choices: request.choices.unwrap_or(1),
                    namespaces: request.namespaces,
                    echo: request.echo,
                },
                tools,
                seal,
            },
        })
    }

    /// Translates an answer in one piece (2xx).
    ///
    /// # Errors
    /// When the provider reports a failure under a 2xx status, or the body is not
    /// in its documented shape: another upstream may still be tried.
    pub fn response(self, body: &[u8], context: &Context) -> Result<TranslatedAnswer, Failure> {
        let usage = answer::read(self.provider, body)?.usage;
        let mut response = codec::provider(self.provider).read_answer(body, &context.reply.id)?;
        response.usage = usage;
        for choice in &mut response.choices {
            for content in &mut choice.content {
                if let Content::ToolCall { name, .. } = content {
                    context.tools.restore(name);
                }
            }
        }
        let client = codec::client(self.client);
        custody::seal_response(&mut response, client.replays(), &context.seal);
        Ok(TranslatedAnswer {
            body: client.write_answer(&response, &context.reply),
            usage,
        })
    }

    /// A tap on a streamed answer (2xx) that speaks the client's dialect.
    #[must_use]
    pub fn stream(self, context: &Context, options: TapOptions) -> TranslatingTap {
        TranslatingTap::new(self, context, options)
    }

    /// The provider's refusal in the client's dialect.
    #[must_use]
    pub fn error(self, failure: &Failure) -> ApiError {
        failure.to_error()
    }
}

/// Takes thoughts and signatures out of a request, as if they were lost.
fn forget_thoughts(request: &mut ChatRequest, to: &mut Encode<'_>) {
    for message in &mut request.messages {
        message.blocks.retain_mut(|block| match &mut block.content {
            Content::Thinking(_) => {
                to.strip(block.at, Field::Whole);
                false
            }
            Content::ToolCall { signature, .. } => {
                *signature = None;
                true
            }
            Content::Media(_)
            | Content::Other(_)
            | Content::Refusal(_)
            | Content::Text(_)
            | Content::ToolResult { .. } => true,
        });
    }
    // A turn that only thought says nothing any more.
    request
        .messages
        .retain(|message| !message.blocks.is_empty());
}

#[cfg(test)]
mod tests;
