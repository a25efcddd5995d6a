//! What Gemini's clients cannot read does not pass.

use super::*;

#[test]
fn no_sign_of_life_reaches_a_client_that_cannot_read_it() {
    let event = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]}}]}\r\n\r\n";
    let body = format!(": ping\n\n{event}: ping\r\n\r\n{event}");
    for pieces in [vec![body.as_bytes()], body.as_bytes().chunks(1).collect()] {
        let mut tap = Tap::new(Dialect::Gemini, TapOptions::default());
        let mut told = Vec::new();
        for piece in pieces {
            tap.feed(Bytes::copy_from_slice(piece)).unwrap();
            while let Some(bytes) = tap.pop() {
                told.extend_from_slice(&bytes);
            }
        }
        assert_eq!(String::from_utf8(told).unwrap(), event.repeat(2));
    }
    let mut chat = Tap::new(Dialect::OpenAiChat, TapOptions::default());
    chat.feed(Bytes::from_static(b": ping\n\n")).unwrap();
    assert!(chat.pop().is_some(), "others are kept waiting by them");
}
