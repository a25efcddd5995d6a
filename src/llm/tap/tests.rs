//! Every transcript through the tap, whole and split, complete and cut.

mod gemini;
mod heads;
mod ollama;
mod properties;
mod verdicts;

use bytes::Bytes;

use super::*;
use crate::Usage;

/// Everything that an onlooker can tell of one stream.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    /// Before the end of the body was known.
    forwarded: Bytes,
    /// After it.
    appended: Bytes,
    outcome: Outcome,
    usage: UsageReport,
    head_failed: Option<Failure>,
    answered: bool,
}

impl Seen {
    fn all(&self) -> Vec<u8> {
        [&self.forwarded[..], &self.appended[..]].concat()
    }
}

fn drain(tap: &mut Tap) -> Bytes {
    let mut all = Vec::new();
    while let Some(bytes) = tap.pop() {
        assert!(!bytes.is_empty(), "an empty piece would end a body");
        all.extend_from_slice(&bytes);
    }
    Bytes::from(all)
}

fn watch(dialect: Dialect, options: TapOptions, pieces: &[&[u8]], end: End) -> Seen {
    let mut tap = Tap::new(dialect, options);
    let mut forwarded = Vec::new();
    for piece in pieces {
        tap.feed(Bytes::copy_from_slice(piece)).unwrap();
        forwarded.extend_from_slice(&drain(&mut tap));
    }
    let outcome = tap.finish(end);
    assert_eq!(tap.finish(End::Cut), outcome, "the outcome is said once");
    let appended = drain(&mut tap);
    let (answered, head_failed) = match tap.head() {
        Head::Awaited => panic!("the head is known at the end"),
        Head::Answer => (true, None),
        Head::Failed(failure) => (false, Some(failure.clone())),
    };
    let forwarded = Bytes::from(forwarded);
    Seen {
        forwarded,
        appended,
        outcome,
        usage: tap.usage(),
        head_failed,
        answered,
    }
}

fn dialect_of(fixture: &str) -> Dialect {
    if fixture.starts_with("ollama/") {
        Dialect::OllamaChat
    } else if fixture.starts_with("openai-responses/") {
        Dialect::OpenAiResponses
    } else if fixture.starts_with("openai/") {
        Dialect::OpenAiChat
    } else {
        Dialect::AnthropicMessages
    }
}

fn usage(input: u64, output: u64) -> Usage {
    Usage {
        input,
        output,
        ..Usage::default()
    }
}
