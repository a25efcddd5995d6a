use bytes::Bytes;
use http::Method;

use super::outcome::{End, Outcome, Then, ours};

/// An answer in pieces of so many bytes.
fn read(text: &str, size: usize) -> Outcome {
    let pieces = text.as_bytes().chunks(size).map(Bytes::copy_from_slice);
    ours(&Method::POST, pieces, Then::Silence)
}

#[track_caller]
fn refused(text: &str, why: &str) {
    for size in [1_000, 8_192, text.len()] {
        assert_eq!(
            read(text, size),
            Outcome::NoHead(why.to_owned()),
            "in pieces of {size}"
        );
    }
}

#[track_caller]
fn ends(text: &str, expected: &End) {
    for size in [1_000, text.len()] {
        match read(text, size) {
            Outcome::Answered { end, .. } => assert_eq!(end, *expected, "in pieces of {size}"),
            other => panic!("{other:?}"),
        }
    }
}

fn fields(count: usize) -> String {
    (0..count)
        .map(|number| format!("x-{number}: a\r\n"))
        .collect()
}

#[test]
fn heads_of_as_many_headers_as_allowed_are_read_and_of_more_refused() {
    let head = |count| {
        let fields = fields(count);
        format!("HTTP/1.1 200 OK\r\n{fields}content-length: 0\r\n\r\n")
    };
    ends(&head(99), &End::Whole { kept: true });
    refused(&head(100), "too many headers");
}

#[test]
fn heads_as_long_as_allowed_are_read_and_longer_ones_refused() {
    let head = |len: usize| {
        let rest = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: \r\n\r\n";
        let long = "a".repeat(len - rest.len());
        format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: {long}\r\n\r\n")
    };
    ends(&head(65_535), &End::Whole { kept: true });
    refused(&head(65_536), "message head is too large");
    // It is not read to its end to find that out.
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(70_000));
    refused(&endless, "message head is too large");
}

#[test]
fn no_head_is_waited_for_behind_endless_empty_lines() {
    refused(&"\r\n".repeat(40_000), "message head is too large");
}

#[test]
fn interim_answers_end() {
    let interim = "HTTP/1.1 102 Processing\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    ends(
        &format!("{}{last}", interim.repeat(10_000)),
        &End::Whole { kept: true },
    );
    refused(&interim.repeat(10_001), "too many interim answers");
}

#[test]
fn extensions_and_trailers_end() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let broken = |why: &str| End::Broken(why.to_owned());
    let extensions = |len| format!("{chunked}1;{}\r\na\r\n0\r\n\r\n", "x".repeat(len));
    ends(&extensions(16 * 1024), &End::Whole { kept: true });
    ends(
        &extensions(16 * 1024 + 1),
        &broken("invalid chunk: too many extensions"),
    );
    let trailers = |text: &str| format!("{chunked}0\r\n{text}\r\n");
    ends(&trailers(&fields(100)), &End::Whole { kept: true });
    ends(&trailers(&fields(101)), &broken("too many headers"));
    let long = format!("x: {}\r\n", "a".repeat(17_000));
    ends(&trailers(&long), &broken("message head is too large"));
    let endless = format!("{chunked}0\r\nx: {}", "a".repeat(17_000));
    ends(&endless, &broken("message head is too large"));
}
