//! Anthropic Messages.

mod error;
mod names;
mod reader;
mod request;
mod response;
mod stream;
mod usage;
mod writer;

use bytes::Bytes;
use http::StatusCode;

use crate::answer::Answer;
use crate::codec::{
    ClientWire, Encode, Encoded, EventReader, EventWriter, Inbound, ModelMember, Names,
    ProviderWire, Replays, Reply, Watch,
};
use crate::ir::{At, ChatRequest, ChatResponse, Field};
use crate::stream::StreamDecoder;
use crate::{ApiError, ErrorKind, Failure, answer};

// Claude thinks the same at other providers.
pub(crate) use request::{Asked, GREETING, OutThinking, ask};

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

    fn error_status(&self, kind: ErrorKind) -> Option<StatusCode> {
        (kind == ErrorKind::Overloaded).then(error::overloaded)
    }

    fn replays(&self) -> Replays {
        Replays {
            thinking: true,
            call_signatures: false,
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

    fn read_answer(&self, body: &[u8], _unnamed: &str) -> Result<ChatResponse, Failure> {
        response::to_ir(body)
    }

    fn model_member(&self) -> Option<ModelMember> {
        Some(ModelMember {
            key: "model",
            within: Some("message"),
        })
    }

    fn inspect(&self, body: &[u8]) -> Result<Answer, Failure> {
        answer::inspect(body, |raw| {
            usage::Counts::read(raw).map(|counts| counts.normalised())
        })
    }

    fn watcher(&self, _watch: Watch) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    fn terminator(&self) -> Option<Bytes> {
        Some(stream::terminator())
    }

    fn reader(&self, _unnamed: &str) -> Box<dyn EventReader> {
        Box::new(reader::Reader::default())
    }
}
