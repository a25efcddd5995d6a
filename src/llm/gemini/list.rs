//! `streamGenerateContent` without `alt=sse`: a JSON array, told one element at a
//! time.
//! <https://cloud.google.com/apis/docs/system-parameters>
//!
//! An answer that failed has its error as the last element, and the array stays
//! open: clients that look at no element's `error` then see that it is not whole.

use bytes::Bytes;

use crate::Dialect;
use crate::sse::{Decoder, EVENT_LIMIT, FrameKind};

/// Turns the server-sent events of an answer into the elements of an array.
///
/// ```
/// use agentkube_llm::JsonList;
/// use bytes::Bytes;
///
/// let mut list = JsonList::new();
/// assert_eq!(list.take(Bytes::from_static(b"data: {\"a\":1}\n\n")), "[{\"a\":1}");
/// assert_eq!(list.take(Bytes::from_static(b"data: {\"a\":2}\n\n")), ",\r\n{\"a\":2}");
/// assert_eq!(list.end(true), "]");
/// ```
#[derive(Debug)]
pub struct JsonList {
    events: Decoder,
    begun: bool,
}

impl Default for JsonList {
    fn default() -> Self {
        Self::new()
    }
}

impl JsonList {
    /// A list without elements.
    #[must_use]
    pub fn new() -> Self {
        Self {
            // Longer ones the tap does not let through.
            events: Decoder::new(EVENT_LIMIT * 2),
            begun: false,
        }
    }

    /// True when a client of this dialect that asks so for a stream wants a list.
    /// `query` is with or without its question mark.
    #[must_use]
    pub fn is_wanted(dialect: Dialect, query: &str) -> bool {
        let query = query.strip_prefix('?').unwrap_or(query);
        let is_sse = |it: &str| matches!(it, "alt=sse" | "$alt=sse" | "%24alt=sse");
        dialect == Dialect::Gemini && !query.split('&').any(is_sse)
    }

    /// What these events are in the list; nothing for those without data.
    pub fn take(&mut self, events: Bytes) -> Bytes {
        let mut out = Vec::new();
        self.events.feed(events);
        while let Ok(Some(frame)) = self.events.next() {
            if frame.kind != FrameKind::Block {
                continue;
            }
            let Some(event) = frame.event() else { continue };
            let data = event.data.trim_ascii();
            if data.is_empty() {
                continue;
            }
            let before: &[u8] = match std::mem::replace(&mut self.begun, true) {
                true => b",\r\n",
                false => b"[",
            };
            out.extend_from_slice(before);
            out.extend_from_slice(data);
        }
        Bytes::from(out)
    }

    /// What comes behind the last element.
    #[must_use]
    pub fn end(&self, is_complete: bool) -> Bytes {
        Bytes::from_static(match (self.begun, is_complete) {
            (true, true) => b"]",
            (false, true) => b"[]",
            (_, false) => b"",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_wanted_where_nobody_asked_for_events() {
        for query in ["", "?", "?key=x", "?alt=json", "?alt=ssex"] {
            assert!(JsonList::is_wanted(Dialect::Gemini, query), "{query}");
        }
        for query in ["?alt=sse", "key=x&alt=sse", "?%24alt=sse"] {
            assert!(!JsonList::is_wanted(Dialect::Gemini, query), "{query}");
        }
        assert!(!JsonList::is_wanted(Dialect::OpenAiChat, ""));
    }

    #[test]
    fn any_split_of_the_events_gives_the_same_list() {
        let events = "data: {\"a\":\ndata: 1}\n\n: ping\n\r\ndata:{\"b\":2}\r\n\r\ndata:\n\n";
        let read = |pieces: &[&str]| {
            let mut list = JsonList::new();
            let mut out = Vec::new();
            for piece in pieces {
                out.extend_from_slice(&list.take(Bytes::copy_from_slice(piece.as_bytes())));
            }
            out.extend_from_slice(&list.end(true));
            String::from_utf8(out).unwrap()
        };
        let whole = read(&[events]);
        assert_eq!(whole, "[{\"a\":\n1},\r\n{\"b\":2}]");
        for at in 0..events.len() {
            let (left, right) = events.split_at(at);
            assert_eq!(read(&[left, right]), whole, "{at}");
        }
    }

    #[test]
    fn an_answer_that_failed_leaves_its_list_open() {
        let mut list = JsonList::new();
        assert_eq!(list.end(false), "");
        assert_eq!(list.end(true), "[]");
        let error = list.take(Bytes::from_static(b"data: {\"error\":{}}\n\n"));
        assert_eq!(error, "[{\"error\":{}}");
        assert_eq!(list.end(false), "");
    }
}
