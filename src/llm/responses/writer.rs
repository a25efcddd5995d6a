//! The events of the IR → the events of a response for a client.

use bytes::Bytes;

use super::error::Failed;
use super::events::{self, What};
use super::output::{self, Item, Kind, Status};
use super::{reasoning, response};
use crate::codec::{EventWriter, Held, Reply, Unwritable};
use crate::ir::{BlockStart, Event, FinishReason, Sequence, Signature, Thinking};
use crate::{ApiError, UsageReport};

/// Writes one streamed answer: its first choice, since nobody can have asked for
/// more.
pub(super) struct Writer {
    reply: Reply,
    sequence: Sequence,
    /// Events in order; scratch.
    ready: Vec<Event>,
    id: String,
    created: u64,
    started: bool,
    /// The number of the next event.
    number: u64,
    /// What was said: the last event repeats all of it.
    items: Vec<Item>,
    held: Held,
    open: Option<Open>,
    /// Blocks of other choices.
    foreign: Vec<u32>,
    finish: Option<FinishReason>,
}

/// What is known of the open item only.
#[derive(Default)]
struct Open {
    signature: String,
    redacted: Option<String>,
}

impl Writer {
    pub(super) fn new(reply: &Reply) -> Self {
        Self {
            reply: reply.clone(),
            sequence: Sequence::default(),
            ready: Vec::new(),
            id: output::response_id("", reply),
            created: reply.created,
            started: false,
            number: 0,
            items: Vec::new(),
            held: Held::default(),
            open: None,
            foreign: Vec::new(),
            finish: None,
        }
    }

    /// True for what belongs to the first choice.
    fn is_ours(&mut self, event: &Event) -> bool {
        match event {
            Event::Begin { choice, block, .. } => {
                if *choice != 0 {
                    self.held.entry(0);
                    self.foreign.push(*block);
                }
                *choice == 0
            }
            Event::Finish { choice, .. } | Event::Logprobs { choice, .. } => *choice == 0,
            Event::Delta { block, .. } | Event::Sign { block, .. } | Event::End { block } => {
                !self.foreign.contains(block)
            }
            Event::Start { .. } | Event::Ping => true,
        }
    }

    fn start(&mut self, id: &str, created: Option<u64>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        if !id.is_empty() {
            self.id = output::response_id(id, &self.reply);
        }
        self.created = created.unwrap_or(self.created);
        for name in ["response.created", "response.in_progress"] {
            self.lifecycle(name, &Status::InProgress, UsageReport::Absent, out);
        }
    }

    /// An event about the whole response.
    fn lifecycle(
        &mut self,
        name: &'static str,
        status: &Status<'_>,
        usage: UsageReport,
        out: &mut Vec<u8>,
    ) {
        let reply = &self.reply;
        let body = output::response(&self.id, self.created, status, &self.items, usage, reply);
        let number = self.number;
        self.number += 1;
        let line =
            format!("{{\"type\":\"{name}\",\"sequence_number\":{number},\"response\":{body}}}");
        events::line_of(name, &line, out);
    }

    /// An event about the last item.
    fn tell(&mut self, name: &'static str, what: &What<'_>, out: &mut Vec<u8>) {
        let Some(item) = self.items.last() else {
            return;
        };
        events::write(name, self.number, item, self.items.len() - 1, what, out);
        self.number += 1;
    }

    fn put(&mut self, event: Event, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        match event {
            Event::Start { id, created } => self.start(&id, created, out),
            Event::Begin { start, .. } => {
                self.start("", None, out);
                self.begin(start, out);
            }
            Event::Delta { text, .. } => return self.delta(&text, out),
            Event::Sign { signature, .. } => {
                self.held.more(signature.len());
                if let Some(open) = &mut self.open {
                    open.signature.push_str(&signature);
                }
            }
            Event::End { .. } => self.end(out),
            Event::Finish { reason, .. } => self.finish = Some(reason),
            Event::Logprobs { logprobs, .. } => {
                self.held.more(logprobs.get().len());
                if let Some(Kind::Message { logprobs: all, .. }) =
                    self.items.last_mut().map(|item| &mut item.kind)
                {
                    all.extend(response::of_chat(&logprobs));
                }
            }
            Event::Ping => out.extend_from_slice(b": keep-alive\n\n"),
        }
        Ok(())
    }

    fn begin(&mut self, start: BlockStart, out: &mut Vec<u8>) {
        self.held.entry(start.text());
        let mut open = Open::default();
        let message = |refusal| Kind::Message {
            text: String::new(),
            refusal,
            logprobs: Vec::new(),
        };
        let thoughts = || Kind::Reasoning {
            summary: String::new(),
            encrypted: None,
        };
        let kind = match start {
            BlockStart::Refusal => message(true),
            BlockStart::Text => message(false),
            BlockStart::Thinking => thoughts(),
            BlockStart::Redacted { data } => {
                open.redacted = Some(data);
                thoughts()
            }
            BlockStart::ToolCall { id, name, .. } => Kind::call(&id, &name, "", &self.reply),
        };
        let is_message = matches!(kind, Kind::Message { .. });
        self.open = Some(open);
        let item = Item::new(kind, &self.id, self.items.len());
        self.items.push(item);
        self.tell("response.output_item.added", &What::Begun, out);
        if is_message {
            self.tell("response.content_part.added", &What::Part, out);
        }
    }

