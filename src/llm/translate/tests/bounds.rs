//! Streams without an end: each comes to a bound, and ends in an error that the
//! client understands.

use super::*;
use crate::eventstream;

/// What is kept of an answer in these tests: bytes.
const LIMIT: usize = 64 * 1024;

/// So much comes of each stream.
const SENT: usize = 64 * LIMIT;

const CHAT: Dialect = Dialect::OpenAiChat;
const CONVERSE: Dialect = Dialect::BedrockConverse;
const GEMINI: Dialect = Dialect::Gemini;
const MESSAGES: Dialect = Dialect::AnthropicMessages;
const OLLAMA: Dialect = Dialect::OllamaChat;
const RESPONSES: Dialect = Dialect::OpenAiResponses;

const ALL: &[Dialect] = Dialect::ALL;
/// Clients that get a call in one piece, or the whole answer once more.
const WHOLE_CALLS: &[Dialect] = &[GEMINI, OLLAMA, RESPONSES];
/// Clients that replay no thoughts, and the one that gets the answer once more.
const FORGETFUL: &[Dialect] = &[CHAT, OLLAMA, RESPONSES];

/// A stream whose next piece always comes.
struct Endless {
    provider: Dialect,
    what: &'static str,
    piece: fn(usize) -> Vec<u8>,
    /// For these clients it cannot be passed on as it comes.
    kept_for: &'static [Dialect],
}

fn x() -> String {
    "x".repeat(1000)
}

fn sse(data: &str) -> Vec<u8> {
    format!("data: {data}\n\n").into_bytes()
}

fn chat(delta: &str) -> Vec<u8> {
    sse(&format!(
        r#"{{"id":"c","choices":[{{"index":0,"delta":{delta}}}]}}"#
    ))
}

