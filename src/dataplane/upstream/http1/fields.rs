//! What the headers of an answer say of its framing and of the connection.

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, StatusCode, Version};

use super::Error;
use super::chunked::Chunked;
use super::left::Left;

/// What was seen of them so far.
#[derive(Debug, Default)]
pub(super) struct Fields {
    length: Length,
    coding: Coding,
    close: bool,
    keep_alive: bool,
}

/// Of `content-length`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Length {
    #[default]
    Absent,
    Bad,
    Known(u64),
}

/// Of `transfer-encoding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Coding {
    #[default]
    Absent,
    Chunked,
    /// One that we did not ask for (RFC 9112, 7.4), or chunked and others: to read on
    /// until the connection closes, as RFC 9112, 6.3, allows, would pass for the content
    /// what is a coding of it.
    Other,
}

impl Fields {
    /// Takes in one header.
    pub(super) fn note(&mut self, name: &HeaderName, value: &HeaderValue) {
        if *name == CONTENT_LENGTH {
            for one in value.as_bytes().split(|byte| *byte == b',') {
                self.length = self.length.and(digits(one.trim_ascii()));
            }
        } else if *name == CONNECTION {
            for option in value.as_bytes().split(|byte| *byte == b',') {
                let option = option.trim_ascii();
                self.close |= option.eq_ignore_ascii_case(b"close");
                self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        } else if *name == TRANSFER_ENCODING {
            let only = self.coding == Coding::Absent;
            let chunked = value
                .as_bytes()
                .trim_ascii()
                .eq_ignore_ascii_case(b"chunked");
            self.coding = match only && chunked {
                true => Coding::Chunked,
                false => Coding::Other,
            };
        }
    }

    /// How the body is framed (RFC 9112, 6.3).
    pub(super) fn left(
        &self,
        status: StatusCode,
        version: Version,
        to_head: bool,
    ) -> Result<Left, Error> {
        if to_head || is_bodiless(status) {
            return Ok(Left::Nothing);
        }
        match (self.coding, self.length) {
            (Coding::Chunked, _) if version == Version::HTTP_11 => {
                Ok(Left::Chunked(Chunked::new()))
            }
            (Coding::Chunked | Coding::Other, _) => Err(Error::TransferEncoding),
            (Coding::Absent, Length::Known(length)) => Ok(Left::Length(length)),
            (Coding::Absent, Length::Bad) => Err(Error::ContentLength),
            (Coding::Absent, Length::Absent) => Ok(Left::UntilClose),
        }
    }

    /// Whether the peer takes another request over the connection, and it is certain
    /// where its answer begins.
    pub(super) fn keeps(&self, status: StatusCode, version: Version) -> bool {
        let length = self.length != Length::Absent;
        let coding = self.coding != Coding::Absent;
        // RFC 9110, 8.6 and RFC 9112, 6.1: there must be neither.
        let impossible = status == StatusCode::NO_CONTENT
            && (coding || length && self.length != Length::Known(0));
        let wanted = version == Version::HTTP_11 || self.keep_alive;
        wanted && !self.close && !self.contradict() && !impossible
    }

    /// It tells its length in two ways, as one does that smuggles another answer. The
    /// chunks count, and the length must not be passed on (RFC 9112, 6.3).
    pub(super) fn contradict(&self) -> bool {
        self.length != Length::Absent && self.coding != Coding::Absent
    }
}

/// Whatever else the head says, there is none (RFC 9110, 15.3.5 and 15.4.5).
fn is_bodiless(status: StatusCode) -> bool {
    status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

impl Length {
    /// RFC 9110, 8.6: it may be there several times, if they are the same.
    fn and(self, other: Option<u64>) -> Self {
        match (self, other) {
            (Self::Absent, Some(length)) => Self::Known(length),
            (Self::Known(known), Some(length)) if known == length => self,
            _ => Self::Bad,
        }
    }
}

/// A number of digits only: no sign, no blank, not nothing.
fn digits(text: &[u8]) -> Option<u64> {
    let mut number = (!text.is_empty()).then_some(0_u64)?;
    for byte in text {
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(number)
}