    fn delta(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        self.held.more(text.len());
        let Some(item) = self.items.last().filter(|_| self.open.is_some()) else {
            return Err(Unwritable);
        };
        let name = match &item.kind {
            // Its input is a text within these.
            Kind::Call { custom: true, .. } => "",
            Kind::Call { .. } => "response.function_call_arguments.delta",
            Kind::Message { refusal: true, .. } => "response.refusal.delta",
            Kind::Message { .. } => "response.output_text.delta",
            Kind::Reasoning { summary, .. } => {
                if summary.is_empty() {
                    self.tell("response.reasoning_summary_part.added", &What::Part, out);
                }
                "response.reasoning_summary_text.delta"
            }
        };
        if !name.is_empty() {
            self.tell(name, &What::Piece(text), out);
        }
        match self.items.last_mut().map(|item| &mut item.kind) {
            Some(Kind::Call { arguments: all, .. })
            | Some(Kind::Message { text: all, .. })
            | Some(Kind::Reasoning { summary: all, .. }) => all.push_str(text),
            None => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let (Some(open), Some(item)) = (self.open.take(), self.items.last_mut()) else {
            return;
        };
        item.done = item.kind.conclude();
        if !item.done {
            return;
        }
        match &mut item.kind {
            Kind::Call {
                arguments,
                custom: true,
                ..
            } => {
                let input = arguments.clone();
                let piece = What::Piece(&input);
                self.tell("response.custom_tool_call_input.delta", &piece, out);
                self.tell("response.custom_tool_call_input.done", &What::Whole, out);
            }
            Kind::Call { arguments, .. } => {
                if arguments.is_empty() {
                    arguments.push_str(output::whole(""));
                    let piece = What::Piece(output::whole(""));
                    self.tell("response.function_call_arguments.delta", &piece, out);
                }
                self.tell("response.function_call_arguments.done", &What::Whole, out);
            }
            Kind::Message { refusal, .. } => {
                let name = match refusal {
                    true => "response.refusal.done",
                    false => "response.output_text.done",
                };
                self.tell(name, &What::Whole, out);
                self.tell("response.content_part.done", &What::Part, out);
            }
            Kind::Reasoning { summary, encrypted } => {
                let thinking = open.thinking(summary);
                let sealed = reasoning::seal(&thinking, &self.reply.upstream_model);
                self.held.more(sealed.len());
                *encrypted = Some(sealed);
                if !summary.is_empty() {
                    self.tell("response.reasoning_summary_text.done", &What::Whole, out);
                    self.tell("response.reasoning_summary_part.done", &What::Part, out);
                }
            }
        }
        self.tell("response.output_item.done", &What::Ended, out);
    }
}

impl Open {
    fn thinking(self, text: &str) -> Thinking {
        if let Some(data) = self.redacted {
            return Thinking::Redacted { data, model: None };
        }
        let signature = Some(self.signature).filter(|it| !it.is_empty());
        Thinking::Text {
            text: text.to_owned(),
            signature: signature.map(|value| Signature { value, model: None }),
        }
    }
}

impl EventWriter for Writer {
    fn event(
        &mut self,
        event: Event,
        _usage: UsageReport,
        out: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        if !self.is_ours(&event) {
            return Ok(());
        }
        let mut ready = std::mem::take(&mut self.ready);
        let mut result = self.sequence.push(event, &mut ready);
        for event in ready.drain(..) {
            let put = self.put(event, out);
            result = result.and(put);
        }
        self.ready = ready;
        result
    }

    fn held(&self) -> usize {
        self.held.bytes() + self.sequence.held()
    }

    fn finish(&mut self, usage: UsageReport, out: &mut Vec<u8>) {
        self.start("", None, out);
        let reason = self.finish.take().unwrap_or(FinishReason::Stop);
        let refused = self.items.iter().any(Item::refuses);
        let status = Status::of(&reason, refused);
        let name = match status {
            Status::Incomplete(_) => "response.incomplete",
            Status::Completed | Status::Failed(_) | Status::InProgress => "response.completed",
        };
        self.lifecycle(name, &status, usage, out);
    }

    /// Of a response that began, its own event says so, with all that was said.
    fn fail(&mut self, error: &ApiError, usage: UsageReport) -> Option<Bytes> {
        if !self.started {
            return None;
        }
        let mut out = Vec::new();
        let failed = Status::Failed(Failed::of(error));
        self.lifecycle("response.failed", &failed, usage, &mut out);
        Some(Bytes::from(out))
    }
}
