//! Requests for embeddings and answers to them, in all words: no body panics, and what
//! is made of one is JSON.

#![no_main]

use agentkube_fuzz::Input;
use agentkube_llm::Profile;
use agentkube_llm::embed::{EmbedForm, EmbedService};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

const FORMS: [EmbedForm; 3] = [
    EmbedForm::GeminiBatch,
    EmbedForm::GeminiContent,
    EmbedForm::OpenAi,
];

/// A provider, and its model: one of each wire.
const MODELS: [(&str, &str); 5] = [
    ("bedrock", "amazon.titan-embed-text-v2:0"),
    ("bedrock", "cohere.embed-v4:0"),
    ("openai", "text-embedding-3-small"),
    ("vertex", "gemini-embedding-2"),
    ("vertex", "text-embedding-005"),
];

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else {
        return;
    };
    let form = FORMS[usize::from(data[0]) % FORMS.len()];
    let (provider, model) = MODELS[usize::from(data[1]) % MODELS.len()];
    let profile = Profile::of(provider).expect("a provider");
    let service = EmbedService::of(provider, profile, model).expect("a model that embeds");
    if let Ok(request) = service.request(form, input.wire, model) {
        serde_json::from_slice::<&RawValue>(&request.body).expect("a body of JSON");
    }
    // An answer to one text, whatever the form.
    let asked: &[u8] = match form {
        EmbedForm::GeminiBatch => br#"{"requests":[{"content":{"parts":[{"text":"a"}]}}]}"#,
        EmbedForm::GeminiContent => br#"{"content":{"parts":[{"text":"a"}]}}"#,
        EmbedForm::OpenAi => br#"{"input":"a","encoding_format":"base64"}"#,
    };
    let asked = service.request(form, asked, model).expect("a request");
    if let Ok((body, _)) = asked.context.answer(input.wire, "m", None) {
        serde_json::from_slice::<&RawValue>(&body).expect("an answer of JSON");
    }
});
