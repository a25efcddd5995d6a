//! Gemini's words: `embedContent` and `batchEmbedContents`, of clients and, for the
//! models that have them alone, of Vertex AI.
//! <https://ai.google.dev/api/embeddings>

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::EmbedForm;
use super::answer::{self, Said};
use super::asked::{self, Asked, Flag, Input};
use crate::dropped::Dropped;
use crate::object::{self, Text, invalid, missing, object};
use crate::{ApiError, Failure, UsageReport, json};

object! {
    Batch<'a> {
        "model" => model: Text<'a>,
        "requests" => requests: Vec<&'a RawValue>,
    }
}

object! {
    Request<'a> {
        "model" => model: Text<'a>,
        "content" => content: &'a RawValue,
        "taskType" => task: Text<'a>,
        "title" => title: Text<'a>,
        "outputDimensionality" => dimensions: u32,
        "autoTruncate" => truncate: bool,
        // The same once more, as clients of Vertex AI write it.
        "embedContentConfig" => config: &'a RawValue,
    }
}

object! {
    Content<'a> {
        "role" => role: Text<'a>,
        "parts" => parts: Vec<&'a RawValue>,
    }
}

object! {
    Part<'a> {
        "text" => text: Text<'a>,
    }
}

#[derive(Serialize)]
struct OutBatch<'a> {
    requests: Vec<OutRequest<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutRequest<'a> {
    content: OutContent<'a>,
    embed_content_config: OutConfig<'a>,
}

#[derive(Serialize)]
struct OutContent<'a> {
    role: &'static str,
    parts: [OutPart<'a>; 1],
}

#[derive(Serialize)]
struct OutPart<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u32>,
    auto_truncate: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<&'a Values<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embeddings: Option<&'a [Values<'a>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<Metadata>,
}

#[derive(Deserialize, Serialize)]
struct Values<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    embeddings: Vec<Values<'a>>,
    usage_metadata: Option<Metadata>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_token_count: Option<u64>,
}

/// Reads `embedContent` of a client.
pub(super) fn read_one(body: &[u8]) -> Result<Asked, ApiError> {
    let mut asked = nothing("content");
    let wire: Request<'_> = object::read(body)?;
    take(wire, "", &mut asked)?;
    asked.checked()
}

/// Reads `batchEmbedContents` of a client.
pub(super) fn read_batch(body: &[u8]) -> Result<Asked, ApiError> {
    let mut asked = nothing("requests");
    let wire: Batch<'_> = object::read(body)?;
    for (name, _) in &wire.rest {
        asked.dropped.extra(name);
    }
    let requests = wire.requests.ok_or_else(|| missing("requests"))?;
    for (nth, raw) in requests.into_iter().enumerate() {
        let at = format!("requests[{nth}]");
        take(object::read_at(raw, &at)?, &at, &mut asked)?;
    }
    asked.checked()
}

fn nothing(field: &'static str) -> Asked {
    Asked {
        inputs: Vec::new(),
        field,
        dimensions: None,
        base64: false,
        truncate: None,
        dropped: Dropped::default(),
    }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() {
        return name.to_owned();
    }
    format!("{at}.{name}")
}

/// One request, of several perhaps.
fn take(wire: Request<'_>, at: &str, asked: &mut Asked) -> Result<(), ApiError> {
    let mut input = Input::default();
    let content = wire.content.ok_or_else(|| missing(&join(at, "content")))?;
    input.text = text(content, &join(at, "content"))?;
    let config = wire.config;
    settings(wire, at, &mut input, asked)?;
    if let Some(config) = config {
        let at = join(at, "embedContentConfig");
        settings(object::read_at(config, &at)?, &at, &mut input, asked)?;
    }
    asked.inputs.push(input);
    Ok(())
}

fn settings(
    wire: Request<'_>,
    at: &str,
    input: &mut Input,
    asked: &mut Asked,
) -> Result<(), ApiError> {
    let said = |value: Text<'_>, name| asked::Said {
        value: value.into_string(),
        path: join(at, name),
    };
    for (name, _) in &wire.rest {
        asked.dropped.extra(&join(at, name));
    }
    input.task = wire
        .task
        .map(|it| said(it, "taskType"))
        .or(input.task.take());
    input.title = wire
        .title
        .map(|it| said(it, "title"))
        .or(input.title.take());
    if let Some(value) = wire.truncate {
        let path = join(at, "autoTruncate");
        asked.truncate = Some(Flag { value, path });
    }
    if let Some(dimensions) = wire.dimensions {
        let all = *asked.dimensions.get_or_insert(dimensions);
        if all != dimensions {
            let what = "must be the same in all requests";
            return Err(invalid(&join(at, "outputDimensionality"), what));
        }
    }
    Ok(())
}

/// "Only the parts.text fields will be counted."
fn text(raw: &RawValue, at: &str) -> Result<String, ApiError> {
    let content: Content<'_> = object::read_at(raw, at)?;
    let mut texts = Vec::new();
    for (nth, raw) in content.parts.unwrap_or_default().into_iter().enumerate() {
        let at = format!("{at}.parts[{nth}]");
        let part: Part<'_> = object::read_at(raw, &at)?;
        let what = "must be text: the upstream of this model embeds nothing else";
        let text = part.text.ok_or_else(|| invalid(&at, what))?;
        texts.push(text.into_string());
    }
    Ok(texts.join("\n"))
}

/// Writes `batchEmbedContents` for Vertex AI. A text that is too long is an error,
/// unless the client says otherwise.
pub(super) fn write(asked: &Asked) -> Vec<u8> {
    let truncate = asked.truncate.as_ref().is_some_and(|it| it.value);
    let requests = asked.inputs.iter().map(|input| OutRequest {
        content: OutContent {
            role: "user",
            parts: [OutPart { text: &input.text }],
        },
        embed_content_config: OutConfig {
            task_type: input.task.as_ref().map(|it| it.value.as_str()),
            title: input.title.as_ref().map(|it| it.value.as_str()),
            output_dimensionality: asked.dimensions,
            auto_truncate: truncate,
        },
    });
    super::written(&OutBatch {
        requests: requests.collect(),
    })
}

/// Reads the answer to it.
pub(super) fn said(body: &[u8]) -> Option<Said<'_>> {
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    Some(Said {
        vectors: body.embeddings.into_iter().map(|it| it.values).collect(),
        tokens: body.usage_metadata.and_then(|it| it.prompt_token_count),
    })
}

/// Writes an answer for a client.
pub(super) fn answer(said: &Said<'_>, form: EmbedForm) -> Result<(Bytes, UsageReport), Failure> {
    for vector in &said.vectors {
        answer::numbers(vector)?;
    }
    let values: Vec<Values<'_>> = said
        .vectors
        .iter()
        .map(|values| Values { values })
        .collect();
    let is_one = form == EmbedForm::GeminiContent;
    let line = json::to_line(&OutBody {
        embedding: values.first().filter(|_| is_one),
        embeddings: (!is_one).then_some(&values),
        usage_metadata: said.tokens.map(|tokens| Metadata {
            prompt_token_count: Some(tokens),
        }),
    });
    Ok((Bytes::from(line), said.usage()))
}
