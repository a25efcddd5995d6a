//! Custody in a stream: thoughts are over before the call that carries them begins.

use super::seal::Seal;
use crate::codec::{Held, Replays};
use crate::ir::{BlockStart, Event, Signature, Thinking};

/// Watches one streamed answer and seals the ids of its calls.
pub(crate) struct Custodian {
    seal: Seal,
    replays: Replays,
    /// Of the choice that thought last; with several, only one thinks at a time.
    thoughts: Vec<Thought>,
    held: Held,
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
            held: Held::default(),
        }
    }

    /// How much of the answer is kept: bytes.
    pub(crate) fn held(&self) -> usize {
        self.held.bytes()
    }

    /// Looks at an event on its way to the client.
    pub(crate) fn watch(&mut self, event: &mut Event) {
        match event {
            Event::Begin { block, start, .. } => self.begin(*block, start),
            Event::Delta { block, text } => {
                if let Some(thought) = self.thought(*block, text.len()) {
                    thought.text.push_str(text);
                }
            }
            Event::Sign { block, signature } => {
                if let Some(thought) = self.thought(*block, signature.len()) {
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
            self.held.entry(text.len());
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
                self.held = Held::default();
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

    /// The thought of a block, which is about to grow.
    fn thought(&mut self, block: u32, bytes: usize) -> Option<&mut Thought> {
        let mut thoughts = self.thoughts.iter_mut().rev();
        let thought = thoughts.find(|thought| thought.block == block)?;
        self.held.more(bytes);
        Some(thought)
    }
}

impl Thought {
    fn whole(self) -> Thinking {
        if self.redacted {
            return Thinking::Redacted {
                data: self.text,
                model: None,
            };
        }
        let signature = Some(self.signature).filter(|signature| !signature.is_empty());
        Thinking::Text {
            text: self.text,
            signature: signature.map(|value| Signature { value, model: None }),
        }
    }
}
