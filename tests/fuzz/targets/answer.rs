//! Answers in one piece, and refusals: no body panics, and what is made of one is
//! JSON.

#![no_main]

use std::time::SystemTime;

use agentkube_fuzz::Input;
use agentkube_llm::{Translator, answer, classify};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else {
        return;
    };
    let _ = answer::read(input.provider, input.wire);
    let translator = Translator::new(input.client, input.provider);
    if let Ok(answer) = translator.response(input.wire, &input.context()) {
        serde_json::from_slice::<&RawValue>(&answer.body).expect("an answer of JSON");
    }
    let status = [400, 401, 404, 429, 500, 529][usize::from(data[0]) % 6];
    let status = status.try_into().expect("a status");
    let failure = classify(
        status,
        &Default::default(),
        input.wire,
        SystemTime::UNIX_EPOCH,
    );
    let told = translator.error(&failure).body(input.client);
    serde_json::from_slice::<&RawValue>(&told).expect("an error of JSON");
});
