//! The reader of server-sent events: the frames of any split, joined, are the
//! bytes that came, and the events are the same.

#![no_main]

use agentkube_fuzz::Input;
use agentkube_llm::sse::{Decoder, EVENT_LIMIT};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else {
        return;
    };
    let whole = read([Bytes::copy_from_slice(input.wire)].into_iter());
    let split = read(input.pieces());
    // What never became an event comes without the byte order mark.
    assert_eq!(unmarked(&whole.1), unmarked(input.wire));
    assert_eq!(unmarked(&split.1), unmarked(input.wire));
    assert_eq!(whole.0, split.0);
});

fn unmarked(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

type Events = Vec<(Vec<u8>, Vec<u8>)>;

fn read(pieces: impl Iterator<Item = Bytes>) -> (Events, Vec<u8>) {
    let mut decoder = Decoder::new(EVENT_LIMIT);
    let (mut events, mut bytes) = (Events::new(), Vec::new());
    for piece in pieces {
        decoder.feed(piece);
        while let Some(frame) = decoder.next().expect("no event is so long") {
            bytes.extend_from_slice(frame.bytes);
            events.extend(
                frame
                    .event()
                    .map(|event| (event.name.to_vec(), event.data.to_vec())),
            );
        }
    }
    bytes.extend_from_slice(&decoder.take_rest());
    (events, bytes)
}
