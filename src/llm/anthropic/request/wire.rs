//! The objects of a request, as clients write them.

use serde_json::Number;
use serde_json::value::RawValue;

use crate::object::{OneOrMany, OneOrManyOrOther, Text, object};

object! {
    Request<'a> {
        "model" => model: Text<'a>,
        "max_tokens" => max_tokens: u64,
        "messages" => messages: Vec<WireMessage<'a>>,
        "system" => system: OneOrMany<'a, WireBlock<'a>>,
        "stop_sequences" => stop_sequences: Vec<Text<'a>>,
        "stream" => stream: bool,
        "temperature" => temperature: Number,
        "top_p" => top_p: Number,
        "top_k" => top_k: Number,
        "tools" => tools: Vec<&'a RawValue>,
        "tool_choice" => tool_choice: Choice<'a>,
        "thinking" => thinking: WireThinking<'a>,
        "metadata" => metadata: Metadata<'a>,
        "output_config" => output_config: OutputConfig<'a>,
        // The name that `output_config.format` had first.
        "output_format" => output_format: Format<'a>,
    }
}

object! {
    WireMessage<'a> {
        "role" => role: Text<'a>,
        "content" => content: OneOrMany<'a, WireBlock<'a>>,
    }
}

object! {
    WireBlock<'a> {
        "type" => kind: Text<'a>,
        "cache_control" => cache_control: Cache<'a>,
        "text" => text: Text<'a>,
        // Blocks that are not read have something else under these two names.
        "source" => source: &'a RawValue,
        "content" => content: OneOrManyOrOther<'a, WireBlock<'a>>,
        "title" => title: Text<'a>,
        "context" => context: Text<'a>,
        "citations" => citations: &'a RawValue,
        "id" => id: Text<'a>,
        "name" => name: Text<'a>,
        "input" => input: &'a RawValue,
        // Who called: the model itself, unless code of the provider did.
        "caller" => caller: &'a RawValue,
        "tool_use_id" => tool_use_id: Text<'a>,
        "is_error" => is_error: bool,
        "thinking" => thinking: Text<'a>,
        "signature" => signature: Text<'a>,
        "data" => data: Text<'a>,
    }
}

object! {
    WireSource<'a> {
        "type" => kind: Text<'a>,
        "media_type" => media_type: Text<'a>,
        "data" => data: Text<'a>,
        "url" => url: Text<'a>,
        "file_id" => file_id: Text<'a>,
        "content" => content: OneOrMany<'a, WireBlock<'a>>,
    }
}

object! {
    Cache<'a> {
        "type" => kind: Text<'a>,
        "ttl" => ttl: Text<'a>,
    }
}

object! {
    WireTool<'a> {
        "type" => kind: Text<'a>,
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "input_schema" => input_schema: &'a RawValue,
        "strict" => strict: bool,
        "cache_control" => cache_control: Cache<'a>,
    }
}

object! {
    Choice<'a> {
        "type" => kind: Text<'a>,
        "name" => name: Text<'a>,
        "disable_parallel_tool_use" => disable_parallel: bool,
    }
}

object! {
    WireThinking<'a> {
        "type" => kind: Text<'a>,
        "budget_tokens" => budget_tokens: u64,
        "display" => display: Text<'a>,
    }
}

object! {
    Metadata<'a> {
        "user_id" => user_id: Text<'a>,
    }
}

object! {
    OutputConfig<'a> {
        "effort" => effort: Text<'a>,
        "format" => format: Format<'a>,
    }
}

object! {
    Format<'a> {
        "type" => kind: Text<'a>,
        "schema" => schema: &'a RawValue,
    }
}
