//! Bedrock Converse and ConverseStream.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>

mod error;
mod format;
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
    ClientWire, Encode, Encoded, EventReader, EventWriter, Framing, Inbound, ModelMember, Names,
    ProviderWire, Replays, Reply, Watch,
};
use crate::ir::{At, ChatRequest, ChatResponse, Field};
use crate::stream::StreamDecoder;
use crate::{ApiError, ErrorKind, Failure, answer};

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

    fn stream_content_type(&self) -> &'static str {
        Framing::EventStream.content_type()
    }

    fn error_body(&self, error: &ApiError) -> Bytes {
        error::body(error)
    }

    fn error_event(&self, error: &ApiError) -> Bytes {
        error::stream_event(error)
    }

    fn error_status(&self, kind: ErrorKind) -> Option<StatusCode> {
        error::status(kind)
    }

    fn error_header(&self, kind: ErrorKind) -> Option<(&'static str, &'static str)> {
        Some(("x-amzn-errortype", error::word(kind)))
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

    fn framing(&self) -> Framing {
        Framing::EventStream
    }

    fn model_member(&self) -> Option<ModelMember> {
        None
    }

    fn inspect(&self, body: &[u8]) -> Result<Answer, Failure> {
        answer::inspect(body, |raw| {
            usage::Counts::read(raw).map(|counts| counts.normalised())
        })
    }

    fn watcher(&self, _watch: Watch) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    /// Usage is all that is missing behind `messageStop`, and nobody can make it up.
    fn terminator(&self) -> Option<Bytes> {
        None
    }

    fn reader(&self, _unnamed: &str) -> Box<dyn EventReader> {
        Box::new(reader::Reader::default())
    }
}

#[cfg(test)]
mod tests;
