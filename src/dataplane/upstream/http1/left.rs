//! What is to come of an answer's body (RFC 9112, 6.3).

use bytes::{Bytes, BytesMut};

use super::Error;
use super::chunked::Chunked;

/// How the rest of a body is framed.
#[derive(Debug)]
pub(super) enum Left {
    /// Pieces that say how long they are.
    Chunked(Chunked),
    /// So many bytes.
    Length(u64),
    /// No body, or all of it was taken.
    Nothing,
    /// Whatever comes until the peer closes the connection. That it was cut there cannot
    /// be seen, except where TLS tells.
    UntilClose,
}

impl Left {
    /// What has come of it. None: more has to be read, unless it is at its end.
    pub(super) fn take(&mut self, buf: &mut BytesMut) -> Result<Option<Bytes>, Error> {
        match self {
            Self::Chunked(chunked) => chunked.take(buf),
            Self::Length(left) => {
                let here = usize::try_from(*left).map_or(buf.len(), |left| left.min(buf.len()));
                *left -= here as u64;
                Ok((here > 0).then(|| buf.split_to(here).freeze()))
            }
            Self::Nothing => Ok(None),
            Self::UntilClose => Ok((!buf.is_empty()).then(|| buf.split().freeze())),
        }
    }

    /// All of it, if it has come and is in one piece.
    pub(super) fn take_whole(&mut self, buf: &mut BytesMut) -> Option<Bytes> {
        match *self {
            Self::Length(left) if left <= buf.len() as u64 => self.take(buf).ok().flatten(),
            _ => None,
        }
    }

    /// Reads what frames the next piece, so that an end that has come is seen.
    pub(super) fn look_ahead(&mut self, buf: &mut BytesMut) {
        if let Self::Chunked(chunked) = self {
            chunked.look_ahead(buf);
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        match self {
            Self::Chunked(chunked) => chunked.is_at_end(),
            Self::Length(left) => *left == 0,
            Self::Nothing => true,
            Self::UntilClose => false,
        }
    }

    /// How many bytes are to come, where that is known.
    pub(super) fn exact(&self) -> Option<u64> {
        match self {
            Self::Chunked(_) | Self::UntilClose => None,
            Self::Length(left) => Some(*left),
            Self::Nothing => Some(0),
        }
    }
}
