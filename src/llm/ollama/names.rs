//! What Ollama calls the fields that the IR knows.

use crate::ir::{At, Field, List};

/// The path of a place. Of content only images have places of their own.
pub(super) fn place(at: At) -> String {
    let item = at.item;
    match (at.list, at.part) {
        (List::Top, _) => String::new(),
        (List::Tools, _) => format!("tools[{item}]"),
        (List::Calls, Some(part)) => format!("messages[{item}].tool_calls[{part}]"),
        (List::Messages, Some(part)) => format!("messages[{item}].images[{part}]"),
        (List::System | List::Messages | List::Calls, _) => format!("messages[{item}]"),
    }
}

/// The name of a field at a place.
pub(super) fn name(field: Field) -> &'static str {
    match field {
        Field::Arguments => "function.arguments",
        Field::CacheControl => "cache_control",
        Field::Choices => "n",
        Field::Citations => "citations",
        Field::DocumentContext => "context",
        Field::DocumentTitle => "title",
        Field::FrequencyPenalty => "options.frequency_penalty",
        Field::ImageDetail => "detail",
        Field::IsError => "is_error",
        Field::LogitBias => "logit_bias",
        Field::Logprobs => "logprobs",
        Field::MaxTokens => "options.num_predict",
        Field::MessageName => "name",
        Field::Metadata => "metadata",
        Field::ParallelToolCalls => "parallel_tool_calls",
        Field::PresencePenalty => "options.presence_penalty",
        Field::Reasoning
        | Field::ReasoningBudget
        | Field::ReasoningDisplay
        | Field::ReasoningEffort => "think",
        Field::ResponseFormat | Field::SchemaName | Field::SchemaStrict => "format",
        Field::Role => "role",
        Field::Seed => "options.seed",
        Field::Signature | Field::Thinking => "thinking",
        Field::Source | Field::Whole => "",
        Field::Stop => "options.stop",
        Field::Temperature => "options.temperature",
        Field::ToolChoice => "tool_choice",
        Field::ToolStrict => "function.strict",
        Field::ToolType => "type",
        Field::TopK => "options.top_k",
        Field::TopLogprobs => "top_logprobs",
        Field::TopP => "options.top_p",
        Field::User => "user",
    }
}
