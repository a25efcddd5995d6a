//! What the service finds wrong with a Converse request.

use serde_json::{Map, Value};

use super::SIGNATURE;

type Checked = Result<(), String>;

const TOP: &[&str] = &[
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "inferenceConfig",
    "messages",
    "outputConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
    "system",
    "toolConfig",
];
const BLOCKS: &[&str] = &[
    "audio",
    "cachePoint",
    "citationsContent",
    "document",
    "guardContent",
    "image",
    "reasoningContent",
    "searchResult",
    "text",
    "toolResult",
    "toolUse",
    "video",
];
const RESULTS: &[&str] = &["document", "image", "json", "searchResult", "text", "video"];

/// Checks a request; the error is the message of a `ValidationException`.
pub(super) fn check(body: &Value) -> Checked {
    let request = object(body, "request")?;
    known(request, TOP, "request")?;
    for block in list(&body["system"]) {
        union(block, &["cachePoint", "guardContent", "text"], "system")?;
        text(block)?;
    }
    let messages = list(&body["messages"]);
    let mut role = "assistant";
    for message in messages {
        known(object(message, "message")?, &["content", "role"], "message")?;
        let next = message["role"].as_str().unwrap_or_default();
        if next == role || !["assistant", "user"].contains(&next) {
            return Err("A conversation must alternate between user and assistant roles.".into());
        }
        role = next;
        if list(&message["content"]).is_empty() {
            return Err("The content field in the Message object is empty.".into());
        }
        for block in list(&message["content"]) {
            self::block(block)?;
        }
        together(list(&message["content"]))?;
    }
    if messages.is_empty() {
        return Err("A conversation must start with a user message.".into());
    }
    results(messages)?;
    inference(&body["inferenceConfig"])?;
    tools(body)?;
    thinking(body)
}

fn block(block: &Value) -> Checked {
    match union(block, BLOCKS, "ContentBlock")? {
        "text" => text(block),
        "toolUse" => {
            let call = &block["toolUse"];
            id(&call["toolUseId"])?;
            name(&call["name"])?;
            object(&call["input"], "toolUse.input").map(|_| ())
        }
        "toolResult" => {
            let result = &block["toolResult"];
            id(&result["toolUseId"])?;
            let status = result["status"].as_str().unwrap_or("success");
            if !result["content"].is_array() || !["error", "success"].contains(&status) {
                return Err("The toolResult is malformed.".into());
            }
            for part in list(&result["content"]) {
                union(part, RESULTS, "toolResult.content")?;
                text(part)?;
            }
            Ok(())
        }
        "image" | "document" | "audio" | "video" => media(block),
        "reasoningContent" => thought(&block["reasoningContent"]),
        _ => Ok(()),
    }
}

/// What the blocks of one message ask of each other.
fn together(blocks: &[Value]) -> Checked {
    let has = |kind: &str| blocks.iter().any(|block| block[kind] != Value::Null);
    if has("document") && !has("text") {
        return Err("A text block must be included when using documents. Add a text block.".into());
    }
    let mut before = &Value::Null;
    for block in blocks {
        if block["cachePoint"] != Value::Null {
            let document = &before["document"];
            if *before == Value::Null {
                return Err("There is nothing available to cache.".into());
            }
            if before["reasoningContent"] != Value::Null {
                return Err("Cache point cannot be inserted after reasoning block.".into());
            }
            if *document != Value::Null && document["format"] != "pdf" {
                return Err("The model returned the following errors: type: Field required".into());
            }
        }
        before = block;
    }
    Ok(())
}

fn media(block: &Value) -> Checked {
    let (kind, media) = object(block, "ContentBlock")?
        .iter()
        .next()
        .ok_or("empty")?;
    union(
        &media["source"],
        &["bytes", "content", "s3Location", "text"],
        "source",
    )?;
    let source = &media["source"];
    let is_told = source["text"] != Value::Null || source["content"] != Value::Null;
    if is_told && media["citations"]["enabled"] != true {
        return Err(
            "DocumentSource object must set one of the following keys: bytes, s3Location.".into(),
        );
    }
    if kind != "document" && !media["format"].is_string() {
        return Err(format!("The {kind} block has no format."));
    }
    let name = media["name"].as_str().unwrap_or_default();
    let legal = |c: char| c.is_ascii_alphanumeric() || " -()[]".contains(c);
    if kind == "document" && (name.is_empty() || name.contains("  ") || !name.chars().all(legal)) {
        return Err("The document file name can only contain alphanumeric characters.".into());
    }
    Ok(())
}

fn thought(thought: &Value) -> Checked {
    match union(
        thought,
        &["reasoningText", "redactedContent"],
        "reasoningContent",
    )? {
        "reasoningText" if thought["reasoningText"]["signature"] != SIGNATURE => Err(
            "The model returned the following errors: Invalid `signature` in `thinking` \
                 block"
                .into(),
        ),
        _ => Ok(()),
    }
}

