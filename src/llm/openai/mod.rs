//! OpenAI chat completions, as OpenAI, Ollama and vLLM speak it.

pub(crate) mod error;
pub(crate) mod stream;
pub(crate) mod usage;
