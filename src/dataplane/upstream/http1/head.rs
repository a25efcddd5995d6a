//! The head of an answer (RFC 9112, 4 and 5).

use std::mem::{MaybeUninit, take};
use std::ops::Range;

use bytes::{Buf, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use httparse::{ParserConfig, Status};

use super::Error;
use super::fields::Fields;
use super::left::Left;

/// More headers than any answer has.
pub(super) const MAX_HEADERS: usize = 100;

/// Longer than what the servers and proxies that we know of send; 64 KiB, less the byte
/// that makes a place in it fit into 16 bits.
pub(super) const MAX_HEAD: usize = 64 * 1024 - 1;

/// One that comes every few seconds shows that a long answer is worked on (103 comes
/// once, 102 from time to time): for hours.
const MAX_INTERIM: u32 = 10_000;

/// Up to here, what has come of a head is read anew with each piece; then only when it
/// may be whole, so that many small pieces cost no more than large ones.
const SHORT: usize = 4 * 1024;

/// The head of an answer, and what it says of the rest.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(super) left: Left,
    /// The connection may be used again.
    pub(super) keeps: bool,
}

/// A head that has not come, or not all of it.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// In so many bytes no head ends.
    seen: usize,
    /// Of empty lines before it.
    empty: usize,
    interim: u32,
    /// The request was one for the head only.
    to_head: bool,
}

/// Where a header is in the head.
#[derive(Clone, Copy, Default)]
struct Place {
    name: (u16, u16),
    value: (u16, u16),
}

/// What was found in a head that is whole.
struct Found {
    len: usize,
    status: StatusCode,
    version: Version,
    count: usize,
}

impl Awaited {
    pub(super) fn new(to_head: bool) -> Self {
        Self {
            to_head,
            ..Self::default()
        }
    }

    /// The head, once it has come whole. Interim answers before it are left out.
    /// Headers are put into `spare`, whose room is used again.
    pub(super) fn read(
        &mut self,
        buf: &mut BytesMut,
        spare: &mut HeaderMap,
    ) -> Result<Option<Head>, Error> {
        let mut places = [Place::default(); MAX_HEADERS];
        loop {
            self.skip_empty_lines(buf)?;
            if self.seen > SHORT && !may_end(buf, self.seen) {
                return self.partial(buf);
            }
            let Some(found) = find(buf, &mut places)? else {
                return self.partial(buf);
            };
            self.seen = 0;
            if found.len > MAX_HEAD {
                return Err(Error::TooLarge);
            }
            if found.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(Error::Upgrade);
            }
            if !found.status.is_informational() {
                let places = places.get(..found.count).unwrap_or_default();
                return self.finish(buf, &found, places, take(spare)).map(Some);
            }
            self.interim += 1;
            if self.interim > MAX_INTERIM {
                return Err(Error::Interim);
            }
            buf.advance(found.len);
        }
    }

    /// Some servers send one too many behind a body (RFC 9112, 2.2).
    fn skip_empty_lines(&mut self, buf: &mut BytesMut) -> Result<(), Error> {
        while self.seen == 0 {
            let len = match **buf {
                [b'\r', b'\n', ..] => 2,
                [b'\n', ..] => 1,
                _ => break,
            };
            buf.advance(len);
            self.empty += len;
            if self.empty > MAX_HEAD {
                return Err(Error::TooLarge);
            }
        }
        Ok(())
    }

    fn partial(&mut self, buf: &BytesMut) -> Result<Option<Head>, Error> {
        self.seen = buf.len();
        match self.seen > MAX_HEAD {
            true => Err(Error::TooLarge),
            false => Ok(None),
        }
    }

    fn finish(
        &self,
        buf: &mut BytesMut,
        found: &Found,
        places: &[Place],
        mut headers: HeaderMap,
    ) -> Result<Head, Error> {
        let bytes = buf.split_to(found.len).freeze();
        let mut fields = Fields::default();
        headers.clear();
        headers.reserve(places.len());
        for place in places {
            let name = bytes.get(range(place.name)).unwrap_or_default();
            let name = HeaderName::from_bytes(name).map_err(|_| httparse::Error::HeaderName)?;
            // It keeps what was read, of which a head is the larger part or a small one
            // of a small buffer.
            let value = HeaderValue::from_maybe_shared(bytes.slice(range(place.value)))
                .map_err(|_| httparse::Error::HeaderValue)?;
            fields.note(&name, &value);
            headers.append(name, value);
        }
        if fields.contradict() {
            headers.remove(CONTENT_LENGTH);
        }
        let (status, version) = (found.status, found.version);
        Ok(Head {
            left: fields.left(status, version, self.to_head)?,
            keeps: fields.keeps(status, version),
            status,
            version,
            headers,
        })
    }
}

/// Takes a head apart, its headers into places; None when it is not whole.
fn find(buf: &[u8], places: &mut [Place; MAX_HEADERS]) -> Result<Option<Found>, Error> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut []);
    let read = ParserConfig::default().parse_response_with_uninit_headers(
        &mut answer,
        buf,
        &mut fields,
    )?;
    let Status::Complete(len) = read else {
        return Ok(None);
    };
    let status = StatusCode::from_u16(answer.code.unwrap_or_default())
        .map_err(|_| httparse::Error::Status)?;
    let version = match answer.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    let count = answer.headers.len();
    for (place, field) in places.iter_mut().zip(answer.headers.iter()) {
        place.name = place_of(field.name.as_bytes(), buf)?;
        place.value = place_of(field.value, buf)?;
    }
    Ok(Some(Found {
        len,
        status,
        version,
        count,
    }))
}

/// Where a part of it is.
fn place_of(part: &[u8], whole: &[u8]) -> Result<(u16, u16), Error> {
    let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
    let place = |at: usize| u16::try_from(at).map_err(|_| Error::TooLarge);
    Ok((place(start)?, place(start + part.len())?))
}

fn range((start, end): (u16, u16)) -> Range<usize> {
    usize::from(start)..usize::from(end)
}

/// Whether an empty line, with which a head ends, may be behind the first `seen` bytes.
pub(super) fn may_end(buf: &[u8], seen: usize) -> bool {
    // Of the line end before it and of its own, all but the last byte may have been seen.
    let new = buf.get(seen.saturating_sub(3)..).unwrap_or_default();
    let mut lines = new.split(|byte| *byte == b'\n');
    // What is before the first line end is no line of its own.
    lines.next();
    let mut rest = lines.peekable();
    while let Some(line) = rest.next() {
        let ended = rest.peek().is_some();
        if ended && matches!(line, [] | [b'\r']) {
            return true;
        }
    }
    false
}
