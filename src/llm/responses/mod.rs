//! OpenAI Responses, as OpenAI, Azure, Ollama and vLLM speak it; stateless: the
//! client sends the whole conversation. <https://platform.openai.com/docs/api-reference/responses>

mod echo;
mod error;
mod events;
mod kept;
mod names;
mod namespaces;
mod output;
mod reader;
mod reasoning;
mod request;
mod response;
mod stream;
mod usage;
mod writer;

pub use kept::refuse_kept;

use bytes::Bytes;

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
        crate::openai::error_body(error)
    }

    fn error_event(&self, error: &ApiError) -> Bytes {
        error::stream_event(error)
    }

    /// Thoughts travel in the `encrypted_content` of reasoning items.
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
            within: Some("response"),
        })
    }

    fn inspect(&self, body: &[u8]) -> Result<Answer, Failure> {
        response::inspect(body)
    }

    fn watcher(&self, _watch: Watch) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    fn terminator(&self) -> Option<Bytes> {
        None
    }

    fn reader(&self, _unnamed: &str) -> Box<dyn EventReader> {
        Box::new(reader::Reader::default())
    }
}
