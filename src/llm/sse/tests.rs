use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// Name and data.
type Plain = (Vec<u8>, Vec<u8>);

/// All events, and all bytes as the frames gave them.
fn decode(pieces: &[&[u8]]) -> (Vec<Plain>, Vec<u8>) {
    let mut decoder = Decoder::new(EVENT_LIMIT);
    let (mut events, mut bytes) = (Vec::new(), Vec::new());
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        while let Some(frame) = decoder.next().unwrap() {
            bytes.extend_from_slice(frame.bytes);
            if frame.kind == FrameKind::Block
                && let Some(event) = frame.event()
            {
                events.push((event.name.to_vec(), event.data.to_vec()));
            }
        }
    }
    bytes.extend_from_slice(&decoder.take_rest());
    (events, bytes)
}

/// The algorithm of the standard, line by line over the whole input.
fn reference(input: &[u8]) -> Vec<Plain> {
    let input = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input);
    let mut events = Vec::new();
    let (mut name, mut data, mut has_data) = (Vec::new(), Vec::new(), false);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    let mut at = 0;
    while at < input.len() {
        match input[at] {
            b'\r' | b'\n' => {
                if input[at] == b'\r' && input.get(at + 1) == Some(&b'\n') {
                    at += 1;
                }
                lines.push(std::mem::take(&mut line));
            }
            byte => line.push(byte),
        }
        at += 1;
    }
    for line in lines {
        if line.is_empty() {
            if has_data || !name.is_empty() {
                events.push((std::mem::take(&mut name), std::mem::take(&mut data)));
            }
            has_data = false;
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = match colon {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (&line[..], &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = value.to_vec(),
            b"data" => {
                if has_data {
                    data.push(b'\n');
                }
                has_data = true;
                data.extend_from_slice(value);
            }
            _ => {}
        }
    }
    events
}

fn data_of(input: &str) -> Vec<String> {
    let (events, _) = decode(&[input.as_bytes()]);
    events
        .into_iter()
        .map(|(_, data)| String::from_utf8(data).unwrap())
        .collect()
}

#[test]
fn examples_of_the_standard_read_as_it_says() {
    assert_eq!(
        data_of("data: YHOO\ndata: +2\ndata: 10\n\n"),
        ["YHOO\n+2\n10"]
    );
    let stream = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n\
                  data:  third event\n\n";
    assert_eq!(
        data_of(stream),
        ["first event", "second event", " third event"]
    );
    assert_eq!(data_of("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
    assert_eq!(data_of("data:test\n\ndata: test\n\n"), ["test", "test"]);
}

#[test]
fn one_leading_byte_order_mark_is_ignored() {
    assert_eq!(data_of("\u{FEFF}data: a\n\ndata: b\n\n"), ["a", "b"]);
    assert_eq!(data_of("\u{FEFF}\u{FEFF}data: a\n\n"), [""; 0]);
    assert_eq!(data_of("data: a\n\n\u{FEFF}data: b\n\n"), ["a"]);
}

#[test]
fn the_last_name_wins_and_unknown_fields_are_ignored() {
    let (events, _) = decode(&[b"event: a\nfoo: x\nevent: b\ndata: 1\n:c\n\n"]);
    assert_eq!(events, [(b"b".to_vec(), b"1".to_vec())]);
}

#[test]
fn names_do_not_leak_into_the_next_event() {
    let (events, _) = decode(&[b"event: a\ndata: 1\n\ndata: 2\n\n"]);
    assert_eq!(events[1], (b"".to_vec(), b"2".to_vec()));
}

#[test]
fn one_line_in_one_chunk_is_not_copied() {
    let chunk = Bytes::from_static(b"data: x\n\n");
    let mut decoder = Decoder::new(EVENT_LIMIT);
    decoder.feed(chunk.clone());
    let frame = decoder.next().unwrap().unwrap();
    assert_eq!(frame.bytes.as_ptr(), chunk.as_ptr());
    assert!(matches!(
        frame.event().unwrap().data,
        std::borrow::Cow::Borrowed(b"x")
    ));
}

#[test]
fn comments_and_blank_lines_need_not_wait_for_an_event() {
    let mut decoder = Decoder::new(EVENT_LIMIT);
    decoder.feed(Bytes::from_static(b": still here\n"));
    assert_eq!(decoder.next().unwrap().unwrap().kind, FrameKind::Filler);
    decoder.feed(Bytes::from_static(b"\n"));
    assert_eq!(decoder.next().unwrap().unwrap().kind, FrameKind::Filler);
    assert!(decoder.next().unwrap().is_none());
}

#[test]
fn a_split_line_end_is_one_line_end() {
    let (events, _) = decode(&[b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n"]);
    assert_eq!(events, [(b"".to_vec(), b"a\nb".to_vec())]);
}

#[test]
fn an_event_of_carriage_returns_does_not_wait_for_the_next_byte() {
    let mut decoder = Decoder::new(EVENT_LIMIT);
    decoder.feed(Bytes::from_static(b"data: a\r\r"));
    assert_eq!(decoder.next().unwrap().unwrap().kind, FrameKind::Block);
}

#[test]
fn an_event_longer_than_64_kib_is_read() {
    let text = "x".repeat(200_000);
    assert_eq!(data_of(&format!("data: {text}\n\n")), [text]);
}

#[test]
fn an_event_over_the_limit_is_an_error_however_it_is_split() {
    let refused = Err(EventTooLarge { limit: 16 });
    let mut decoder = Decoder::new(16);
    decoder.feed(Bytes::from_static(b"data: 0123456789\n\n"));
    assert_eq!(decoder.next().map(|_| ()), refused);
    let mut decoder = Decoder::new(16);
    decoder.feed(Bytes::from_static(b"data: 01"));
    assert!(decoder.next().unwrap().is_none());
    decoder.feed(Bytes::from_static(b"23456789\n\n"));
    assert_eq!(decoder.next().map(|_| ()), refused);
    // The limit is of one event, not of the stream.
    let mut decoder = Decoder::new(16);
    decoder.feed(Bytes::from_static(
        b"data: 1234\n\ndata: 1234\n\ndata: 1234\n\n",
    ));
    for _ in 0..3 {
        assert_eq!(decoder.next().unwrap().unwrap().kind, FrameKind::Block);
    }
}

#[test]
fn what_is_written_cannot_break_out() {
    let event = event(Some("error"), "a\n\nevent: evil\r\ndata: b\rid: 1");
    let (events, _) = decode(&[&event]);
    assert_eq!(
        events,
        [(
            b"error".to_vec(),
            b"a\n\nevent: evil\ndata: b\nid: 1".to_vec()
        )]
    );
    let (events, _) = decode(&[&comment("x\ndata: evil\r\n\r\ndata: worse")]);
    assert!(events.is_empty());
}

/// Text made of what matters on this wire.
fn wire() -> impl Strategy<Value = Vec<u8>> {
    const TOKENS: [&[u8]; 15] = [
        b"data: ",
        b"data:",
        b"data",
        b"event: x",
        b":",
        b": c",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b" ",
        b"\xEF\xBB\xBF",
        "ä🌍\u{2028}".as_bytes(),
        b"\xff",
        b"id: 1",
    ];
    let token = prop::sample::select(&TOKENS[..]);
    prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

fn cut<'a>(input: &'a [u8], at: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut borders: Vec<usize> = at.iter().map(|at| at.index(input.len() + 1)).collect();
    borders.extend([0, input.len()]);
    borders.sort_unstable();
    borders
        .windows(2)
        .map(|pair| &input[pair[0]..pair[1]])
        .collect()
}

proptest! {
    #[test]
    fn any_split_gives_the_events_of_the_standard(
        input in wire(),
        at in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (events, bytes) = decode(&cut(&input, &at));
        prop_assert_eq!(events, reference(&input));
        // Frames and rest are all bytes; a BOM may go with the rest.
        prop_assert!(input.ends_with(&bytes) && input.len() - bytes.len() <= 3);
    }

    #[test]
    fn what_is_written_is_read_back(data in "[a\\n\\r :\u{2028}x]{0,20}") {
        let written = event(None, &data);
        let (events, _) = decode(&[&written]);
        let normal = data.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(events, [(Vec::new(), normal.into_bytes())]);
    }

    #[test]
    fn no_bytes_panic(pieces in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        decode(&pieces);
    }
}