/// The first piece begins block 0.
fn message(n: usize, begin: &str, delta: &str) -> Vec<u8> {
    if n == 0 {
        let block =
            format!(r#"{{"type":"content_block_start","index":0,"content_block":{begin}}}"#);
        let start = r#"{"type":"message_start","message":{"id":"m"}}"#;
        return [sse(start), sse(&block)].concat();
    }
    sse(&format!(
        r#"{{"type":"content_block_delta","index":0,"delta":{delta}}}"#
    ))
}

fn converse(delta: &str) -> Vec<u8> {
    let data = format!(r#"{{"contentBlockIndex":0,"delta":{delta}}}"#);
    eventstream::event("contentBlockDelta", &data).to_vec()
}

fn response(kind: &str, members: &str) -> Vec<u8> {
    sse(&format!(
        r#"{{"type":"response.{kind}","output_index":0,{members}}}"#
    ))
}

const STREAMS: &[Endless] = &[
    Endless {
        provider: CHAT,
        what: "arguments",
        piece: |n| {
            let name = if n == 0 { r#""name":"f","# } else { "" };
            let text = x();
            chat(&format!(
                r#"{{"tool_calls":[{{"index":0,"id":"a","function":{{{name}"arguments":"{text}"}}}}]}}"#
            ))
        },
        kept_for: WHOLE_CALLS,
    },
    Endless {
        provider: CHAT,
        what: "arguments of a call without a name",
        piece: |_| {
            let text = x();
            chat(&format!(
                r#"{{"tool_calls":[{{"index":0,"id":"a","function":{{"arguments":"{text}"}}}}]}}"#
            ))
        },
        kept_for: ALL,
    },
    Endless {
        provider: CHAT,
        what: "calls without a name",
        piece: |n| {
            chat(&format!(
                r#"{{"tool_calls":[{{"index":{n},"id":"a{n}"}}]}}"#
            ))
        },
        kept_for: ALL,
    },
    Endless {
        provider: CHAT,
        what: "calls behind one that does not end",
        piece: |n| {
            chat(&format!(
                r#"{{"tool_calls":[{{"index":{n},"id":"a{n}","function":{{"name":"f","arguments":"{{"}}}}]}}"#
            ))
        },
        kept_for: ALL,
    },
    Endless {
        provider: CHAT,
        what: "choices",
        piece: |n| {
            sse(&format!(
                r#"{{"id":"c","choices":[{{"index":{n},"delta":{{"content":"x"}}}}]}}"#
            ))
        },
        kept_for: ALL,
    },
    Endless {
        provider: CHAT,
        what: "thoughts",
        piece: |_| chat(&format!(r#"{{"reasoning_content":"{}"}}"#, x())),
        kept_for: FORGETFUL,
    },
    Endless {
        provider: MESSAGES,
        what: "thoughts",
        piece: |n| {
            let delta = format!(r#"{{"type":"thinking_delta","thinking":"{}"}}"#, x());
            message(n, r#"{"type":"thinking","thinking":""}"#, &delta)
        },
        kept_for: FORGETFUL,
    },
    Endless {
        provider: MESSAGES,
        what: "a signature",
        piece: |n| {
            let delta = format!(r#"{{"type":"signature_delta","signature":"{}"}}"#, x());
            message(n, r#"{"type":"thinking","thinking":""}"#, &delta)
        },
        kept_for: &[CHAT, GEMINI, OLLAMA, RESPONSES],
    },
    Endless {
        provider: MESSAGES,
        what: "blocks of a kind that nobody knows",
        piece: |n| {
            sse(&format!(
                r#"{{"type":"content_block_start","index":{n},"content_block":{{"type":"new"}}}}"#
            ))
        },
        kept_for: ALL,
    },
    Endless {
        provider: MESSAGES,
        what: "redacted thoughts",
        piece: |n| {
            let data = x();
            sse(&format!(
                r#"{{"type":"content_block_start","index":{n},"content_block":{{"type":"redacted_thinking","data":"{data}"}}}}"#
            ))
        },
        kept_for: FORGETFUL,
    },
    Endless {
        provider: CONVERSE,
        what: "redacted thoughts",
        piece: |_| {
            let data = "AAAA".repeat(250);
            converse(&format!(
                r#"{{"reasoningContent":{{"redactedContent":"{data}"}}}}"#
            ))
        },
        kept_for: ALL,
    },
    Endless {
        provider: CONVERSE,
        what: "text",
        piece: |_| converse(&format!(r#"{{"text":"{}"}}"#, x())),
        kept_for: &[RESPONSES],
    },
    Endless {
        provider: GEMINI,
        what: "candidates",
        piece: |n| {
            sse(&format!(
                r#"{{"candidates":[{{"index":{n},"content":{{"parts":[{{"text":"x"}}]}}}}]}}"#
            ))
        },
        kept_for: ALL,
    },
    Endless {
        provider: RESPONSES,
        what: "calls that do not end",
        piece: |n| {
            sse(&format!(
                r#"{{"type":"response.output_item.added","output_index":{n},"item":{{"type":"function_call","call_id":"a{n}","name":"f"}}}}"#
            ))
        },
        kept_for: ALL,
    },
    Endless {
        provider: RESPONSES,
        what: "a summary",
        piece: |_| {
            let text = x();
            response(
                "reasoning_summary_text.delta",
                &format!(r#""summary_index":0,"delta":"{text}""#),
            )
        },
        kept_for: &[CHAT, OLLAMA],
    },
    Endless {
        provider: OLLAMA,
        what: "thoughts",
        piece: |_| format!("{{\"message\":{{\"thinking\":\"{}\"}}}}\n", x()).into_bytes(),
        kept_for: &[CHAT, RESPONSES],
    },
];

/// How a stream went: what the client got behind the last whole piece.
fn run(client: Dialect, endless: &Endless) -> (bool, String) {
    let context = context(client, endless.provider, "");
    let options = TapOptions {
        event_limit: LIMIT,
        ..TapOptions::default()
    };
    let mut tap = Translator::new(client, endless.provider).stream(&context, options);
    let (mut sent, mut last) = (0, Bytes::new());
    for n in 0.. {
        let piece = (endless.piece)(n);
        sent += piece.len();
        tap.feed(Bytes::from(piece)).unwrap();
        while let Some(bytes) = tap.pop() {
            last = bytes;
        }
        if tap.is_broken() || sent > SENT {
            break;
        }
    }
    let broken = tap.is_broken();
    let outcome = tap.finish(End::Cut);
    assert_ne!(outcome, Outcome::Finished);
    (broken, fixtures::readable(&last))
}

#[test]
fn an_answer_without_an_end_is_given_up_in_the_clients_dialect() {
    for endless in STREAMS {
        for client in endless.kept_for {
            if *client == endless.provider {
                continue;
            }
            let name = format!("{} of {:?} for {client:?}", endless.what, endless.provider);
            let (broken, last) = run(*client, endless);
            assert!(broken, "{name} is kept for ever");
            assert!(last.contains("keeps of one"), "{name}: {last}");
        }
    }
}

#[test]
fn what_passes_as_it_comes_may_be_as_long_as_it_likes() {
    for (client, what) in [
        (MESSAGES, "thoughts"),
        (GEMINI, "thoughts"),
        (MESSAGES, "arguments"),
        (CONVERSE, "arguments"),
        (CHAT, "text"),
    ] {
        let of = |it: &&Endless| it.what == what && it.provider != client;
        let endless = STREAMS.iter().find(of).unwrap();
        assert!(!run(client, endless).0, "{what} for {client:?}");
    }
}
