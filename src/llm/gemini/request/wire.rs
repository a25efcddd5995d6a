//! The objects of a request, as clients write them. Proto's JSON takes names in either
//! spelling.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_json::value::RawValue;

use crate::object::{Text, object};

object! {
    Request<'a> {
        // The path names it.
        "model" => model: Text<'a>,
        "contents" => contents: Many<WireContent<'a>>,
        "systemInstruction" | "system_instruction" => system: WireContent<'a>,
        "tools" => tools: Many<WireTool<'a>>,
        "toolConfig" | "tool_config" => tool_config: ToolConfig<'a>,
        "generationConfig" | "generation_config" => config: Config<'a>,
        "cachedContent" | "cached_content" => cached: Text<'a>,
        "labels" => labels: &'a RawValue,
    }
}

object! {
    WireContent<'a> {
        "role" => role: Text<'a>,
        "parts" => parts: Many<Part<'a>>,
    }
}

object! {
    Part<'a> {
        "text" => text: Text<'a>,
        "thought" => thought: bool,
        "thoughtSignature" | "thought_signature" => signature: Text<'a>,
        "inlineData" | "inline_data" => inline: Blob<'a>,
        "fileData" | "file_data" => file: FileData<'a>,
        "functionCall" | "function_call" => call: Call<'a>,
        "functionResponse" | "function_response" => response: Response<'a>,
    }
}

object! {
    Blob<'a> {
        "mimeType" | "mime_type" => mime_type: Text<'a>,
        "data" => data: Text<'a>,
        "displayName" | "display_name" => name: Text<'a>,
    }
}

object! {
    FileData<'a> {
        "mimeType" | "mime_type" => mime_type: Text<'a>,
        "fileUri" | "file_uri" => uri: Text<'a>,
        "displayName" | "display_name" => name: Text<'a>,
    }
}

object! {
    Call<'a> {
        "id" => id: Text<'a>,
        "name" => name: Text<'a>,
        "args" => args: &'a RawValue,
    }
}

object! {
    Response<'a> {
        "id" => id: Text<'a>,
        "name" => name: Text<'a>,
        "response" => response: &'a RawValue,
        "parts" => parts: Many<Part<'a>>,
    }
}

object! {
    WireTool<'a> {
        "functionDeclarations" | "function_declarations" => declarations: Many<Declaration<'a>>,
    }
}

object! {
    Declaration<'a> {
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "parameters" => parameters: &'a RawValue,
        "parametersJsonSchema" | "parameters_json_schema" => schema: &'a RawValue,
    }
}

object! {
    ToolConfig<'a> {
        "functionCallingConfig" | "function_calling_config" => calling: Calling<'a>,
    }
}

object! {
    Calling<'a> {
        "mode" => mode: Text<'a>,
        "allowedFunctionNames" | "allowed_function_names" => allowed: Vec<Text<'a>>,
    }
}

object! {
    Config<'a> {
        "stopSequences" | "stop_sequences" => stop: Vec<Text<'a>>,
        "temperature" => temperature: Number,
        "topP" | "top_p" => top_p: Number,
        "topK" | "top_k" => top_k: Number,
        "maxOutputTokens" | "max_output_tokens" => max_tokens: u64,
        "candidateCount" | "candidate_count" => candidates: u32,
        "responseMimeType" | "response_mime_type" => mime_type: Text<'a>,
        "responseSchema" | "response_schema" => schema: &'a RawValue,
        "responseJsonSchema" | "_responseJsonSchema" | "response_json_schema"
            => json_schema: &'a RawValue,
        "seed" => seed: Number,
        "presencePenalty" | "presence_penalty" => presence_penalty: Number,
        "frequencyPenalty" | "frequency_penalty" => frequency_penalty: Number,
        "responseLogprobs" | "response_logprobs" => logprobs: bool,
        "logprobs" => top_logprobs: u32,
        "thinkingConfig" | "thinking_config" => thinking: ThinkingConfig<'a>,
    }
}

object! {
    ThinkingConfig<'a> {
        "includeThoughts" | "include_thoughts" => show: bool,
        "thinkingBudget" | "thinking_budget" => budget: i64,
        "thinkingLevel" | "thinking_level" => level: Text<'a>,
    }
}

/// A list, or what would be its only item: Google's own examples write it so.
#[derive(Debug)]
pub(super) struct Many<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = Many<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(Many(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| Many(vec![one]))
            }
        }
        deserializer.deserialize_any(Items(PhantomData))
    }
}
