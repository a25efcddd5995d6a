//! Ollama's own chat API.
//! <https://docs.ollama.com/api/chat>

mod error;
mod logprobs;
mod moment;
mod names;
mod reader;
mod request;
mod response;
mod stream;
mod usage;
mod writer;

use bytes::Bytes;

use crate::answer::Answer;
use crate::codec::{
    ClientWire, Encode, Encoded, EventReader, EventWriter, Framing, Inbound, Names, ProviderWire,
    Replays, Reply, Watch,
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

    fn stream_content_type(&self) -> &'static str {
        Framing::Ndjson.content_type()
    }

    fn error_body(&self, error: &ApiError) -> Bytes {
        error::body(error)
    }

    fn error_event(&self, error: &ApiError) -> Bytes {
        error::stream_event(error)
    }

    /// Thoughts come back, signatures do not: the wire has none.
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

    fn framing(&self) -> Framing {
        Framing::Ndjson
    }

    fn inspect(&self, body: &[u8]) -> Result<Answer, Failure> {
        usage::inspect(body)
    }

    fn usage_members(&self) -> &'static [&'static str] {
        &["prompt_eval_count", "eval_count"]
    }

    fn watcher(&self, _watch: Watch) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    /// The last line says why the answer ended and what it cost: nobody can make
    /// it up.
    fn terminator(&self) -> Option<Bytes> {
        None
    }

    fn reader(&self, unnamed: &str) -> Box<dyn EventReader> {
        Box::new(reader::Reader::new(unnamed))
    }
}
