//! The provider's side of a dialect: requests are written, answers are read.

use bytes::Bytes;

use super::{Encode, Framing};
use crate::answer::Answer;
use crate::ir::{ChatRequest, ChatResponse, Event};
use crate::stream::StreamDecoder;
use crate::{ApiError, Failure, sse};

/// A request for a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// The body, JSON.
    pub(crate) body: Bytes,
}

/// What a watcher must know of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    /// How many choices were asked for.
    pub(crate) choices: u32,
    /// Hide the event that only brings usage.
    pub(crate) hide_usage: bool,
}

/// The member that names the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModelMember {
    /// Its key; at the top of an answer in one piece.
    pub(crate) key: &'static str,
    /// In events: the object at the top that holds it, if one does.
    pub(crate) within: Option<&'static str>,
}

/// A dialect, as providers speak it.
pub(crate) trait ProviderWire: Sync {
    /// Writes a request; notes in `to` what cannot be carried.
    ///
    /// # Errors
    /// When nothing sensible is left of it (a message of which all content was
    /// dropped): a 400 that names the field.
    fn write_request(
        &self,
        request: &ChatRequest,
        to: &mut Encode<'_>,
    ) -> Result<Encoded, ApiError>;

    /// Reads an answer in one piece. Errors under a 2xx status were looked for
    /// already. Calls without an id get one that is told from those of other answers
    /// by `unnamed`, where the provider gave the answer no id.
    ///
    /// # Errors
    /// When it is not in the documented shape: nothing of it may reach a client.
    fn read_answer(&self, body: &[u8], unnamed: &str) -> Result<ChatResponse, Failure>;

    /// Where answers name their model; none where they do not.
    fn model_member(&self) -> Option<ModelMember> {
        Some(ModelMember {
            key: "model",
            within: None,
        })
    }

    /// How events are framed.
    fn framing(&self) -> Framing {
        Framing::Sse
    }

    /// What an answer in one piece (2xx) cost, for the bypass.
    ///
    /// # Errors
    /// When the provider reports a failure in it, or it is no JSON object.
    fn inspect(&self, body: &[u8]) -> Result<Answer, Failure>;

    /// The members of an answer in one piece that say what it cost, at its top.
    fn usage_members(&self) -> &'static [&'static str] {
        &["usage"]
    }

    /// The watcher of one streamed answer: progress, failures, usage.
    fn watcher(&self, watch: Watch) -> Box<dyn StreamDecoder>;

    /// What ends a stream, for the bypass; none where only its end does.
    fn terminator(&self) -> Option<Bytes>;

    /// A reader of one streamed answer; `unnamed` as for [`Self::read_answer`].
    fn reader(&self, unnamed: &str) -> Box<dyn EventReader>;
}

/// An event that is not in the documented shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Turns the events of a wire into those of the IR. Only called within an answer:
/// not for what the watcher hid, nor for failures.
pub(crate) trait EventReader: Send {
    /// Reads the next event. Events of unknown kinds are passed over, as the
    /// providers ask for.
    ///
    /// # Errors
    /// When a known event cannot be read: what it said would be lost.
    fn read(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Unreadable>;

    /// How much it keeps of what it read: bytes.
    fn held(&self) -> usize {
        0
    }
}
