//! The events of a streamed response: named, numbered, and over with
//! `response.completed`, `response.incomplete` or `response.failed`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::usage;
use crate::UsageReport;
use crate::classify;
use crate::object::Text;
use crate::progress::{Phase, Progress};
use crate::sse::Event;
use crate::stream::{End, Outcome, StreamDecoder, Verdict};

/// Reads one streamed response.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    progress: Progress,
    usage: UsageReport,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    response: Option<Response<'a>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Failed<'a> {
    #[serde(borrow)]
    response: &'a RawValue,
}

#[derive(Deserialize)]
struct Added<'a> {
    #[serde(borrow)]
    item: Tag<'a>,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
}

/// The kind of an event: its name, or the data's own word where a server sends no
/// names. Empty when it has none.
pub(super) fn kind<'a>(event: &'a Event<'_>) -> Cow<'a, str> {
    if event.name.is_empty() {
        let tag = serde_json::from_slice::<Tag<'_>>(&event.data);
        return tag.map(|tag| tag.r#type.0).unwrap_or_default();
    }
    String::from_utf8_lossy(event.name)
}

/// True when the item that begins is a message. A thought that begins says
/// something: where it is not shown, nothing follows until it ends.
fn is_message(data: &[u8]) -> bool {
    let added = serde_json::from_slice::<Added<'_>>(data);
    added.is_ok_and(|added| added.item.r#type.as_str() == "message")
}

impl Decoder {
    fn settle(&mut self, data: &[u8]) {
        let envelope = serde_json::from_slice::<Envelope<'_>>(data);
        let Ok(envelope) = envelope else {
            self.usage = UsageReport::Unreadable;
            return;
        };
        if let Some(raw) = envelope.response.and_then(|response| response.usage) {
            self.usage = match usage::read(raw.get()) {
                Some(usage) => UsageReport::Partial(usage),
                None => UsageReport::Unreadable,
            };
        }
    }

    fn known(&mut self, kind: &str, data: &[u8]) -> Verdict {
        match kind {
            "error" => return self.progress.fail(classify::in_stream(data)),
            "response.failed" => {
                self.settle(data);
                let failed = serde_json::from_slice::<Failed<'_>>(data).ok();
                let failure = failed.map(|it| it.response.get().as_bytes());
                return self
                    .progress
                    .fail(classify::in_stream(failure.unwrap_or_default()));
            }
            // An answer is not begun by its announcement: providers that are
            // overloaded say so behind it, and another upstream may still serve.
            "response.created" | "response.in_progress" | "response.queued" => {}
            "response.completed" | "response.incomplete" => {
                self.progress.begin();
                self.settle(data);
                self.progress.finish();
                return self.progress.terminate();
            }
            // Nor by a message that is going to be written.
            "response.content_part.added" => self.progress.announce(),
            "response.output_item.added" if is_message(data) => self.progress.announce(),
            _ => self.progress.begin(),
        }
        Verdict::Forward
    }
}

impl StreamDecoder for Decoder {
    fn event(&mut self, event: &Event<'_>) -> Verdict {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Verdict::Forward;
        }
        match self.progress.phase() {
            Phase::Over(verdict) => verdict,
            // Of no meaning here: the client must not believe it.
            Phase::Within if data == b"[DONE]" => Verdict::Hide,
            Phase::Within => self.known(&kind(event), data),
            Phase::First => {
                let kind = kind(event);
                if kind == "error" {
                    return self.progress.fail(classify::in_stream(data));
                }
                let is_object =
                    data.starts_with(b"{") && serde_json::from_slice::<Tag<'_>>(data).is_ok();
                if data == b"[DONE]" {
                    return self.progress.no_answer("empty_stream");
                }
                // Not even a server's error looks like something else.
                let is_error = serde_json::from_slice::<BareError<'_>>(data).is_ok();
                if is_error && !is_object {
                    return self.progress.fail(classify::in_stream(data));
                }
                if !is_object || !kind.starts_with("response.") {
                    return self.progress.no_answer("unreadable_stream");
                }
                self.known(&kind, data)
            }
        }
    }

    fn end(&mut self, end: End) -> Outcome {
        self.progress.end(end)
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }

    fn usage(&self) -> UsageReport {
        match self.usage.counts() {
            Some(usage) if self.progress.is_complete() => UsageReport::Final(usage),
            _ => self.usage,
        }
    }
}

/// `{"error":…}`, as servers say it whatever they were asked.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only that it is there")]
struct BareError<'a> {
    #[serde(borrow)]
    error: &'a RawValue,
}
