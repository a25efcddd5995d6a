//! Held against AWS's own implementation.

use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::codec::FrameError;

/// Name and data of every event, and how the reading ended.
type Read = (Vec<(String, String)>, Result<bool, FrameError>);

fn read(pieces: &[&[u8]], limit: usize) -> Read {
    let (mut decoder, mut events) = (Decoder::new(limit), Vec::new());
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        loop {
            match decoder.next() {
                Ok(Some(event)) => events.push((
                    String::from_utf8(event.name.to_vec()).unwrap(),
                    String::from_utf8(event.data.to_vec()).unwrap(),
                )),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
    }
    (events, Ok(decoder.is_within()))
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::String(value.to_owned().into())
}

/// A frame as AWS's implementation writes it.
fn theirs(headers: &[(&'static str, HeaderValue)], payload: &str) -> Vec<u8> {
    let payload = Bytes::copy_from_slice(payload.as_bytes());
    let message = headers
        .iter()
        .fold(Message::new(payload), |message, (name, value)| {
            message.add_header(Header::new(*name, value.clone()))
        });
    let mut out = Vec::new();
    write_message_to(&message, &mut out).unwrap();
    out
}

fn sample() -> Vec<u8> {
    [
        theirs(
            &[
                (":message-type", text("event")),
                (":event-type", text("messageStart")),
                ("flag", HeaderValue::Bool(true)),
                ("byte", HeaderValue::Byte(1)),
                ("short", HeaderValue::Int16(2)),
                ("int", HeaderValue::Int32(3)),
                ("long", HeaderValue::Int64(4)),
                ("bytes", HeaderValue::ByteArray(Bytes::from_static(b"\xff"))),
                (
                    "time",
                    HeaderValue::Timestamp(aws_smithy_types::DateTime::from_secs(1)),
                ),
                ("uuid", HeaderValue::Uuid(5)),
            ],
            r#"{"role":"assistant"}"#,
        ),
        theirs(
            &[
                (":message-type", text("exception")),
                (":exception-type", text("throttlingException")),
            ],
            r#"{"message":"slow"}"#,
        ),
        theirs(
            &[
                (":message-type", text("error")),
                (":error-code", text("Internal")),
                (":error-message", text("a \"word\"")),
            ],
            "",
        ),
    ]
    .concat()
}

fn told() -> Vec<(String, String)> {
    [
        ("messageStart", r#"{"role":"assistant"}"#),
        ("exception:throttlingException", r#"{"message":"slow"}"#),
        ("error:Internal", r#"{"message":"a \"word\""}"#),
    ]
    .map(|(name, data)| (name.to_owned(), data.to_owned()))
    .to_vec()
}

#[test]
fn what_aws_writes_is_read() {
    assert_eq!(read(&[&sample()], 4096), (told(), Ok(false)));
}

#[test]
fn what_is_written_aws_reads() {
    for (frame, kind) in [
        (event("metadata", r#"{"usage":{}}"#), ":event-type"),
        (exception("metadata", r#"{"usage":{}}"#), ":exception-type"),
    ] {
        let mut bytes = frame.clone();
        let message = read_message_from(&mut bytes).unwrap();
        assert!(bytes.is_empty(), "the whole frame was read");
        let header = |name: &str| {
            let mut all = message.headers().iter();
            let found = all.find(|header| header.name().as_str() == name).unwrap();
            found.value().as_string().unwrap().as_str().to_owned()
        };
        assert_eq!(header(kind), "metadata");
        assert_eq!(header(":content-type"), "application/json");
        assert_eq!(message.payload().as_ref(), br#"{"usage":{}}"#);
    }
}

#[test]
fn one_byte_at_a_time_is_the_same() {
    let sample = sample();
    let bytes: Vec<&[u8]> = sample.chunks(1).collect();
    assert_eq!(read(&bytes, 4096), (told(), Ok(false)));
}

#[test]
fn a_single_wrong_bit_is_never_passed_over() {
    let sample = sample();
    for at in 0..sample.len() {
        for bit in 0..8 {
            let mut damaged = sample.clone();
            damaged[at] ^= 1 << bit;
            let (events, end) = read(&[&damaged], 4096);
            assert!(end.is_err(), "byte {at} bit {bit}: {events:?}");
            assert_eq!(events, told()[..events.len()]);
        }
    }
}

#[test]
fn a_body_that_ends_within_a_frame_is_known() {
    let sample = sample();
    let ends: Vec<usize> = {
        let mut rest = Bytes::from(sample.clone());
        let mut ends = vec![0];
        while !rest.is_empty() {
            read_message_from(&mut rest).unwrap();
            ends.push(sample.len() - rest.len());
        }
        ends
    };
    for cut in 0..sample.len() {
        let (_, end) = read(&[&sample[..cut]], 4096);
        assert_eq!(end, Ok(!ends.contains(&cut)), "cut at {cut}");
    }
}

#[test]
fn a_frame_over_the_limit_is_refused_by_its_first_bytes() {
    let long = theirs(&[(":message-type", text("event"))], &"x".repeat(200));
    let (_, end) = read(&[&long[..12]], 100);
    assert!(matches!(end, Err(FrameError::TooLarge(_))), "{end:?}");
}

#[test]
fn a_frame_that_does_not_say_what_it_is_fails() {
    for headers in [vec![], vec![(":message-type", text("other"))]] {
        let (_, end) = read(&[&theirs(&headers, "{}")], 4096);
        assert!(matches!(end, Err(FrameError::Damaged(_))), "{end:?}");
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(cuts in prop::collection::vec(0usize..400, 0..8)) {
        let sample = sample();
        let mut borders: Vec<usize> = cuts.iter().map(|at| at % (sample.len() + 1)).collect();
        borders.extend([0, sample.len()]);
        borders.sort_unstable();
        let pieces: Vec<&[u8]> = borders.windows(2).map(|it| &sample[it[0]..it[1]]).collect();
        prop_assert_eq!(read(&pieces, 4096), (told(), Ok(false)));
    }

    #[test]
    fn garbage_never_panics_and_gives_no_events(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (events, _) = read(&[&bytes], 4096);
        prop_assert_eq!(events, vec![]);
    }
}
