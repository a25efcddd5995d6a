//! An upstream's answer as it comes in: bytes, messages.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use agentkube_mcp::sse::{Decoder, Event};

use super::UpstreamError;
use super::clock::Clock;
use super::sse::Part;
use crate::upstream::UpstreamBody;

/// The messages of an event stream.
#[derive(Debug)]
pub(in crate::mcp_proxy) struct Events {
    source: Source,
    clock: Clock,
}

/// Where they come from.
#[derive(Debug)]
enum Source {
    /// An answer of its own.
    Body(Box<Reader>),
    /// A part of the stream that is a session, and what was taken of it already.
    Stream(Part, Option<Bytes>),
}

#[derive(Debug)]
struct Reader {
    body: UpstreamBody,
    decoder: Decoder,
    limit: usize,
    ready: VecDeque<Event>,
}

impl Events {
    pub(super) fn new(body: UpstreamBody, clock: Clock, limit: usize) -> Self {
        let reader = Reader {
            body,
            decoder: Decoder::new(limit),
            limit,
            ready: VecDeque::new(),
        };
        Self {
            source: Source::Body(Box::new(reader)),
            clock,
        }
    }

    /// A part of a session's stream; `first` was taken of it already.
    pub(super) fn of_stream(part: Part, first: Option<Bytes>, clock: Clock) -> Self {
        Self {
            source: Source::Stream(part, first),
            clock,
        }
    }

    /// The data of the `endpoint` event, which must be the first one.
    pub(super) async fn endpoint(&mut self) -> Result<Option<String>, UpstreamError> {
        let Source::Body(reader) = &mut self.source else {
            return Ok(None);
        };
        let Some(event) = reader.next(&mut self.clock).await? else {
            return Ok(None);
        };
        let data = (event.name == b"endpoint").then(|| String::from_utf8(event.data).ok());
        Ok(data.flatten())
    }

    /// From here on it may be silent and has no end.
    pub(super) fn endless(&mut self) {
        self.clock = Clock::endless();
    }

    /// The next message; `None` when the stream ended. Waiting may be given up
    /// and begun anew without losing anything.
    pub(in crate::mcp_proxy) async fn next(&mut self) -> Result<Option<Vec<u8>>, UpstreamError> {
        loop {
            match self.event().await? {
                Some(event) if event.data.is_empty() => {}
                event => return Ok(event.map(|event| event.data)),
            }
        }
    }

    /// As [`Events::next`], with the events that only tell their id.
    pub(in crate::mcp_proxy) async fn event(&mut self) -> Result<Option<Event>, UpstreamError> {
        match &mut self.source {
            Source::Body(reader) => loop {
                match reader.next(&mut self.clock).await? {
                    // The type is "message" or missing; other types are not the
                    // protocol's, and say something only beside their data.
                    Some(event)
                        if !event.data.is_empty()
                            && !event.name.is_empty()
                            && event.name != b"message" => {}
                    event => return Ok(event),
                }
            },
            Source::Stream(part, first) => {
                let data = match first.take() {
                    Some(first) => first,
                    None => self.clock.wait(part.next()).await??,
                };
                self.clock.hear();
                Ok(Some(Event {
                    data: data.to_vec(),
                    ..Event::default()
                }))
            }
        }
    }
}

impl Reader {
    async fn next(&mut self, clock: &mut Clock) -> Result<Option<Event>, UpstreamError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(bytes) = chunk(&mut self.body, clock).await? else {
                return Ok(None);
            };
            let mut events = Vec::new();
            self.decoder
                .push(&bytes, &mut events)
                .map_err(|_| UpstreamError::TooLarge(self.limit))?;
            self.ready.extend(events);
        }
    }
}

/// A body of at most so many bytes.
pub(super) async fn whole(
    mut body: UpstreamBody,
    mut clock: Clock,
    limit: usize,
) -> Result<Bytes, UpstreamError> {
    let mut pieces = BytesMut::new();
    let mut first: Option<Bytes> = None;
    while let Some(bytes) = chunk(&mut body, &mut clock).await? {
        let so_far = first.as_ref().map_or(pieces.len(), Bytes::len);
        if so_far + bytes.len() > limit {
            return Err(UpstreamError::TooLarge(limit));
        }
        match (first.take(), pieces.is_empty()) {
            (None, true) => first = Some(bytes),
            (Some(start), _) => {
                pieces.extend_from_slice(&start);
                pieces.extend_from_slice(&bytes);
            }
            (None, false) => pieces.extend_from_slice(&bytes),
        }
    }
    Ok(first.unwrap_or_else(|| pieces.freeze()))
}

async fn chunk(body: &mut UpstreamBody, clock: &mut Clock) -> Result<Option<Bytes>, UpstreamError> {
    loop {
        let frame = clock.wait(body.frame()).await?;
        clock.hear();
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(UpstreamError::Cut),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}
