//! Wire transcripts, for tests.

use std::fmt::Write as _;
use std::path::PathBuf;

use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use serde_json::{Value, json};

fn folder(dialect: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../tests/fixtures", dialect]
        .iter()
        .collect()
}

/// One transcript: `openai/chat_text.sse`. Binary ones are described: `.events`.
pub(crate) fn read(path: &str) -> Bytes {
    let file = folder(path);
    let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    if !path.ends_with(".events") {
        return Bytes::from(bytes);
    }
    let text = String::from_utf8(bytes).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    Bytes::from(
        lines
            .flat_map(|line: Value| frame(&line))
            .collect::<Vec<u8>>(),
    )
}

/// The names of all transcripts of one kind, sorted; none where there is no folder.
pub(crate) fn all(dialect: &str, extension: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder(dialect)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(extension))
        .map(|name| format!("{dialect}/{name}"))
        .collect();
    names.sort();
    names
}

/// A frame of an event stream, as AWS's implementation writes it.
///
/// `{"messageStart":{…}}` is an event, `{"exception":{"name":{…}}}` an exception,
/// `{"headers":{…},"payload":{…}}` a frame of its own kind, `{"text":"…"}` no frame at
/// all. `{"part":FRAME,"bytes":n}` breaks off, `{"damaged":FRAME,"byte":n}` has one wrong
/// byte (from the end where negative).
fn frame(line: &Value) -> Vec<u8> {
    if let Some(text) = line["text"].as_str() {
        return text.as_bytes().to_vec();
    }
    if line["part"].is_object() {
        let mut bytes = frame(&line["part"]);
        bytes.truncate(usize::try_from(line["bytes"].as_u64().unwrap()).unwrap());
        return bytes;
    }
    if line["damaged"].is_object() {
        let mut bytes = frame(&line["damaged"]);
        let len = i64::try_from(bytes.len()).unwrap();
        let at = line["byte"].as_i64().unwrap().rem_euclid(len);
        bytes[usize::try_from(at).unwrap()] ^= 0x10;
        return bytes;
    }
    if line["headers"].is_object() {
        return written(&line["headers"], line.get("payload"));
    }
    let (kind, inner) = match line.get("exception") {
        Some(exception) => ("exception", exception),
        None => ("event", line),
    };
    let (name, payload) = inner.as_object().unwrap().iter().next().unwrap();
    let headers = json!({
        format!(":{kind}-type"): name,
        ":content-type": "application/json",
        ":message-type": kind,
    });
    written(&headers, Some(payload))
}

fn written(headers: &Value, payload: Option<&Value>) -> Vec<u8> {
    let payload = payload.map(Value::to_string).unwrap_or_default();
    let mut message = Message::new(Bytes::from(payload));
    for (name, value) in headers.as_object().unwrap() {
        let value = HeaderValue::String(value.as_str().unwrap().to_owned().into());
        message = message.add_header(Header::new(name.clone(), value));
    }
    let mut out = Vec::new();
    write_message_to(&message, &mut out).unwrap();
    out
}

/// What a client was told, to be read by people: text as it is, the frames of an event
/// stream (whole, as AWS's implementation reads them) as lines.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let mut rest = Bytes::copy_from_slice(bytes);
    if read_message_from(&mut rest.clone()).is_err() {
        return String::from_utf8(bytes.to_vec()).unwrap();
    }
    let mut lines = String::new();
    while !rest.is_empty() {
        let message = read_message_from(&mut rest).unwrap();
        let header = |name: &str| {
            let mut headers = message.headers().iter();
            let found = headers.find(|header| header.name().as_str() == name);
            found.map(|found| found.value().as_string().unwrap().as_str().to_owned())
        };
        let payload: Value = serde_json::from_slice(message.payload()).unwrap();
        let line = match header(":event-type") {
            Some(name) => json!({ name: payload }),
            None => json!({ "error": { header(":exception-type").unwrap(): payload } }),
        };
        let _ = writeln!(lines, "{line}");
    }
    lines
}
