//! A client's request → IR.

use super::items::Items;
use super::tools::{self, Offered};
use super::wire::{Format, Request, TextConfig, WireReasoning};
use crate::codec::Inbound;
use crate::ir::{
    At, Block, ChatRequest, Content, Effort, Extra, List, Logprobs, Reasoning, ResponseFormat,
    Sampling, Unknown,
};
use crate::object::{self, OneOrMany, Rest, Text, invalid, missing};
use crate::responses::echo;
use crate::{ApiError, Dialect};

/// Reads a request.
pub(crate) fn to_ir(inbound: Inbound<'_>) -> Result<ChatRequest, ApiError> {
    let mut wire: Request<'_> = object::read(inbound.body)?;
    kept(&wire)?;
    let mut request = ChatRequest::new(Dialect::OpenAiResponses);
    request.stream = inbound.stream.or(wire.stream).unwrap_or_default();
    request.include_usage = true;
    if let Some(text) = wire.instructions.take() {
        let at = At::item(List::System, 0);
        let text = Content::Text(text.into_string());
        request.system.push(Block::new(text, at));
    }
    let mut offered = Offered::read(wire.tools.take().unwrap_or_default(), &mut request)?;
    if let Some(raw) = wire.tool_choice {
        request.tool_choice = tools::choice(raw, &mut offered, &mut request)?;
    }
    let input = wire.input.take().ok_or_else(|| missing("input"))?;
    let mut items = Items::new(&mut request, &mut offered);
    match input {
        OneOrMany::One(text) => items.text(text.into_string()),
        OneOrMany::Many(all) => {
            for (index, raw) in all.into_iter().enumerate() {
                items.push(raw, index)?;
            }
        }
    }
    request.namespaces = offered.into_namespaces();
    request.parallel_tool_calls = wire.parallel_tool_calls;
    if let Some(text) = wire.text.take() {
        request.response_format = text_config(text, &mut request.unknown)?;
    }
    if let Some(wanted) = wire.reasoning.take() {
        request.reasoning = reasoning(wanted, &mut request.unknown)?;
    }
    parameters(&mut request, wire);
    request.echo = echo::of(inbound.body);
    Ok(request)
}

/// What only the provider that keeps it can read: without it the answer would be
/// to another question, so it is never just dropped.
fn kept(wire: &Request<'_>) -> Result<(), ApiError> {
    let whole = "cannot be used with this model: its upstream keeps no conversations; send all of \
                 it in `input`";
    if wire.previous_response_id.is_some() {
        return Err(invalid("previous_response_id", whole));
    }
    if wire.conversation.is_some() {
        return Err(invalid("conversation", whole));
    }
    if wire.prompt.is_some() {
        let what = "cannot be used with this model: its upstream keeps no prompts; send it in \
                    `instructions`";
        return Err(invalid("prompt", what));
    }
    if wire.background == Some(true) {
        let what = "cannot be true with this model: its upstream answers at once or not at all";
        return Err(invalid("background", what));
    }
    Ok(())
}

fn parameters(request: &mut ChatRequest, wire: Request<'_>) {
    request.max_tokens = wire.max_output_tokens;
    request.sampling = Sampling {
        temperature: wire.temperature,
        top_p: wire.top_p,
        ..Sampling::default()
    };
    let mut logprobs = false;
    for (index, wanted) in wire.include.unwrap_or_default().iter().enumerate() {
        match wanted.as_str() {
            // Always there.
            "reasoning.encrypted_content" => {}
            "message.output_text.logprobs" => logprobs = true,
            // Of the provider's own tools.
            _ => request.unknown.push(Unknown {
                at: At::default(),
                name: format!("include[{index}]"),
            }),
        }
    }
    request.logprobs = logprobs.then_some(Logprobs {
        top: wire.top_logprobs,
    });
    let options = wire.stream_options;
    if options.is_some_and(|options| options.include_obfuscation == Some(true)) {
        request.unknown.push(Unknown {
            at: At::default(),
            name: String::from("stream_options.include_obfuscation"),
        });
    }
    let user = wire.safety_identifier.or(wire.user);
    request.user = user.map(Text::into_string);
    request.metadata = wire.metadata.map(ToOwned::to_owned);
    request.extra.extend(extra(wire.rest));
}

/// Fields for which the IR has no room, but those that only say what is so anyway.
fn extra(rest: Rest<'_>) -> impl Iterator<Item = Extra> {
    let says_nothing = |name: &str, value: &str| {
        matches!(
            (name, value),
            ("store", "false")
                | ("service_tier", "\"auto\"" | "\"default\"")
                | ("truncation", "\"disabled\"")
                | ("context_management", "[]")
        )
    };
    rest.into_iter()
        .filter(move |(name, value)| !says_nothing(name, value.get()))
        .map(|(name, value)| Extra {
            name: name.into_owned(),
            value: value.to_owned(),
        })
}

fn note(unknown: &mut Vec<Unknown>, of: &str, rest: &Rest<'_>) {
    unknown.extend(rest.iter().map(|(name, _)| Unknown {
        at: At::default(),
        name: format!("{of}.{name}"),
    }));
}

fn text_config(
    text: TextConfig<'_>,
    unknown: &mut Vec<Unknown>,
) -> Result<Option<ResponseFormat>, ApiError> {
    note(unknown, "text", &text.rest);
    if text.verbosity.is_some_and(|it| it.as_str() != "medium") {
        unknown.push(Unknown {
            at: At::default(),
            name: String::from("text.verbosity"),
        });
    }
    text.format.map_or(Ok(None), format)
}

fn format(format: Format<'_>) -> Result<Option<ResponseFormat>, ApiError> {
    match format.kind.as_ref().map(Text::as_str) {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(ResponseFormat::JsonObject)),
        Some("json_schema") => {
            let schema = format.schema.ok_or_else(|| missing("text.format.schema"))?;
            Ok(Some(ResponseFormat::JsonSchema {
                name: format.name.map(Text::into_string),
                description: format.description.map(Text::into_string),
                schema: schema.to_owned(),
                strict: format.strict,
            }))
        }
        _ => Err(invalid(
            "text.format.type",
            "must be one of text, json_object, json_schema",
        )),
    }
}

fn reasoning(
    wanted: WireReasoning<'_>,
    unknown: &mut Vec<Unknown>,
) -> Result<Option<Reasoning>, ApiError> {
    note(unknown, "reasoning", &wanted.rest);
    let effort = wanted.effort.map(|effort| {
        Effort::of(effort.as_str()).ok_or_else(|| {
            invalid(
                "reasoning.effort",
                "must be one of none, minimal, low, medium, high, xhigh, max",
            )
        })
    });
    let effort = effort.transpose()?;
    let show = wanted.summary.or(wanted.generate_summary).map(|_| true);
    if effort.is_none() && show.is_none() {
        return Ok(None);
    }
    Ok(Some(Reasoning {
        effort,
        show,
        ..Reasoning::default()
    }))
}
