//! Where a client may go on reading: the ids of events.
//!
//! An id names the upstream that gave it and whether it belongs to an answer or
//! to the upstream's own stream, so that any replica finds where to go on
//! (2025-11-25, Transports, "Resumability and Redelivery").

use agentkube_mcp::session::Fingerprint;
use agentkube_mcp::sse;
use http::HeaderValue;

/// What an event tells beside its message.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) id: Option<String>,
    retry: Option<u64>,
}

/// What the id of an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The upstream.
    pub(super) upstream: Fingerprint,
    /// True for the upstream's own stream, false for an answer.
    pub(super) is_own_stream: bool,
    /// The upstream's id.
    pub(super) id: HeaderValue,
}

impl Place {
    /// The place of an event among those of an answer.
    pub(super) fn answer(upstream: Fingerprint, event: &sse::Event) -> Self {
        Self::new('a', upstream, event)
    }

    /// The place of an event on an upstream's own stream.
    pub(super) fn stream(upstream: Fingerprint, event: &sse::Event) -> Self {
        Self::new('s', upstream, event)
    }

    fn new(kind: char, upstream: Fingerprint, event: &sse::Event) -> Self {
        // An empty id means that there is none (WHATWG HTML, "lastEventId").
        let id = event.id.as_ref().filter(|id| !id.is_empty());
        Self {
            id: id.map(|id| format!("{kind}{}.{id}", hex::encode(upstream))),
            retry: event.retry,
        }
    }

    /// True when the event tells something without a message.
    pub(super) fn is_told(&self) -> bool {
        self.id.is_some() || self.retry.is_some()
    }

    /// A message, or none, as an event at this place.
    pub(super) fn frame(&self, message: &str) -> String {
        sse::frame_with(message, self.id.as_deref(), self.retry)
    }
}

impl Mark {
    /// What the id says; `None` for one that is not ours.
    pub(super) fn parse(id: &HeaderValue) -> Option<Self> {
        let text = id.to_str().ok()?;
        let (place, id) = text.split_once('.')?;
        let is_own_stream = place.starts_with('s');
        let hex = place.strip_prefix(['a', 's'])?;
        let mut upstream = Fingerprint::default();
        hex::decode_to_slice(hex, &mut upstream).ok()?;
        Some(Self {
            upstream,
            is_own_stream,
            id: HeaderValue::try_from(id).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_upstream_and_stream() {
        let event = sse::Event {
            id: Some("7.x".to_owned()),
            ..sse::Event::default()
        };
        let place = Place::stream([1, 2, 3, 4, 5, 6], &event);
        let id = HeaderValue::try_from(place.id.unwrap()).unwrap();
        assert_eq!(id, "s010203040506.7.x");
        let mark = Mark::parse(&id).unwrap();
        assert!(mark.is_own_stream);
        assert_eq!(mark.upstream, [1, 2, 3, 4, 5, 6]);
        assert_eq!(mark.id, "7.x");
        assert_eq!(Mark::parse(&HeaderValue::from_static("17")), None);
    }
}
