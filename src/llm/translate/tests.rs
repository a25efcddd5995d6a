//! Requests, answers and streams of every pair.

mod bounds;
mod drift;
mod fidelity;
mod golden;
mod properties;
mod responses;
mod verdicts;

use bytes::Bytes;

use super::*;
use crate::capabilities::CapabilityTable;
use crate::fixtures;
use crate::{End, Head, Outcome};

/// A dialect under test: how its providers are called in specs and fixtures.
struct Side {
    dialect: Dialect,
    provider: &'static str,
    transcripts: &'static str,
    /// The extension of its streams' transcripts.
    streams: &'static str,
}

impl Side {
    /// Transcripts of the provider: those of the bypass, and those that only
    /// matter here.
    fn transcripts(&self, extension: &str) -> Vec<String> {
        let more = format!("translate/transcripts/{}", self.transcripts);
        [
            fixtures::all(self.transcripts, extension),
            fixtures::all(&more, extension),
        ]
        .concat()
    }
}

const SIDES: [Side; 6] = [
    Side {
        dialect: Dialect::OpenAiChat,
        provider: "openai",
        transcripts: "openai",
        streams: ".sse",
    },
    Side {
        dialect: Dialect::OpenAiResponses,
        provider: "openai",
        transcripts: "openai-responses",
        streams: ".sse",
    },
    Side {
        dialect: Dialect::AnthropicMessages,
        provider: "anthropic",
        transcripts: "anthropic",
        streams: ".sse",
    },
    Side {
        dialect: Dialect::BedrockConverse,
        provider: "bedrock",
        transcripts: "bedrock",
        streams: ".events",
    },
    Side {
        dialect: Dialect::Gemini,
        provider: "vertex",
        transcripts: "gemini",
        streams: ".sse",
    },
    Side {
        dialect: Dialect::OllamaChat,
        provider: "ollama",
        transcripts: "ollama",
        streams: ".ndjson",
    },
];

fn side(dialect: Dialect) -> &'static Side {
    SIDES.iter().find(|side| side.dialect == dialect).unwrap()
}

/// All pairs of unlike dialects: client, provider.
fn pairs() -> impl Iterator<Item = (&'static Side, &'static Side)> {
    SIDES
        .iter()
        .flat_map(|client| SIDES.iter().map(move |provider| (client, provider)))
        .filter(|(client, provider)| client.dialect != provider.dialect)
}

fn ask(
    client: Dialect,
    provider: Dialect,
    model: &str,
    body: &[u8],
) -> Result<Translated, ApiError> {
    let capabilities = CapabilityTable::embedded().of(side(provider).provider, model);
    let target = Target {
        now: 1_700_000_000,
        id: "made-up",
        tenant: "team-a/agent",
        ..Target::new(model, &capabilities)
    };
    Translator::new(client, provider).request(&Bytes::copy_from_slice(body), &target)
}

/// The smallest request that a client can make, with these members more.
fn least(client: Dialect, members: &str) -> Vec<u8> {
    let asked = match client {
        Dialect::AnthropicMessages => {
            r#""max_tokens":100,"messages":[{"role":"user","content":"Hi"}]"#
        }
        Dialect::BedrockConverse => r#""messages":[{"role":"user","content":[{"text":"Hi"}]}]"#,
        Dialect::Gemini => r#""contents":[{"role":"user","parts":[{"text":"Hi"}]}]"#,
        Dialect::OllamaChat | Dialect::OpenAiChat => {
            r#""messages":[{"role":"user","content":"Hi"}]"#
        }
        Dialect::OpenAiResponses => r#""input":"Hi""#,
    };
    format!("{{{members}{asked}}}").into_bytes()
}

/// What the answer to such a request is translated with.
fn context(client: Dialect, provider: Dialect, members: &str) -> Context {
    let model = "served-model";
    ask(client, provider, model, &least(client, members))
        .unwrap()
        .context
}

/// Everything that an onlooker can tell of one translated stream.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    forwarded: String,
    appended: String,
    outcome: Outcome,
    usage: UsageReport,
    head_failed: Option<Failure>,
}

impl Seen {
    fn all(&self) -> String {
        format!("{}{}", self.forwarded, self.appended)
    }
}

fn watch(mut tap: TranslatingTap, pieces: &[&[u8]], end: End) -> Seen {
    let mut forwarded = Vec::new();
    let drain = |tap: &mut TranslatingTap, to: &mut Vec<u8>| {
        while let Some(bytes) = tap.pop() {
            assert!(!bytes.is_empty(), "an empty piece would end a body");
            to.extend_from_slice(&bytes);
        }
    };
    for piece in pieces {
        // What cannot be read shows in the outcome.
        let _ = tap.feed(Bytes::copy_from_slice(piece));
        drain(&mut tap, &mut forwarded);
    }
    let outcome = tap.finish(end);
    assert_eq!(tap.finish(End::Cut), outcome, "the outcome is said once");
    let mut appended = Vec::new();
    drain(&mut tap, &mut appended);
    let head_failed = match tap.head() {
        Head::Awaited => panic!("the head is known at the end"),
        Head::Answer => None,
        Head::Failed(failure) => Some(failure.clone()),
    };
    Seen {
        forwarded: fixtures::readable(&forwarded),
        appended: fixtures::readable(&appended),
        outcome,
        usage: tap.usage(),
        head_failed,
    }
}

/// A stream of a provider as this client sees it.
fn stream(client: Dialect, provider: Dialect, members: &str, body: &[u8], end: End) -> Seen {
    let context = context(client, provider, members);
    let tap = Translator::new(client, provider).stream(&context, TapOptions::default());
    watch(tap, &[body], end)
}
