//! The reader of AWS's frames: any split gives the same events and the same end, no
//! event is longer than what came, and what we write is read as it was.

#![no_main]

use agentkube_fuzz::Input;
use agentkube_llm::FrameError;
use agentkube_llm::eventstream::{Decoder, event};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

/// Short, so that it is passed now and then.
const LIMIT: usize = 4096;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else {
        return;
    };
    let whole = read([Bytes::copy_from_slice(input.wire)].into_iter());
    let split = read(input.pieces());
    assert_eq!(whole, split);
    let told: usize = whole
        .0
        .iter()
        .map(|(name, data)| name.len() + data.len())
        .sum();
    // Names of exceptions have a word in front, messages of errors quotes and escapes.
    assert!(told <= input.wire.len() * 6 + whole.0.len() * 32);

    let payload = String::from_utf8_lossy(input.wire);
    if payload.len() < LIMIT / 2 {
        let frame = event("contentBlockDelta", &payload);
        let (events, end) = read([frame].into_iter());
        assert_eq!(
            events,
            [(b"contentBlockDelta".to_vec(), payload.as_bytes().to_vec())]
        );
        assert_eq!(end, Ok(false));
    }
});

type Events = Vec<(Vec<u8>, Vec<u8>)>;

fn read(pieces: impl Iterator<Item = Bytes>) -> (Events, Result<bool, FrameError>) {
    let mut decoder = Decoder::new(LIMIT);
    let mut events = Events::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next() {
                Ok(Some(event)) => events.push((event.name.to_vec(), event.data.to_vec())),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
    }
    (events, Ok(decoder.is_within()))
}
