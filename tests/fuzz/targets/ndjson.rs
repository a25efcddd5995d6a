//! The reader of lines: any split gives the same lines and the same end, and the
//! lines are what came, without the white space around them.

#![no_main]

use agentkube_fuzz::Input;
use agentkube_llm::ndjson::Decoder;
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
    let (lines, is_short) = whole;
    let mut came = input.wire.split_inclusive(|byte| *byte == b'\n');
    for line in &lines {
        let next = came.next().expect("no line is made up");
        assert!(next.ends_with(b"\n") && next.len() <= LIMIT);
        assert_eq!(line, next.trim_ascii());
    }
    let next = came.next().unwrap_or_default();
    assert_eq!(is_short, next.len() <= LIMIT);
    assert!(!is_short || !next.ends_with(b"\n"), "a line was lost");
});

/// The lines, and whether all of them were short enough.
fn read(pieces: impl Iterator<Item = Bytes>) -> (Vec<Vec<u8>>, bool) {
    let mut decoder = Decoder::new(LIMIT);
    let mut lines = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next() {
                Ok(Some(line)) => lines.push(line.to_vec()),
                Ok(None) => break,
                Err(_) => return (lines, false),
            }
        }
    }
    (lines, true)
}
