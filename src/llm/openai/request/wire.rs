//! The objects of a request, as clients write them.

use serde_json::Number;
use serde_json::value::RawValue;

use crate::object::{OneOrMany, Text, object};

object! {
    Request<'a> {
        "model" => model: Text<'a>,
        "messages" => messages: Vec<WireMessage<'a>>,
        "tools" => tools: Vec<&'a RawValue>,
        "tool_choice" => tool_choice: &'a RawValue,
        "parallel_tool_calls" => parallel_tool_calls: bool,
        "max_tokens" => max_tokens: u64,
        "max_completion_tokens" => max_completion_tokens: u64,
        "stop" => stop: OneOrMany<'a, Text<'a>>,
        "temperature" => temperature: Number,
        "top_p" => top_p: Number,
        "top_k" => top_k: Number,
        "frequency_penalty" => frequency_penalty: Number,
        "presence_penalty" => presence_penalty: Number,
        "seed" => seed: Number,
        "logit_bias" => logit_bias: &'a RawValue,
        "n" => n: u32,
        "logprobs" => logprobs: bool,
        "top_logprobs" => top_logprobs: u32,
        "response_format" => response_format: Format<'a>,
        "reasoning_effort" => reasoning_effort: Text<'a>,
        "stream" => stream: bool,
        "stream_options" => stream_options: StreamOptions<'a>,
        "user" => user: Text<'a>,
        "safety_identifier" => safety_identifier: Text<'a>,
        "metadata" => metadata: &'a RawValue,
    }
}

object! {
    WireMessage<'a> {
        "role" => role: Text<'a>,
        "content" => content: OneOrMany<'a, Part<'a>>,
        "name" => name: Text<'a>,
        "refusal" => refusal: Text<'a>,
        "tool_calls" => tool_calls: Vec<Call<'a>>,
        "tool_call_id" => tool_call_id: Text<'a>,
        "reasoning_content" => reasoning_content: Text<'a>,
        "reasoning" => reasoning: Text<'a>,
        "cache_control" => cache_control: Cache<'a>,
        // Of an answer that is sent back; says nothing to a model.
        "annotations" => annotations: &'a RawValue,
    }
}

object! {
    Part<'a> {
        "type" => kind: Text<'a>,
        "text" => text: Text<'a>,
        "image_url" => image_url: ImageUrl<'a>,
        "input_audio" => input_audio: Audio<'a>,
        "file" => file: File<'a>,
        "refusal" => refusal: Text<'a>,
        "cache_control" => cache_control: Cache<'a>,
    }
}

object! {
    ImageUrl<'a> {
        "url" => url: Text<'a>,
        "detail" => detail: Text<'a>,
    }
}

object! {
    Audio<'a> {
        "data" => data: Text<'a>,
        "format" => format: Text<'a>,
    }
}

object! {
    File<'a> {
        "file_data" => file_data: Text<'a>,
        "file_id" => file_id: Text<'a>,
        "filename" => filename: Text<'a>,
    }
}

object! {
    Call<'a> {
        "id" => id: Text<'a>,
        "type" => kind: Text<'a>,
        "function" => function: CalledFunction<'a>,
        // Of a stream's pieces; some clients send it back.
        "index" => index: u32,
    }
}

object! {
    CalledFunction<'a> {
        "name" => name: Text<'a>,
        "arguments" => arguments: Text<'a>,
    }
}

object! {
    WireTool<'a> {
        "type" => kind: Text<'a>,
        "function" => function: Function<'a>,
        "cache_control" => cache_control: Cache<'a>,
    }
}

object! {
    Function<'a> {
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "parameters" => parameters: &'a RawValue,
        "strict" => strict: bool,
    }
}

object! {
    Choice<'a> {
        "type" => kind: Text<'a>,
        "function" => function: Function<'a>,
        "allowed_tools" => allowed_tools: Allowed<'a>,
    }
}

object! {
    Allowed<'a> {
        "mode" => mode: Text<'a>,
        "tools" => tools: Vec<Choice<'a>>,
    }
}

object! {
    Format<'a> {
        "type" => kind: Text<'a>,
        "json_schema" => json_schema: Schema<'a>,
    }
}

object! {
    Schema<'a> {
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "schema" => schema: &'a RawValue,
        "strict" => strict: bool,
    }
}

object! {
    StreamOptions<'a> {
        "include_usage" => include_usage: bool,
    }
}

object! {
    Cache<'a> {
        "type" => kind: Text<'a>,
        "ttl" => ttl: Text<'a>,
    }
}