/// Calls are answered at once, all of them.
fn results(messages: &[Value]) -> Checked {
    for (at, message) in messages.iter().enumerate() {
        let ids = |message: &Value, kind: &str| -> Vec<Value> {
            let blocks = list(&message["content"]).iter();
            let ids = blocks.map(|block| block[kind]["toolUseId"].clone());
            ids.filter(Value::is_string).collect()
        };
        let called = ids(message, "toolUse");
        let next = messages.get(at + 1);
        let answered = next.map(|next| ids(next, "toolResult")).unwrap_or_default();
        if called.iter().any(|id| !answered.contains(id)) && next.is_some() {
            return Err("Expected toolResult blocks for the toolUse blocks before.".into());
        }
        if answered.iter().any(|id| !called.contains(id)) {
            return Err("The toolResult blocks exceed the toolUse blocks before.".into());
        }
    }
    Ok(())
}

fn inference(config: &Value) -> Checked {
    let Some(config) = config.as_object() else {
        return Ok(());
    };
    known(
        config,
        &["maxTokens", "stopSequences", "temperature", "topP"],
        "inferenceConfig",
    )?;
    for name in ["temperature", "topP"] {
        let value = config.get(name).map_or(Some(0.0), Value::as_f64);
        if !value.is_some_and(|value| (0.0..=1.0).contains(&value)) {
            return Err(format!("{name} must be between 0 and 1"));
        }
    }
    Ok(())
}

fn tools(body: &Value) -> Checked {
    let config = &body["toolConfig"];
    let in_use = list(&body["messages"])
        .iter()
        .flat_map(|message| list(&message["content"]))
        .any(|block| block["toolUse"].is_object() || block["toolResult"].is_object());
    if in_use && !config.is_object() {
        return Err(
            "The toolConfig field must be defined when using toolUse and toolResult \
                    content blocks."
                .into(),
        );
    }
    for tool in list(&config["tools"]) {
        if union(tool, &["cachePoint", "systemTool", "toolSpec"], "tool")? == "toolSpec" {
            let spec = &tool["toolSpec"];
            name(&spec["name"])?;
            if spec["inputSchema"]["json"]["type"] != "object" {
                return Err("The input schema of a tool must be one of an object.".into());
            }
        }
    }
    if config["toolChoice"].is_object() {
        union(
            &config["toolChoice"],
            &["any", "auto", "tool"],
            "toolChoice",
        )?;
    }
    Ok(())
}

/// A turn that called tools while the model thinks begins with its thoughts.
fn thinking(body: &Value) -> Checked {
    let asked = &body["additionalModelRequestFields"]["thinking"];
    if asked["type"] != "enabled" {
        return Ok(());
    }
    if asked["budget_tokens"].as_u64() >= body["inferenceConfig"]["maxTokens"].as_u64() {
        return Err("`max_tokens` must be greater than `thinking.budget_tokens`.".into());
    }
    let mut messages = list(&body["messages"]).iter();
    let last = messages.rfind(|it| it["role"] == "assistant");
    let blocks = last.map_or(&[][..], |last| list(&last["content"]));
    let calls = blocks.iter().any(|block| block["toolUse"].is_object());
    let begins = blocks
        .first()
        .is_some_and(|it| it["reasoningContent"].is_object());
    if calls && !begins {
        return Err("Expected `thinking` or `redacted_thinking`, but found `tool_use`.".into());
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, String> {
    let object = value.as_object();
    object.ok_or_else(|| format!("{what} must be an object"))
}

fn known(object: &Map<String, Value>, names: &[&str], what: &str) -> Checked {
    match object.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(format!("{what}: extraneous key [{name}] is not permitted")),
        None => Ok(()),
    }
}

/// Exactly one member, of these.
fn union<'a>(value: &'a Value, names: &[&str], what: &str) -> Result<&'a str, String> {
    let object = object(value, what)?;
    known(object, names, what)?;
    let mut keys = object.keys();
    match (keys.next(), keys.next()) {
        (Some(name), None) => Ok(name),
        _ => Err(format!("{what} must have exactly one member")),
    }
}

fn text(block: &Value) -> Checked {
    match block["text"].as_str() {
        Some(text) if text.trim().is_empty() => {
            Err("The text field in the ContentBlock object is blank.".into())
        }
        _ => Ok(()),
    }
}

fn id(id: &Value) -> Checked {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    short(id, legal, "toolUseId")
}

fn name(name: &Value) -> Checked {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    short(name, legal, "tool name")
}

fn short(value: &Value, legal: impl Fn(char) -> bool, what: &str) -> Checked {
    let value = value.as_str().unwrap_or_default();
    if value.is_empty() || value.len() > 64 || !value.chars().all(legal) {
        return Err(format!("Value at '{what}' failed to satisfy constraint"));
    }
    Ok(())
}
