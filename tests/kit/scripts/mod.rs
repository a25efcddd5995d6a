//! A whole provider whose behaviour the model name chooses.
//!
//! The name up to its first `-` is the behaviour, so that a gateway can serve
//! `cut-*` and each test can use a model of its own (`cut-7f3a`): records and
//! gates are then told apart by the model. A header `x-testkit-behaviour` wins
//! over the name. All dialects answer, by path.
//!
//! | behaviour | a stream | a whole answer |
//! |---|---|---|
//! | (any other name) | five pieces, usage, terminator | the same |
//! | `tools` | a call of `get_weather` | the same |
//! | `thinking` | signed thoughts, then a call of `get_weather`, or text when its result is there | the same |
//! | `guardrail` | what a guardrail says instead (Bedrock) | no `output` at all |
//! | `gated` | waits after the first piece at the gate of the model's name | waits before the head |
//! | `cut` | closes after the first piece | closes in the middle |
//! | `cuthead` | closes before the head | the same |
//! | `stall` | nothing more after the first piece | nothing more after half |
//! | `stallhead` | no byte at all | the same |
//! | `unfinished` | a clean end of body after the first piece | a whole answer |
//! | `miderror` | an in-band error after the first piece, then a clean end | overloaded |
//! | `lateerror` | 200, and the first event is an error | overloaded |
//! | `overloaded` | 503, 529 (Anthropic) | the same |
//! | `ratelimited` | 429, `retry-after: 7` | the same |
//! | `quota` | 429 of an exhausted account | the same |
//! | `unauthorized` | 401 | the same |
//! | `badrequest` | 400 | the same |
//! | `broken` | 502 with an HTML page | the same |

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::{Gate, Gates, Reply, Request};

mod anthropic;
mod bedrock;
mod converse;
mod gemini;
mod ollama;
mod openai;
mod responses;

/// What every answer says, in the pieces in which it is streamed.
pub const PIECES: [&str; 5] = ["Hello", " from", " the", " scripted", " upstream."];
/// Input tokens of every answer.
pub const INPUT_TOKENS: u64 = 11;
/// Output tokens of every answer.
pub const OUTPUT_TOKENS: u64 = 7;

/// One answer in one dialect, in all its forms.
struct Answer {
    /// Without streaming.
    whole: Value,
    /// The events of a stream.
    events: Vec<Bytes>,
    /// How many of the events come with or before the first piece.
    first: usize,
}

/// How a dialect says that it failed.
struct Failure {
    status: u16,
    body: Value,
    /// A header that names it, in dialects that have one.
    header: Option<(&'static str, &'static str)>,
    /// The same within a stream.
    event: Bytes,
}

#[derive(Clone, Copy)]
enum Kind {
    BadRequest,
    Overloaded,
    Quota,
    RateLimited,
    Unauthorized,
}

struct Dialect {
    /// The content type of a stream.
    stream: &'static str,
    /// What the provider finds wrong with a request.
    check: fn(&Request) -> Option<Failure>,
    text: fn(&str) -> Answer,
    tools: fn(&str) -> Answer,
    /// With signed thoughts; the flag: the result of the tool is there.
    thinking: fn(&str, bool) -> Answer,
    failure: fn(Kind) -> Failure,
}

/// What every thought says, and the proof of it.
const THOUGHT: &str = "The user wants the weather.";
const SIGNATURE: &str = "RXZpZGVuY2Ugb2YgdGhlIHRlc3Qga2l0";

/// The script; gated answers wait at the gate of their model's name.
pub fn by_model(gates: Arc<Gates>) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
    move |request| {
        let route = request.route();
        if route.ends_with("/models") {
            return Reply::json(200, &openai::models());
        }
        if route.ends_with("/embeddings") {
            return responses::embeddings(request);
        }
        let dialect = if route.ends_with("/chat/completions") {
            &openai::DIALECT
        } else if route.ends_with("/responses") {
            &responses::DIALECT
        } else if route.ends_with("/messages") {
            &anthropic::DIALECT
        } else if route.ends_with("/api/chat") {
            &ollama::DIALECT
        } else if route.ends_with("/converse") || route.ends_with("/converse-stream") {
            &bedrock::DIALECT
        } else if route.ends_with("enerateContent") {
            &gemini::DIALECT
        } else {
            return Reply::json(404, &openai::not_found(route));
        };
        reply(dialect, request, &gates)
    }
}

