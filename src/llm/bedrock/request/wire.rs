//! The objects of a request, as clients write them. Where the API has a union, one
//! member is there.

use serde_json::Number;
use serde_json::value::RawValue;

use crate::object::{Text, object};

object! {
    Request<'a> {
        "messages" => messages: Vec<WireMessage<'a>>,
        "system" => system: Vec<WireBlock<'a>>,
        "inferenceConfig" => inference: Inference<'a>,
        "toolConfig" => tools: ToolConfig<'a>,
        "outputConfig" => output: OutputConfig<'a>,
        "requestMetadata" => metadata: &'a RawValue,
        "additionalModelRequestFields" => additional: Additional<'a>,
    }
}

object! {
    WireMessage<'a> {
        "role" => role: Text<'a>,
        "content" => content: Vec<WireBlock<'a>>,
    }
}

object! {
    WireBlock<'a> {
        "text" => text: Text<'a>,
        // In the result of a tool.
        "json" => json: &'a RawValue,
        "image" => image: WireMedia<'a>,
        "document" => document: WireMedia<'a>,
        "video" => video: WireMedia<'a>,
        "audio" => audio: WireMedia<'a>,
        "toolUse" => tool_use: ToolUse<'a>,
        "toolResult" => tool_result: ToolResult<'a>,
        "cachePoint" => cache: Cache<'a>,
        "reasoningContent" => reasoning: Reasoning<'a>,
        "citationsContent" => cited: Cited<'a>,
        // No other dialect has them.
        "guardContent" => guarded: &'a RawValue,
        "searchResult" => found: &'a RawValue,
    }
}

object! {
    WireMedia<'a> {
        "format" => format: Text<'a>,
        "source" => source: WireSource<'a>,
        "name" => name: Text<'a>,
        "context" => context: Text<'a>,
        "citations" => citations: Citations<'a>,
    }
}

object! {
    WireSource<'a> {
        "bytes" => bytes: Text<'a>,
        "s3Location" => s3: S3<'a>,
        "text" => text: Text<'a>,
        "content" => content: Vec<WireBlock<'a>>,
    }
}

object! {
    S3<'a> {
        "uri" => uri: Text<'a>,
        "bucketOwner" => owner: Text<'a>,
    }
}

object! {
    Citations<'a> {
        "enabled" => enabled: bool,
    }
}

object! {
    ToolUse<'a> {
        "toolUseId" => id: Text<'a>,
        "name" => name: Text<'a>,
        "input" => input: &'a RawValue,
    }
}

object! {
    ToolResult<'a> {
        "toolUseId" => id: Text<'a>,
        "content" => content: Vec<WireBlock<'a>>,
        "status" => status: Text<'a>,
    }
}

object! {
    Cache<'a> {
        "type" => kind: Text<'a>,
        "ttl" => ttl: Text<'a>,
    }
}

object! {
    Reasoning<'a> {
        "reasoningText" => text: ReasoningText<'a>,
        "redactedContent" => redacted: Text<'a>,
    }
}

object! {
    ReasoningText<'a> {
        "text" => text: Text<'a>,
        "signature" => signature: Text<'a>,
    }
}

object! {
    Cited<'a> {
        "content" => content: Vec<WireBlock<'a>>,
        "citations" => citations: &'a RawValue,
    }
}

object! {
    Inference<'a> {
        "maxTokens" => max_tokens: u64,
        "temperature" => temperature: Number,
        "topP" => top_p: Number,
        "stopSequences" => stop: Vec<Text<'a>>,
    }
}

object! {
    ToolConfig<'a> {
        "tools" => tools: Vec<WireTool<'a>>,
        "toolChoice" => choice: Choice<'a>,
    }
}

object! {
    WireTool<'a> {
        "toolSpec" => spec: ToolSpec<'a>,
        "cachePoint" => cache: Cache<'a>,
        "systemTool" => system: &'a RawValue,
    }
}

object! {
    ToolSpec<'a> {
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "inputSchema" => schema: InputSchema<'a>,
        "strict" => strict: bool,
    }
}

object! {
    InputSchema<'a> {
        "json" => json: &'a RawValue,
    }
}

object! {
    Choice<'a> {
        "auto" => auto: &'a RawValue,
        "any" => any: &'a RawValue,
        "tool" => tool: NamedTool<'a>,
    }
}

object! {
    NamedTool<'a> {
        "name" => name: Text<'a>,
    }
}

object! {
    OutputConfig<'a> {
        "textFormat" => format: TextFormat<'a>,
    }
}

object! {
    TextFormat<'a> {
        "type" => kind: Text<'a>,
        "structure" => structure: Structure<'a>,
    }
}

object! {
    Structure<'a> {
        "jsonSchema" => schema: Schema<'a>,
    }
}

object! {
    Schema<'a> {
        "schema" => schema: Text<'a>,
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
    }
}

object! {
    /// What the models take beside what all of them take.
    Additional<'a> {
        // Claude.
        "thinking" => thinking: Thinking<'a>,
        "output_config" => output_config: Effort<'a>,
        "top_k" => top_k: Number,
        // Nova.
        "reasoningConfig" => reasoning: NovaReasoning<'a>,
        "inferenceConfig" => inference: NovaInference<'a>,
        // OpenAI's open models.
        "reasoning_effort" => reasoning_effort: Text<'a>,
    }
}

object! {
    Thinking<'a> {
        "type" => kind: Text<'a>,
        "budget_tokens" => budget_tokens: u64,
        "display" => display: Text<'a>,
    }
}

object! {
    Effort<'a> {
        "effort" => effort: Text<'a>,
    }
}

object! {
    NovaReasoning<'a> {
        "type" => kind: Text<'a>,
        "maxReasoningEffort" => effort: Text<'a>,
    }
}

object! {
    NovaInference<'a> {
        "topK" => top_k: Number,
    }
}
