//! What Anthropic Messages call the fields that the IR knows.

use crate::ir::{At, Field, List};

/// The path of a place.
pub(crate) fn place(at: At) -> String {
    let item = at.item;
    let mut path = match (at.list, at.part) {
        (List::Top, _) => String::new(),
        (List::Tools, _) => format!("tools[{item}]"),
        (List::System, Some(part)) => format!("system[{part}]"),
        (List::System, None) => String::from("system"),
        (List::Messages | List::Calls, Some(part)) => {
            format!("messages[{item}].content[{part}]")
        }
        (List::Messages | List::Calls, None) => format!("messages[{item}]"),
    };
    if let Some(nested) = at.nested {
        path.push_str(&format!(".content[{nested}]"));
    }
    path
}

/// The name of a field at a place.
pub(crate) fn name(field: Field) -> &'static str {
    match field {
        Field::Arguments => "input",
        Field::CacheControl => "cache_control",
        Field::Choices => "n",
        Field::Citations => "citations",
        Field::DocumentContext => "context",
        Field::DocumentTitle => "title",
        Field::FrequencyPenalty => "frequency_penalty",
        Field::ImageDetail => "detail",
        Field::IsError => "is_error",
        Field::LogitBias => "logit_bias",
        Field::Logprobs => "logprobs",
        Field::MaxTokens => "max_tokens",
        Field::MessageName => "name",
        Field::Metadata => "metadata",
        Field::ParallelToolCalls => "tool_choice.disable_parallel_tool_use",
        Field::PresencePenalty => "presence_penalty",
        Field::Reasoning => "thinking",
        Field::ReasoningBudget => "thinking.budget_tokens",
        Field::ReasoningDisplay => "thinking.display",
        Field::ReasoningEffort => "output_config.effort",
        Field::ResponseFormat | Field::SchemaName | Field::SchemaStrict => "output_config.format",
        Field::Role => "role",
        Field::Seed => "seed",
        Field::Signature => "signature",
        Field::Source => "source",
        Field::Stop => "stop_sequences",
        Field::Temperature => "temperature",
        Field::Thinking | Field::Whole => "",
        Field::ToolChoice => "tool_choice",
        Field::ToolStrict => "strict",
        Field::ToolType => "type",
        Field::TopK => "top_k",
        Field::TopLogprobs => "top_logprobs",
        Field::TopP => "top_p",
        Field::User => "metadata.user_id",
    }
}