fn reply(dialect: &Dialect, request: &Request, gates: &Gates) -> Reply {
    if let Some(failure) = (dialect.check)(request) {
        return failed(&failure);
    }
    let model = &request.model();
    let by_name = model.split('-').next().unwrap_or_default();
    let behaviour = request.header("x-testkit-behaviour").unwrap_or(by_name);
    let streams = request.streams();
    let answer = (dialect.text)(model);
    let failure = dialect.failure;
    let begun = || Reply::stream(dialect.stream);
    match behaviour {
        "tools" => all(dialect, (dialect.tools)(model), streams),
        "thinking" => {
            let answered = String::from_utf8_lossy(&request.body).contains("18 degrees");
            all(dialect, (dialect.thinking)(model, answered), streams)
        }
        "guardrail" => all(dialect, bedrock::guardrail(), streams),
        "gated" => gated(dialect, answer, streams, &gates.named(model)),
        "cut" => broken_off(dialect, answer, streams, Reply::cut),
        "cuthead" => begun().cut(),
        "stall" => broken_off(dialect, answer, streams, Reply::stall),
        "stallhead" => begun().stall(),
        "unfinished" if streams => first(dialect, &answer),
        "miderror" if streams => first(dialect, &answer).chunk(failure(Kind::Overloaded).event),
        "lateerror" if streams => begun().chunk(failure(Kind::Overloaded).event),
        "miderror" | "lateerror" | "overloaded" => failed(&failure(Kind::Overloaded)),
        "ratelimited" => failed(&failure(Kind::RateLimited)).header("retry-after", "7"),
        "quota" => failed(&failure(Kind::Quota)),
        "unauthorized" => failed(&failure(Kind::Unauthorized)),
        "badrequest" => failed(&failure(Kind::BadRequest)),
        "broken" => Reply::text(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>"),
        _ => all(dialect, answer, streams),
    }
}

/// For providers that take everything.
fn unchecked(_: &Request) -> Option<Failure> {
    None
}

fn all(dialect: &Dialect, answer: Answer, streams: bool) -> Reply {
    if streams {
        let begun = Reply::stream(dialect.stream);
        answer.events.into_iter().fold(begun, Reply::chunk)
    } else {
        Reply::json(200, &answer.whole)
    }
}

fn gated(dialect: &Dialect, answer: Answer, streams: bool, gate: &Gate) -> Reply {
    if streams {
        let held = first(dialect, &answer).gate(gate);
        let rest = answer.events.into_iter().skip(answer.first);
        rest.fold(held, Reply::chunk)
    } else {
        Reply::status(200)
            .header("content-type", "application/json")
            .gate(gate)
            .chunk(answer.whole.to_string())
    }
}

fn broken_off(dialect: &Dialect, answer: Answer, streams: bool, end: fn(Reply) -> Reply) -> Reply {
    if streams {
        return end(first(dialect, &answer));
    }
    let mut body = answer.whole.to_string();
    let rest = body.split_off(body.len() / 2);
    // The chunk that is never sent still counts for Content-Length.
    end(Reply::text(200, "application/json", body)).chunk(rest)
}

fn first(dialect: &Dialect, answer: &Answer) -> Reply {
    let events = answer.events.iter().take(answer.first).cloned();
    events.fold(Reply::stream(dialect.stream), Reply::chunk)
}

fn failed(failure: &Failure) -> Reply {
    let reply = Reply::json(failure.status, &failure.body);
    match failure.header {
        Some((name, value)) => reply.header(name, value),
        None => reply,
    }
}
