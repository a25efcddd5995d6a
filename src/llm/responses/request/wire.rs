//! The objects of a request, as clients write them.

use serde_json::Number;
use serde_json::value::RawValue;

use crate::object::{OneOrMany, OneOrManyOrOther, Text, object};

object! {
    Request<'a> {
        "model" => model: Text<'a>,
        "input" => input: OneOrMany<'a, &'a RawValue>,
        "instructions" => instructions: Text<'a>,
        "tools" => tools: Vec<&'a RawValue>,
        "tool_choice" => tool_choice: &'a RawValue,
        "parallel_tool_calls" => parallel_tool_calls: bool,
        "max_output_tokens" => max_output_tokens: u64,
        "temperature" => temperature: Number,
        "top_p" => top_p: Number,
        "top_logprobs" => top_logprobs: u32,
        "text" => text: TextConfig<'a>,
        "reasoning" => reasoning: WireReasoning<'a>,
        "include" => include: Vec<Text<'a>>,
        "stream" => stream: bool,
        "stream_options" => stream_options: StreamOptions<'a>,
        "user" => user: Text<'a>,
        "safety_identifier" => safety_identifier: Text<'a>,
        "metadata" => metadata: &'a RawValue,
        // What the provider keeps: see `read::kept`.
        "background" => background: bool,
        "conversation" => conversation: &'a RawValue,
        "previous_response_id" => previous_response_id: &'a RawValue,
        "prompt" => prompt: &'a RawValue,
    }
}

object! {
    /// An item of the input, of whichever kind.
    Item<'a> {
        "type" => kind: Text<'a>,
        "role" => role: Text<'a>,
        "content" => content: OneOrManyOrOther<'a, Part<'a>>,
        "call_id" => call_id: Text<'a>,
        "name" => name: Text<'a>,
        "namespace" => namespace: Text<'a>,
        "arguments" => arguments: Text<'a>,
        "input" => input: Text<'a>,
        "output" => output: OneOrManyOrOther<'a, Part<'a>>,
        "summary" => summary: Vec<Part<'a>>,
        "encrypted_content" => encrypted_content: Text<'a>,
        // Of an answer that is sent back; say nothing to another model.
        "id" => id: Text<'a>,
        "phase" => phase: &'a RawValue,
        "status" => status: &'a RawValue,
    }
}

object! {
    Part<'a> {
        "type" => kind: Text<'a>,
        "text" => text: Text<'a>,
        "refusal" => refusal: Text<'a>,
        "image_url" => image_url: Text<'a>,
        "detail" => detail: Text<'a>,
        "file_id" => file_id: Text<'a>,
        "file_data" => file_data: Text<'a>,
        "file_url" => file_url: Text<'a>,
        "filename" => filename: Text<'a>,
        "input_audio" => input_audio: Audio<'a>,
        "prompt_cache_breakpoint" => breakpoint: Breakpoint<'a>,
        // As above.
        "annotations" => annotations: &'a RawValue,
        "logprobs" => logprobs: &'a RawValue,
    }
}

object! {
    Audio<'a> {
        "data" => data: Text<'a>,
        "format" => format: Text<'a>,
    }
}

object! {
    Breakpoint<'a> {
        "mode" => mode: Text<'a>,
    }
}

object! {
    /// A tool, a member of a namespace, or a namespace.
    WireTool<'a> {
        "type" => kind: Text<'a>,
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "parameters" => parameters: &'a RawValue,
        "strict" => strict: bool,
        "format" => format: Grammar<'a>,
        "tools" => tools: Vec<&'a RawValue>,
    }
}

object! {
    /// Of the input of a custom tool; `text` has no definition.
    Grammar<'a> {
        "type" => kind: Text<'a>,
        "syntax" => syntax: Text<'a>,
        "definition" => definition: Text<'a>,
    }
}

object! {
    Choice<'a> {
        "type" => kind: Text<'a>,
        "name" => name: Text<'a>,
        "namespace" => namespace: Text<'a>,
        "mode" => mode: Text<'a>,
        "tools" => tools: Vec<Choice<'a>>,
    }
}

object! {
    TextConfig<'a> {
        "format" => format: Format<'a>,
        "verbosity" => verbosity: Text<'a>,
    }
}

object! {
    Format<'a> {
        "type" => kind: Text<'a>,
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "schema" => schema: &'a RawValue,
        "strict" => strict: bool,
    }
}

object! {
    WireReasoning<'a> {
        "effort" => effort: Text<'a>,
        "summary" => summary: Text<'a>,
        "generate_summary" => generate_summary: Text<'a>,
    }
}

object! {
    StreamOptions<'a> {
        "include_obfuscation" => include_obfuscation: bool,
    }
}
