//! What OpenAI Responses call the fields that the IR knows.

use crate::ir::{At, Field, List};

/// The path of a place.
pub(crate) fn place(at: At) -> String {
    let item = at.item;
    let mut path = match (at.list, at.part) {
        (List::Top, _) => String::new(),
        (List::Tools, None) => format!("tools[{item}]"),
        // A tool of a namespace.
        (List::Tools, Some(part)) => format!("tools[{item}].tools[{part}]"),
        (List::System, _) => String::from("instructions"),
        (List::Messages | List::Calls, Some(part)) => format!("input[{item}].content[{part}]"),
        (List::Messages | List::Calls, None) => format!("input[{item}]"),
    };
    if let Some(nested) = at.nested {
        path.push_str(&format!(".output[{nested}]"));
    }
    path
}

/// The name of a field at a place.
pub(crate) fn name(field: Field) -> &'static str {
    match field {
        Field::Arguments => "arguments",
        Field::CacheControl => "prompt_cache_breakpoint",
        Field::Choices => "n",
        Field::Citations => "citations",
        Field::DocumentContext => "context",
        Field::DocumentTitle => "filename",
        Field::FrequencyPenalty => "frequency_penalty",
        Field::ImageDetail => "detail",
        Field::IsError => "is_error",
        Field::LogitBias => "logit_bias",
        Field::Logprobs => "include",
        Field::MaxTokens => "max_output_tokens",
        Field::MessageName => "name",
        Field::Metadata => "metadata",
        Field::ParallelToolCalls => "parallel_tool_calls",
        Field::PresencePenalty => "presence_penalty",
        Field::Reasoning | Field::ReasoningBudget => "reasoning",
        Field::ReasoningDisplay => "reasoning.summary",
        Field::ReasoningEffort => "reasoning.effort",
        Field::ResponseFormat => "text.format",
        Field::Role => "role",
        Field::SchemaName => "text.format.name",
        Field::SchemaStrict => "text.format.strict",
        Field::Seed => "seed",
        // A reasoning item, as a whole.
        Field::Signature | Field::Source | Field::Thinking | Field::Whole => "",
        Field::Stop => "stop",
        Field::Temperature => "temperature",
        Field::ToolChoice => "tool_choice",
        Field::ToolStrict => "strict",
        Field::ToolType => "type",
        Field::TopK => "top_k",
        Field::TopLogprobs => "top_logprobs",
        Field::TopP => "top_p",
        Field::User => "user",
    }
}
