use bytes::Bytes;
use http::Method;
use proptest::prelude::*;

use super::outcome::{End, Outcome, Then, hypers, ours};
use super::transcripts::{ALL, Hyper, Transcript, Verdict};

impl Transcript {
    fn method(&self) -> Method {
        self.method.parse().unwrap()
    }

    fn whole(&self, then: Then) -> Outcome {
        ours(&self.method(), [Bytes::from_static(self.bytes)], then)
    }

    fn hypers(&self, then: Then) -> Outcome {
        hypers(&self.method(), Bytes::from_static(self.bytes), then)
    }
}

/// Why there is nothing, or not all, does not have to be said in the same words.
fn unworded(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::NoHead(_) => Outcome::NoHead(String::new()),
        Outcome::Answered {
            status,
            headers,
            end: End::Broken(_),
            ..
        } => Outcome::Answered {
            status,
            headers,
            // hyper drops what came with what is wrong.
            body: Vec::new(),
            end: End::Broken(String::new()),
        },
        other => other,
    }
}

#[test]
fn every_transcript_has_its_verdict() {
    for transcript in ALL {
        let what = transcript.what;
        match (transcript.whole(Then::Closed), &transcript.verdict) {
            (Outcome::NoHead(why), Verdict::Refused(expected)) => {
                assert_eq!(why, *expected, "{what}")
            }
            (
                Outcome::Answered {
                    end: End::Broken(why),
                    ..
                },
                Verdict::Broken(expected),
            ) => assert_eq!(why, *expected, "{what}"),
            (
                Outcome::Answered {
                    status, body, end, ..
                },
                Verdict::Whole(code, text, kept),
            ) => {
                let body = String::from_utf8(body).unwrap();
                assert_eq!((status, body.as_str()), (*code, *text), "{what}");
                assert_eq!(end, End::Whole { kept: *kept }, "{what}");
            }
            (other, _) => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn a_split_anywhere_changes_nothing() {
    for transcript in ALL {
        let whole = transcript.whole(Then::Closed);
        let bytes = Bytes::from_static(transcript.bytes);
        for at in 1..bytes.len() {
            let pieces = [bytes.slice(..at), bytes.slice(at..)];
            let split = ours(&transcript.method(), pieces, Then::Closed);
            // What is behind an answer is not looked at before the connection is used.
            let (whole, split) = (unkept(&whole), unkept(&split));
            assert_eq!(whole, split, "{} at {at}", transcript.what);
        }
        let single = bytes.chunks(1).map(Bytes::copy_from_slice);
        let single = ours(&transcript.method(), single, Then::Closed);
        assert_eq!(unkept(&whole), unkept(&single), "{}", transcript.what);
    }
}

/// Without whether the connection is kept.
fn unkept(outcome: &Outcome) -> Outcome {
    let mut outcome = outcome.clone();
    if let Outcome::Answered {
        end: End::Whole { kept },
        ..
    } = &mut outcome
    {
        *kept = false;
    }
    outcome
}

#[test]
fn hyper_makes_the_same_of_it_except_where_it_is_said_why_not() {
    for transcript in ALL {
        let same = [Then::Closed, Then::Silence].into_iter().all(|then| {
            let (mut ours, mut hypers) = (transcript.whole(then), transcript.hypers(then));
            if then == Then::Closed {
                // hyper has seen that it is closed.
                (ours, hypers) = (unkept(&ours), unkept(&hypers));
            }
            let (ours, hypers) = (unworded(ours), unworded(hypers));
            if ours != hypers && transcript.hyper == Hyper::Same {
                panic!(
                    "{}, {then:?}: {ours:?}, and hyper: {hypers:?}",
                    transcript.what
                );
            }
            ours == hypers
        });
        let differs = matches!(transcript.hyper, Hyper::Differs(_));
        assert_eq!(same, !differs, "{}", transcript.what);
    }
}

#[test]
fn what_is_read_later_is_found_before_the_connection_is_used() {
    use std::task::{Context, Waker};

    use super::outcome::Script;

    let mut cx = Context::from_waker(Waker::noop());
    let mut connection = super::Connection::new(Script::asked([Bytes::from_static(b"HTTP")]));
    assert!(connection.poll_unasked(&mut cx).is_ready());
}

proptest! {
    #[test]
    fn what_we_take_hyper_takes_too(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("HTTP/1.1 200 OK\r\n"), Just("HTTP/1.0 200 OK\r\n"), Just("HTTP/1.1 100 \r\n\r\n"),
                Just("content-length: 5\r\n"), Just("content-length: 0\r\n"), Just("connection: close\r\n"),
                Just("transfer-encoding: chunked\r\n"), Just("transfer-encoding: x\r\n"), Just("x: y\r\n"),
                Just("\r\n"), Just("\n"), Just("\r"), Just("5\r\nhello\r\n"), Just("5;x\r\n"), Just("hello"),
                Just("0\r\n\r\n"), Just("0\r\n"), Just(" "), Just(":"), Just("\0"),
            ],
            0..12,
        ),
        first in 0_usize..40,
    ) {
        let text: String = std::iter::once("HTTP/1.1 200 OK\r\n").chain(pieces).collect();
        let bytes = Bytes::from(text);
        let at = first.min(bytes.len());
        let whole = ours(&Method::POST, [bytes.clone()], Then::Closed);
        let pieces = [bytes.slice(..at), bytes.slice(at..)];
        let split = ours(&Method::POST, pieces.into_iter().filter(|it| !it.is_empty()), Then::Closed);
        prop_assert_eq!(unkept(&unworded(whole.clone())), unkept(&unworded(split)));
        if let Outcome::Answered { body, end: End::Whole { .. }, status, .. } = whole {
            let hypers = hypers(&Method::POST, bytes, Then::Closed);
            let Outcome::Answered { body: theirs, end: End::Whole { .. }, status: code, .. } = hypers else {
                return Err(TestCaseError::fail(format!("hyper: {hypers:?}")));
            };
            prop_assert_eq!((status, body), (code, theirs));
        }
    }
}
