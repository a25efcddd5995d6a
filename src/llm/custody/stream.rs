//! Custody in a stream: thoughts are over before the call that carries them begins.

use super::seal::Seal;
use crate::codec::Replays;
use crate::ir::{BlockStart, Event, Signature, Thinking};

/// Watches one streamed answer and seals the ids of its calls.
pub(crate) struct Custodian {
    seal: Seal,
    replays: Replays,
    /// Of the choice that thought last; with several, only one thinks at a time.
    thoughts: Vec<Thought>,
}

struct Thought {
    block: u32,
    text: String,
    signature: String,
    redacted: bool,
}

impl Custodian {
    pub(crate) fn new(seal: Seal, replays: Replays) -> Self {
        Self {
            seal,
            replays,
            thoughts: Vec::new(),
        }
    }

    /// Looks at an event on its way to the client.
    pub(crate) fn watch(&mut self, event: &mut Event) {
        match event {
            Event::Begin { block, start, .. } => self.begin(*block, start),
            Event::Delta { block, text } => {
                if let Some(thought) = self.thought(*block) {
                    thought.text.push_str(text);
                }
            }
            Event::Sign { block, signature } => {
                if let Some(thought) = self.thought(*block) {
                    thought.signature.push_str(signature);
                }
            }
            Event::End { .. }
            | Event::Finish { .. }
            | Event::Logprobs { .. }
            | Event::Ping
            | Event::Start { .. } => {}
        }
    }

    fn begin(&mut self, block: u32, start: &mut BlockStart) {
        let keeps = !self.replays.thinking;
        let mut keep = |text: String, redacted| {
            self.thoughts.push(Thought {
                block,
                text,
                signature: String::new(),
                redacted,
            });
        };
        match start {
            BlockStart::Thinking if keeps => keep(String::new(), false),
            BlockStart::Redacted { data } if keeps => keep(data.clone(), true),
            BlockStart::ToolCall { id, signature, .. } => {
                let call = signature.clone().filter(|_| !self.replays.call_signatures);
                let thoughts = std::mem::take(&mut self.thoughts);
                let thoughts = thoughts.into_iter().map(Thought::whole).collect();
                *id = self.seal.id(id, thoughts, call);
            }
            BlockStart::Redacted { .. }
            | BlockStart::Refusal
            | BlockStart::Text
            | BlockStart::Thinking => {}
        }
    }

    fn thought(&mut self, block: u32) -> Option<&mut Thought> {
        self.thoughts
            .iter_mut()
            .find(|thought| thought.block == block)
    }
}

impl Thought {
    fn whole(self) -> Thinking {
        if self.redacted {
            return Thinking::Redacted { data: self.text };
        }
        let signature = Some(self.signature).filter(|signature| !signature.is_empty());
        Thinking::Text {
            text: self.text,
            signature: signature.map(|value| Signature { value, model: None }),
        }
    }
}
