//! The objects of a request, as clients write them.

use serde_json::Number;
use serde_json::value::RawValue;

use crate::object::{OneOrMany, Text, object};

object! {
    Request<'a> {
        "model" => model: Text<'a>,
        "messages" => messages: Vec<WireMessage<'a>>,
        "tools" => tools: Vec<&'a RawValue>,
        "format" => format: &'a RawValue,
        "think" => think: &'a RawValue,
        "options" => options: Options<'a>,
        "logprobs" => logprobs: bool,
        "top_logprobs" => top_logprobs: u32,
        "stream" => stream: bool,
    }
}

object! {
    WireMessage<'a> {
        "role" => role: Text<'a>,
        "content" => content: Text<'a>,
        "thinking" => thinking: Text<'a>,
        "images" => images: Vec<Text<'a>>,
        "tool_calls" => tool_calls: Vec<Call<'a>>,
        "tool_name" => tool_name: Text<'a>,
        "tool_call_id" => tool_call_id: Text<'a>,
    }
}

object! {
    Call<'a> {
        "id" => id: Text<'a>,
        "type" => kind: Text<'a>,
        "function" => function: CalledFunction<'a>,
    }
}

object! {
    CalledFunction<'a> {
        // Its place in an answer; says nothing to a model.
        "index" => index: u32,
        "name" => name: Text<'a>,
        "arguments" => arguments: &'a RawValue,
    }
}

object! {
    WireTool<'a> {
        "type" => kind: Text<'a>,
        "function" => function: Function<'a>,
    }
}

object! {
    Function<'a> {
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "parameters" => parameters: &'a RawValue,
    }
}

object! {
    Options<'a> {
        "num_predict" => num_predict: i64,
        "temperature" => temperature: Number,
        "top_p" => top_p: Number,
        "top_k" => top_k: Number,
        "frequency_penalty" => frequency_penalty: Number,
        "presence_penalty" => presence_penalty: Number,
        "seed" => seed: Number,
        "stop" => stop: OneOrMany<'a, Text<'a>>,
    }
}
