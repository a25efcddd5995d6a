//! Requests of every client for providers of every dialect: no body panics, and
//! what is made of one is JSON.

#![no_main]

use agentkube_fuzz::{CAPABILITIES, Input};
use agentkube_llm::custody::{strip_marked, strip_sealed, unwrap_ids};
use agentkube_llm::{StreamUsage, Target, Translator, model_in_path, peek, rewrite};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else {
        return;
    };
    let body = Bytes::copy_from_slice(input.wire);
    if let Ok(peeked) = peek(&body) {
        let rewritten = rewrite(&body, &peeked, Some("other/model:1"), StreamUsage::Ask).body;
        let again = peek(&rewritten).expect("what was rewritten can be peeked into");
        assert_eq!(again.model.as_deref(), Some("other/model:1"));
        assert_eq!(again.stream, peeked.stream);
        for ours in [unwrap_ids(&rewritten), strip_marked(&rewritten), strip_sealed(&rewritten)] {
            if let Some(body) = ours {
                serde_json::from_slice::<&RawValue>(&body).expect("what is left is JSON");
            }
        }
        let member = Some(("anthropic_version", "\"v\""));
        let placed = model_in_path(&rewritten, member);
        serde_json::from_slice::<&RawValue>(&placed).expect("a body of JSON");
    }
    let translator = Translator::new(input.client, input.provider);
    if let Ok(translated) = translator.request(&body, &Target::new("m", &CAPABILITIES)) {
        serde_json::from_slice::<&RawValue>(&translated.body).expect("a body of JSON");
    }
});
