//! What Gemini calls the fields that the IR knows.

use crate::ir::{At, Field, List};

/// The path of a place.
pub(super) fn place(at: At) -> String {
    let item = at.item;
    let mut path = match (at.list, at.part) {
        (List::Top, _) => String::new(),
        (List::Tools, Some(part)) => format!("tools[{item}].functionDeclarations[{part}]"),
        (List::Tools, None) => format!("tools[{item}]"),
        (List::System, Some(part)) => format!("systemInstruction.parts[{part}]"),
        (List::System, None) => String::from("systemInstruction"),
        (List::Messages | List::Calls, Some(part)) => format!("contents[{item}].parts[{part}]"),
        (List::Messages | List::Calls, None) => format!("contents[{item}]"),
    };
    if let Some(nested) = at.nested {
        path.push_str(&format!(".functionResponse.parts[{nested}]"));
    }
    path
}

/// The name of a field at a place.
pub(super) fn name(field: Field) -> &'static str {
    match field {
        Field::Arguments => "functionCall.args",
        Field::CacheControl => "cacheControl",
        Field::Choices => "generationConfig.candidateCount",
        Field::Citations => "citations",
        Field::DocumentContext => "context",
        Field::DocumentTitle => "inlineData.displayName",
        Field::FrequencyPenalty => "generationConfig.frequencyPenalty",
        Field::ImageDetail => "mediaResolution",
        Field::IsError => "functionResponse.response.error",
        Field::LogitBias => "generationConfig.logitBias",
        Field::Logprobs => "generationConfig.responseLogprobs",
        Field::MaxTokens => "generationConfig.maxOutputTokens",
        Field::MessageName => "name",
        Field::Metadata => "labels",
        Field::ParallelToolCalls => "toolConfig.parallelToolCalls",
        Field::PresencePenalty => "generationConfig.presencePenalty",
        Field::Reasoning => "generationConfig.thinkingConfig",
        Field::ReasoningBudget => "generationConfig.thinkingConfig.thinkingBudget",
        Field::ReasoningDisplay => "generationConfig.thinkingConfig.includeThoughts",
        Field::ReasoningEffort => "generationConfig.thinkingConfig.thinkingLevel",
        Field::ResponseFormat | Field::SchemaName | Field::SchemaStrict => {
            "generationConfig.responseMimeType"
        }
        Field::Role => "role",
        Field::Seed => "generationConfig.seed",
        Field::Signature => "thoughtSignature",
        Field::Source => "fileData",
        Field::Stop => "generationConfig.stopSequences",
        Field::Temperature => "generationConfig.temperature",
        Field::Thinking | Field::Whole => "",
        Field::ToolChoice => "toolConfig.functionCallingConfig",
        Field::ToolStrict => "strict",
        Field::ToolType => "type",
        Field::TopK => "generationConfig.topK",
        Field::TopLogprobs => "generationConfig.logprobs",
        Field::TopP => "generationConfig.topP",
        Field::User => "user",
    }
}
