//! The headers of a frame: only those that say what kind of message it is.

use crate::codec::FrameError;

/// What the headers say, as text; other headers are passed over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Headers<'a> {
    pub(super) message_type: &'a str,
    pub(super) event_type: &'a str,
    pub(super) exception_type: &'a str,
    pub(super) error_code: &'a str,
    pub(super) error_message: &'a str,
}

impl<'a> Headers<'a> {
    /// Reads all headers.
    pub(super) fn read(mut bytes: &'a [u8]) -> Result<Self, FrameError> {
        const DAMAGED: FrameError = FrameError::Damaged("its headers cannot be read");
        let mut found = Self::default();
        while !bytes.is_empty() {
            let (name, text, rest) = header(bytes).ok_or(DAMAGED)?;
            bytes = rest;
            let slot = match name {
                b":message-type" => &mut found.message_type,
                b":event-type" => &mut found.event_type,
                b":exception-type" => &mut found.exception_type,
                b":error-code" => &mut found.error_code,
                b":error-message" => &mut found.error_message,
                _ => continue,
            };
            *slot = std::str::from_utf8(text.ok_or(DAMAGED)?).map_err(|_| DAMAGED)?;
        }
        Ok(found)
    }
}

/// Name, the value where it is text, and the bytes behind it.
type Header<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

fn header(bytes: &[u8]) -> Option<Header<'_>> {
    let (name_len, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*name_len))?;
    let (kind, rest) = rest.split_first()?;
    let fixed = match kind {
        // True, false.
        0 | 1 => 0,
        // Integers of 1, 2, 4 and 8 bytes; a time; a UUID.
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        9 => 16,
        // Bytes, text.
        6 | 7 => {
            let (len, rest) = rest.split_first_chunk::<2>()?;
            let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
            return Some((name, (*kind == 7).then_some(value), rest));
        }
        _ => return None,
    };
    let (_, rest) = rest.split_at_checked(fixed)?;
    Some((name, None, rest))
}
