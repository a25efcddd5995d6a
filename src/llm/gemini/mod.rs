//! Gemini: `generateContent` and `streamGenerateContent`, as Vertex AI and the Gemini
//! API speak them.
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>
//!
//! # Choices
//! - A prompt that was blocked comes with 200 and no candidate. It is an answer, and a
//!   refusal: other dialects read that the content filter stopped it.
//! - No stream has a terminator. One is complete when each candidate said why it
//!   ended and the body ends cleanly.
//! - The SDK cannot read comments: there are no signs of life for clients.

mod error;
mod finish;
mod list;
mod logprobs;
mod names;
mod reader;
mod request;
mod response;
mod schema;
mod signature;
mod stream;
mod usage;
mod writer;

use bytes::Bytes;

pub use list::JsonList;
pub use signature::strip_ours;

use crate::answer::Answer;
use crate::codec::{
    ClientWire, Encode, Encoded, EventReader, EventWriter, Inbound, ModelMember, Names,
    ProviderWire, Replays, Reply, Watch,
};
use crate::ir::{At, ChatRequest, ChatResponse, Field};
use crate::stream::StreamDecoder;
use crate::{ApiError, Failure};

/// The dialect, for the registry.
pub(crate) struct Wire;

impl Names for Wire {
    fn place(&self, at: At) -> String {
        names::place(at)
    }

    fn name(&self, field: Field) -> &'static str {
        names::name(field)
    }
}

impl ClientWire for Wire {
    fn read_request(&self, inbound: Inbound<'_>) -> Result<ChatRequest, ApiError> {
        request::to_ir(inbound)
    }

    fn write_answer(&self, response: &ChatResponse, reply: &Reply) -> Bytes {
        response::from_ir(response, reply)
    }

    fn writer(&self, reply: &Reply) -> Box<dyn EventWriter> {
        Box::new(writer::Writer::new(reply))
    }

    fn error_body(&self, error: &ApiError) -> Bytes {
        error::body(error)
    }

    fn error_event(&self, error: &ApiError) -> Bytes {
        error::stream_event(error)
    }

    fn replays(&self) -> Replays {
        Replays {
            thinking: true,
            call_signatures: true,
        }
    }
}

impl ProviderWire for Wire {
    fn write_request(
        &self,
        request: &ChatRequest,
        to: &mut Encode<'_>,
    ) -> Result<Encoded, ApiError> {
        request::from_ir(request, to)
    }

    fn read_answer(&self, body: &[u8], unnamed: &str) -> Result<ChatResponse, Failure> {
        response::to_ir(body, unnamed)
    }

    fn model_member(&self) -> Option<ModelMember> {
        Some(ModelMember {
            key: "modelVersion",
            within: None,
        })
    }

    fn inspect(&self, body: &[u8]) -> Result<Answer, Failure> {
        usage::inspect(body)
    }

    fn usage_members(&self) -> &'static [&'static str] {
        &["usageMetadata"]
    }

    fn watcher(&self, watch: Watch) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::new(watch.choices))
    }

    fn terminator(&self) -> Option<Bytes> {
        None
    }

    fn reader(&self, unnamed: &str) -> Box<dyn EventReader> {
        Box::new(reader::Reader::new(unnamed))
    }
}

#[cfg(test)]
mod tests;
