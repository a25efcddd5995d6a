//! What OpenAI chat completions call the fields that the IR knows.

use crate::ir::{At, Field, List};

/// The path of a place.
pub(crate) fn place(at: At) -> String {
    let item = at.item;
    match (at.list, at.part) {
        (List::Top, _) => String::new(),
        (List::Tools, _) => format!("tools[{item}]"),
        (List::Calls, Some(part)) => format!("messages[{item}].tool_calls[{part}]"),
        (List::Messages, Some(part)) => format!("messages[{item}].content[{part}]"),
        (List::System | List::Messages | List::Calls, _) => format!("messages[{item}]"),
    }
}

/// The name of a field at a place.
pub(crate) fn name(field: Field) -> &'static str {
    match field {
        Field::Arguments => "function.arguments",
        Field::CacheControl => "cache_control",
        Field::Choices => "n",
        Field::Citations => "citations",
        Field::DocumentContext => "context",
        Field::DocumentTitle => "file.filename",
        Field::FrequencyPenalty => "frequency_penalty",
        Field::ImageDetail => "image_url.detail",
        Field::IsError => "is_error",
        Field::LogitBias => "logit_bias",
        Field::Logprobs => "logprobs",
        Field::MaxTokens => "max_completion_tokens",
        Field::MessageName => "name",
        Field::Metadata => "metadata",
        Field::ParallelToolCalls => "parallel_tool_calls",
        Field::PresencePenalty => "presence_penalty",
        Field::Reasoning
        | Field::ReasoningBudget
        | Field::ReasoningDisplay
        | Field::ReasoningEffort => "reasoning_effort",
        Field::ResponseFormat => "response_format",
        Field::Role => "role",
        Field::SchemaName => "response_format.json_schema.name",
        Field::SchemaStrict => "response_format.json_schema.strict",
        Field::Seed => "seed",
        Field::Signature | Field::Thinking => "reasoning_content",
        Field::Source | Field::Whole => "",
        Field::Stop => "stop",
        Field::Temperature => "temperature",
        Field::ToolChoice => "tool_choice",
        Field::ToolStrict => "function.strict",
        Field::ToolType => "type",
        Field::TopK => "top_k",
        Field::TopLogprobs => "top_logprobs",
        Field::TopP => "top_p",
        Field::User => "user",
    }
}
