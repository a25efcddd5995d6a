//! Streams of every provider to clients of every dialect: any split gives the
//! same bytes and the same end, and what has not finished gets no terminator.

#![no_main]

use agentkube_fuzz::Input;
use agentkube_llm::{Dialect, End, JsonList, Outcome, Tap, TapOptions, TranslatingTap, Translator};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else {
        return;
    };
    let wire = input.stream();
    for end in [End::Clean, End::Cut] {
        let whole = watch(&input, [Bytes::copy_from_slice(&wire)].into_iter(), end);
        let split = watch(&input, input.pieces_of(&wire), end);
        // A limit may be passed earlier in one piece than in many.
        if whole.2 && split.2 {
            assert_eq!(text(&whole.0), text(&split.0));
            assert_eq!(whole.1, split.1);
        }
    }
});

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// What the client gets, how it ended, and whether all of it could be read.
fn watch(
    input: &Input<'_>,
    pieces: impl Iterator<Item = Bytes>,
    end: End,
) -> (Vec<u8>, Outcome, bool) {
    let options = TapOptions::default();
    if input.client == input.provider {
        let mut tap = Tap::new(input.client, options);
        let mut out = Vec::new();
        let mut read = true;
        for piece in pieces {
            read &= tap.feed(piece).is_ok();
            while let Some(bytes) = tap.pop() {
                out.extend_from_slice(&bytes);
            }
        }
        let outcome = tap.finish(end);
        while let Some(bytes) = tap.pop() {
            out.extend_from_slice(&bytes);
        }
        return (out, outcome, read);
    }
    let translator = Translator::new(input.client, input.provider);
    let mut tap = translator.stream(&input.context(), options);
    let mut out = Vec::new();
    let mut read = true;
    for piece in pieces {
        read &= tap.feed(piece).is_ok();
        drain(&mut tap, &mut out);
    }
    let outcome = tap.finish(end);
    drain(&mut tap, &mut out);
    if outcome != Outcome::Finished {
        assert!(
            !out.ends_with(b"data: [DONE]\n\n"),
            "a terminator behind {outcome:?}"
        );
        // A line of its own: errors quote what providers say.
        let told = text(&out);
        let stops = told.lines().any(|line| line == "event: message_stop");
        let stops = stops || told.contains(":event-type\x07\0\x0bmessageStop");
        assert!(!stops, "a terminator behind {outcome:?}");
    }
    if input.client == Dialect::Gemini && outcome == Outcome::Finished {
        let mut list = JsonList::new();
        let elements = list.take(Bytes::copy_from_slice(&out));
        let whole = [elements, list.end(true)].concat();
        serde_json::from_slice::<Vec<&RawValue>>(&whole).expect("a list of JSON");
    }
    (out, outcome, read)
}

fn drain(tap: &mut TranslatingTap, out: &mut Vec<u8>) {
    while let Some(bytes) = tap.pop() {
        out.extend_from_slice(&bytes);
    }
}
