//! What Converse calls the fields that the IR knows.

use crate::ir::{At, Field, List};

/// The path of a place.
pub(super) fn place(at: At) -> String {
    let item = at.item;
    let mut path = match (at.list, at.part) {
        (List::Top, _) => String::new(),
        (List::Tools, _) => format!("toolConfig.tools[{item}]"),
        (List::System, Some(part)) => format!("system[{part}]"),
        (List::System, None) => String::from("system"),
        (List::Messages | List::Calls, Some(part)) => {
            format!("messages[{item}].content[{part}]")
        }
        (List::Messages | List::Calls, None) => format!("messages[{item}]"),
    };
    if let Some(nested) = at.nested {
        path.push_str(&format!(".toolResult.content[{nested}]"));
    }
    path
}

/// The name of a field at a place.
pub(super) fn name(field: Field) -> &'static str {
    match field {
        Field::Arguments => "toolUse.input",
        Field::CacheControl => "cachePoint",
        Field::Choices => "n",
        Field::Citations => "document.citations",
        Field::DocumentContext => "document.context",
        Field::DocumentTitle => "document.name",
        Field::FrequencyPenalty => "frequency_penalty",
        Field::ImageDetail => "detail",
        Field::IsError => "toolResult.status",
        Field::LogitBias => "logit_bias",
        Field::Logprobs => "logprobs",
        Field::MaxTokens => "inferenceConfig.maxTokens",
        Field::MessageName => "name",
        Field::Metadata => "requestMetadata",
        Field::ParallelToolCalls => "parallel_tool_calls",
        Field::PresencePenalty => "presence_penalty",
        Field::Reasoning => "additionalModelRequestFields.thinking",
        Field::ReasoningBudget => "additionalModelRequestFields.thinking.budget_tokens",
        Field::ReasoningDisplay => "additionalModelRequestFields.thinking.display",
        Field::ReasoningEffort => "additionalModelRequestFields.output_config.effort",
        Field::ResponseFormat | Field::SchemaName | Field::SchemaStrict => {
            "outputConfig.textFormat"
        }
        Field::Role => "role",
        Field::Seed => "seed",
        Field::Signature => "reasoningContent.reasoningText.signature",
        Field::Source => "source",
        Field::Stop => "inferenceConfig.stopSequences",
        Field::Temperature => "inferenceConfig.temperature",
        Field::Thinking | Field::Whole => "",
        Field::ToolChoice => "toolConfig.toolChoice",
        Field::ToolStrict => "toolSpec.strict",
        Field::ToolType => "toolSpec",
        Field::TopK => "additionalModelRequestFields.top_k",
        Field::TopLogprobs => "top_logprobs",
        Field::TopP => "inferenceConfig.topP",
        Field::User => "user",
    }
}
