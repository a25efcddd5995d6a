//! The name of the model in answers that pass as they are.
//!
//! Clients ask for a served model, and its upstream may know it by another name,
//! or answer with the date of a version. What they read is what they may ask for
//! again. Only the name is exchanged; the other bytes stay as they came.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use crate::codec::{self, ModelMember};
use crate::sse::{self, Event};
use crate::{Dialect, skim};

/// Exchanges the name of the model.
///
/// ```
/// use agentkube_llm::{Dialect, Served, ServedName};
/// use bytes::Bytes;
///
/// let served = Served::new(Dialect::OpenAiChat, &ServedName::new("fast"));
/// let answer = Bytes::from_static(br#"{"id":"a","model":"qwen3:8b","choices":[]}"#);
/// assert_eq!(served.answer(answer), br#"{"id":"a","model":"fast","choices":[]}"#[..]);
/// ```
#[derive(Clone, Debug)]
pub struct Served {
    name: ServedName,
    member: Option<ModelMember>,
}

/// A served model, as JSON writes it. Clones are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedName(Bytes);

impl ServedName {
    /// Of the model that is served under this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(serde_json::Value::from(name).to_string().into())
    }
}

impl Served {
    /// For answers in this dialect, of a model that is served under this name.
    #[must_use]
    pub fn new(dialect: Dialect, name: &ServedName) -> Self {
        Self {
            name: name.clone(),
            member: codec::provider(dialect).model_member(),
        }
    }

    /// An answer in one piece, or the beginning of one.
    #[must_use]
    pub fn answer(&self, body: Bytes) -> Bytes {
        let found = self.member.and_then(|member| {
            let found = skim::find(&body, member.key.as_bytes())?;
            self.differs(&body, found)
        });
        match found {
            Some(found) => self.splice(&body, found),
            None => body,
        }
    }

    /// An answer in one piece whose model is named there.
    #[must_use]
    pub fn answer_at(&self, body: Bytes, named: Range<usize>) -> Bytes {
        let found = self.member.and_then(|_| self.differs(&body, named));
        match found {
            Some(found) => self.splice(&body, found),
            None => body,
        }
    }

    /// A line of a stream, one event.
    pub(crate) fn line(&self, line: Bytes) -> Bytes {
        match self.in_event(&line) {
            Some(found) => self.splice(&line, found),
            None => line,
        }
    }

    /// The bytes of a server-sent event, if they must be others.
    pub(crate) fn block(&self, block: &[u8], event: &Event<'_>) -> Option<Bytes> {
        let found = self.in_event(&event.data)?;
        let start = memmem::find(block, &event.data);
        let Some(start) = start else {
            // Several lines: they become one.
            let data = self.splice(&event.data, found);
            let name = std::str::from_utf8(event.name).unwrap_or_default();
            let data = String::from_utf8_lossy(&data).replace(['\r', '\n'], " ");
            return Some(match name {
                "" => sse::event(None, &data),
                name => [
                    format!("event: {name}\n").as_bytes(),
                    &sse::event(None, &data),
                ]
                .concat()
                .into(),
            });
        };
        Some(self.splice(block, start + found.start..start + found.end))
    }

    fn in_event(&self, data: &[u8]) -> Option<Range<usize>> {
        let member = self.member?;
        // Most events of most dialects name no model.
        memmem::find(data, member.key.as_bytes())?;
        let Some(within) = member.within else {
            let found = skim::find(data, member.key.as_bytes())?;
            return self.differs(data, found);
        };
        let outer = skim::find(data, within.as_bytes())?;
        let found = skim::find(data.get(outer.clone())?, member.key.as_bytes())?;
        self.differs(data, outer.start + found.start..outer.start + found.end)
    }

    /// A name that is another one. What is no name is left alone.
    fn differs(&self, json: &[u8], found: Range<usize>) -> Option<Range<usize>> {
        let value = json.get(found.clone())?;
        (value.starts_with(b"\"") && value != self.name.0).then_some(found)
    }

    fn splice(&self, json: &[u8], at: Range<usize>) -> Bytes {
        let mut spliced = BytesMut::with_capacity(json.len() + self.name.0.len());
        spliced.extend_from_slice(json.get(..at.start).unwrap_or_default());
        spliced.extend_from_slice(&self.name.0);
        spliced.extend_from_slice(json.get(at.end..).unwrap_or_default());
        spliced.freeze()
    }
}

#[cfg(test)]
mod tests;
