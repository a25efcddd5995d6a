//! Server-sent events of streamable HTTP, decoded incrementally and bounded.
//!
//! Any split of the bytes gives the same events
//! (WHATWG HTML, "Parsing an event stream").

use std::fmt::Write as _;

/// One dispatched event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The type, empty for the default one.
    pub name: Vec<u8>,
    /// The data lines, joined by line feeds. Empty in a priming event, which
    /// only tells its id (2025-11-25, Transports, "Sending Messages").
    pub data: Vec<u8>,
    /// Where a reader that lost the stream may go on after this event.
    pub id: Option<String>,
    /// Milliseconds that a reader should wait before it does.
    pub retry: Option<u64>,
}

/// An event that is larger than the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {0} bytes")]
pub struct TooLong(pub usize);

/// Splits a byte stream into events.
#[derive(Debug)]
pub struct Decoder {
    max_bytes: usize,
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    after_cr: bool,
    at_start: bool,
}

impl Decoder {
    /// A decoder for events of at most this many bytes.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            line: Vec::new(),
            event: Event::default(),
            has_data: false,
            after_cr: false,
            at_start: true,
        }
    }

    /// Takes the next bytes and appends the events that they complete.
    ///
    /// # Errors
    /// [`TooLong`]; the decoder is of no use after it.
    pub fn push(&mut self, mut bytes: &[u8], events: &mut Vec<Event>) -> Result<(), TooLong> {
        if bytes.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut self.after_cr) {
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(at) = memchr::memchr2(b'\n', b'\r', bytes) {
            let (head, rest) = bytes.split_at(at);
            self.extend_line(head)?;
            self.end_line(events);
            bytes = match rest {
                [b'\r', b'\n', rest @ ..] => rest,
                [b'\r'] => {
                    self.after_cr = true;
                    &[]
                }
                [_, rest @ ..] => rest,
                [] => &[],
            };
        }
        self.extend_line(bytes)
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + self.event.data.len() + bytes.len() > self.max_bytes {
            return Err(TooLong(self.max_bytes));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<Event>) {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.at_start) && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        if line.is_empty() {
            self.dispatch(events);
            return;
        }
        let (field, value) = match memchr::memchr(b':', &line) {
            Some(at) => {
                let (field, value) = line.split_at(at);
                let value = value.get(1..).unwrap_or_default();
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line.as_slice(), &[][..]),
        };
        match field {
            b"data" => {
                if self.has_data {
                    self.event.data.push(b'\n');
                }
                self.has_data = true;
                self.event.data.extend_from_slice(value);
            }
            b"event" => self.event.name = value.to_vec(),
            // WHATWG: an id with a NUL is ignored.
            b"id" if !value.contains(&0) => {
                self.event.id = String::from_utf8(value.to_vec()).ok();
            }
            b"retry" => {
                let digits = std::str::from_utf8(value).ok();
                self.event.retry = digits.and_then(|digits| digits.parse().ok());
            }
            // Comments and unknown fields.
            _ => {}
        }
        line.clear();
        self.line = line;
    }

    fn dispatch(&mut self, events: &mut Vec<Event>) {
        let event = std::mem::take(&mut self.event);
        let has_data = std::mem::take(&mut self.has_data) && !event.data.is_empty();
        if has_data || event.id.is_some() || event.retry.is_some() {
            events.push(event);
        }
    }
}

/// A comment, to keep a silent stream open.
pub const KEEP_ALIVE: &str = ": keep-alive\n\n";

/// One message as an event.
#[must_use]
pub fn frame(message: &str) -> String {
    frame_with(message, None, None)
}

/// One message, or the empty text of a priming event, as an event with its id.
#[must_use]
pub fn frame_with(message: &str, id: Option<&str>, retry: Option<u64>) -> String {
    let mut out = String::with_capacity(message.len() + 24 + id.map_or(0, |id| id.len() + 5));
    if let Some(id) = id {
        out.push_str("id: ");
        out.push_str(id);
        out.push('\n');
    }
    if let Some(retry) = retry {
        // Writing to a String does not fail.
        let _ = writeln!(out, "retry: {retry}");
    }
    if !message.is_empty() {
        out.push_str("event: message\n");
    }
    for line in message.split(['\n', '\r']) {
        // Line breaks in JSON text are white space, so a doubled one is harmless.
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(chunks: &[&[u8]]) -> Vec<Event> {
        let mut decoder = Decoder::new(1 << 16);
        let mut events = Vec::new();
        for chunk in chunks {
            decoder.push(chunk, &mut events).unwrap();
        }
        events
    }

    #[test]
    fn all_line_ends_end_lines() {
        for end in ["\n", "\r", "\r\n"] {
            let text = format!(
                "\u{feff}event: message{end}data: a{end}data:b{end}: c{end}id: 7{end}{end}"
            );
            let events = decode(&[text.as_bytes()]);
            assert_eq!(
                events,
                [Event {
                    name: b"message".to_vec(),
                    data: b"a\nb".to_vec(),
                    id: Some("7".to_owned()),
                    retry: None,
                }]
            );
        }
    }

    #[test]
    fn a_priming_event_is_an_event_without_data_and_a_cut_event_is_none() {
        let events = decode(&[b"id: 1\nretry: 500\ndata:\n\ndata: x\n"]);
        let [event] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!((event.id.as_deref(), event.retry), (Some("1"), Some(500)));
        assert!(event.data.is_empty());
        let framed = frame_with("", Some("1"), Some(500));
        assert_eq!(decode(&[framed.as_bytes()]), events);
    }

    #[test]
    fn nothing_between_the_halves_of_a_line_end_does_not_end_a_line() {
        assert_eq!(decode(&[b"data: a\r", b"", b"\n"]), []);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut decoder = Decoder::new(8);
        let mut events = Vec::new();
        assert_eq!(decoder.push(b"data: 123456", &mut events), Err(TooLong(8)));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            text in "(data: [a-z]{0,3}|event: x|:|\r|\n|\r\n|\n\n|id: 1){0,20}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let bytes = text.as_bytes();
            let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let chunks: Vec<_> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(decode(&chunks), decode(&[bytes]));
        }

        #[test]
        fn a_framed_message_comes_back(message in "\\{[ -~\n]{0,40}\\}") {
            let events = decode(&[frame(&message).as_bytes()]);
            prop_assert_eq!(&events[0].data, message.as_bytes());
        }
    }
}
