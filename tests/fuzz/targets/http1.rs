//! The client's side of HTTP/1.1: any split of an answer gives the same, and what we
//! take for a whole answer hyper takes for the same one.

#![no_main]

use agentkube_fuzz::Input;
use bytes::Bytes;
use http::Method;
use libfuzzer_sys::fuzz_target;

use http1::Connection;
use outcome::{End, Outcome, Then, hypers, ours};

#[path = "../../../src/dataplane/upstream/http1/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the pool uses more of it")]
mod http1;
#[path = "../../../src/dataplane/upstream/http1/tests/outcome.rs"]
mod outcome;

/// What we refuse and hyper takes (the transcripts beside outcome.rs say why).
const STRICTER: [&str; 6] = [
    "invalid chunk: a line of its trailers ends in LF",
    "invalid chunk: it ends in LF",
    "message head is too large",
    "too many interim answers",
    "unexpected transfer-encoding header",
    "unexpected upgrade of the connection",
];

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else {
        return;
    };
    let to_head = data.first().is_some_and(|byte| byte % 2 == 1);
    let method = if to_head { Method::HEAD } else { Method::POST };
    let bytes = Bytes::copy_from_slice(input.wire);
    for then in [Then::Closed, Then::Silence] {
        let whole = read(&method, [bytes.clone()], then);
        assert_eq!(whole, read(&method, input.pieces(), then), "{then:?}");
        compare(&whole, &hypers(&method, bytes.clone(), then));
    }
});

/// What comes in pieces may be seen to be wrong where it is only cut so far, and what is
/// behind an answer is not looked at before the connection is used.
fn read(method: &Method, pieces: impl IntoIterator<Item = Bytes>, then: Then) -> Outcome {
    let mut outcome = ours(method, pieces, then);
    if let Outcome::Answered {
        end: End::Whole { kept },
        ..
    } = &mut outcome
    {
        *kept = false;
    }
    outcome
}

fn compare(ours: &Outcome, hypers: &Outcome) {
    let why = match (ours, hypers) {
        (
            Outcome::Answered {
                status,
                headers,
                body,
                end: End::Whole { .. },
            },
            Outcome::Answered {
                status: code,
                headers: fields,
                body: theirs,
                end: End::Whole { .. },
            },
        ) => {
            assert_eq!((status, body), (code, theirs));
            assert_eq!(counting(headers), counting(fields));
            return;
        }
        (
            Outcome::Answered {
                end: End::Whole { .. },
                ..
            },
            other,
        ) => {
            panic!("we take for whole what hyper does not: {other:?}")
        }
        (
            Outcome::NoHead(why)
            | Outcome::Answered {
                end: End::Broken(why),
                ..
            },
            Outcome::Answered {
                end: End::Whole { .. },
                ..
            },
        ) => why,
        _ => return,
    };
    assert!(STRICTER.contains(&why.as_str()), "hyper takes it: {why}");
}

/// Of two lengths we do not give out the one that does not count; taking it out changes
/// the order of names, which means nothing.
fn counting(headers: &[(String, Vec<u8>)]) -> Vec<&(String, Vec<u8>)> {
    let mut headers: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name != "content-length")
        .collect();
    headers.sort_by(|(one, _), (other, _)| one.cmp(other));
    headers
}
