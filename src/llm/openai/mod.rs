//! OpenAI chat completions, as OpenAI, Ollama and vLLM speak it.

mod delta;
mod error;
mod names;
mod reader;
mod request;
mod response;
mod stream;
mod usage;
mod writer;

use bytes::Bytes;

pub(crate) use error::{body as error_body, words as error_words};
pub(crate) use request::{effort, some_effort};

use crate::answer::Answer;
use crate::codec::{
    ClientWire, Encode, Encoded, EventReader, EventWriter, Inbound, Names, ProviderWire, Replays,
    Reply, Watch,
};
use crate::ir::{At, ChatRequest, ChatResponse, Field};
use crate::stream::StreamDecoder;
use crate::{ApiError, Failure, answer};

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
            thinking: false,
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

    fn read_answer(&self, body: &[u8], unnamed: &str) -> Result<ChatResponse, Failure> {
        response::to_ir(body, unnamed)
    }

    fn inspect(&self, body: &[u8]) -> Result<Answer, Failure> {
        answer::inspect(body, usage::read)
    }

    fn watcher(&self, watch: Watch) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::new(watch.choices, watch.hide_usage))
    }

    fn terminator(&self) -> Option<Bytes> {
        Some(stream::terminator())
    }

    fn reader(&self, unnamed: &str) -> Box<dyn EventReader> {
        Box::new(reader::Reader::new(unnamed))
    }
}
