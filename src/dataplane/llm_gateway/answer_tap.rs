//! Reads a streamed answer and says what the client gets.

use agentkube_llm::{End, Head, JsonList, Outcome, Tap, TranslatingTap, UsageReport};
use bytes::Bytes;

/// A tap of either kind, and the form in which the client wants its events.
pub(super) struct AnswerTap {
    events: Events,
    /// The client wants no events but a list.
    list: Option<JsonList>,
    /// The answer ended, and the list did not yet: true when all of it was told.
    ended: Option<bool>,
}

enum Events {
    Passing(Box<Tap>),
    Translating(Box<TranslatingTap>),
}

/// The stream cannot be read on; the tap has an error event for the client.
#[derive(Debug)]
pub(super) struct Unreadable;

impl AnswerTap {
    pub(super) fn passing(tap: Tap) -> Self {
        Self::of(Events::Passing(Box::new(tap)))
    }

    pub(super) fn translating(tap: TranslatingTap) -> Self {
        Self::of(Events::Translating(Box::new(tap)))
    }

    fn of(events: Events) -> Self {
        Self {
            events,
            list: None,
            ended: None,
        }
    }

    /// The same as the elements of a JSON array.
    pub(super) fn listed(mut self, is_list: bool) -> Self {
        self.list = is_list.then(JsonList::new);
        self
    }

    pub(super) fn feed(&mut self, chunk: Bytes) -> Result<(), Unreadable> {
        match &mut self.events {
            Events::Passing(tap) => tap.feed(chunk).map_err(|_| Unreadable),
            Events::Translating(tap) => tap.feed(chunk).map_err(|_| Unreadable),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        loop {
            let event = match &mut self.events {
                Events::Passing(tap) => tap.pop(),
                Events::Translating(tap) => tap.pop(),
            };
            let Some(list) = &mut self.list else {
                return event;
            };
            let told = match event {
                Some(event) => list.take(event),
                None => list.end(self.ended.take()?),
            };
            if !told.is_empty() {
                return Some(told);
            }
        }
    }

    pub(super) fn head(&self) -> Head<'_> {
        match &self.events {
            Events::Passing(tap) => tap.head(),
            Events::Translating(tap) => tap.head(),
        }
    }

    pub(super) fn usage(&self) -> UsageReport {
        match &self.events {
            Events::Passing(tap) => tap.usage(),
            Events::Translating(tap) => tap.usage(),
        }
    }

    pub(super) fn terminated(&self) -> bool {
        match &self.events {
            Events::Passing(tap) => tap.terminated(),
            Events::Translating(tap) => tap.terminated(),
        }
    }

    pub(super) fn finish(&mut self, end: End) -> Outcome {
        let outcome = match &mut self.events {
            Events::Passing(tap) => tap.finish(end),
            Events::Translating(tap) => tap.finish(end),
        };
        self.ended = Some(matches!(outcome, Outcome::Finished));
        outcome
    }
}
