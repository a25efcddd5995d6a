//! Messages and event streams of MCP: no bytes panic; a message that is taken is
//! JSON, keeps its id, and comes back whole when nothing is changed in it.

#![no_main]

use agentkube_fuzz::Input;
use agentkube_mcp::method::ListKind;
use agentkube_mcp::sse::{self, Decoder};
use agentkube_mcp::{Body, Id, MAX_DEPTH, Message, UriTemplate, inbound, json, list};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else {
        return;
    };
    let _ = Body::decode(input.wire, MAX_DEPTH);
    if let Ok(message) = Message::decode(input.wire, MAX_DEPTH) {
        read(&message);
    }
    if let Ok(text) = std::str::from_utf8(input.wire) {
        for kind in [
            ListKind::Tools,
            ListKind::Prompts,
            ListKind::Resources,
            ListKind::Templates,
        ] {
            let _ = list::read(kind, text);
        }
        let template = UriTemplate::parse(text);
        let _ = template.matches(text);
        if json::check(text, MAX_DEPTH).is_ok() {
            serde_json::from_str::<&RawValue>(text).expect("what is checked is JSON");
        }
    }
    events(&input);
});

fn read(message: &Message<'_>) {
    let id = Id::parse("\"other\"").expect("an id");
    let told = message.with_id(&id);
    let again = Message::decode(told.as_bytes(), MAX_DEPTH).expect("a message with another id");
    if message.id().is_some() {
        assert!(again.id().is_some_and(|it| it.is(&id)));
    }
    assert!(message.object().edit().is_untouched());
    let _ = inbound::classify(&Default::default(), message);
    let _ = message.meta();
}

fn events(input: &Input<'_>) {
    let decode = |pieces: &mut dyn Iterator<Item = Vec<u8>>| {
        let mut decoder = Decoder::new(1 << 20);
        let mut events = Vec::new();
        for piece in pieces {
            decoder
                .push(&piece, &mut events)
                .expect("no event is so long");
        }
        let data = events
            .into_iter()
            .map(|event: sse::Event| (event.name, event.data));
        data.collect::<Vec<_>>()
    };
    let whole = decode(&mut [input.wire.to_vec()].into_iter());
    let split = decode(&mut input.pieces().map(|piece| piece.to_vec()));
    assert_eq!(whole, split);
}
