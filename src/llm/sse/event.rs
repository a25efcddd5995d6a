//! The fields of one event.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// One event. `id` and `retry` are of no use on these wires and pass unread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event<'a> {
    /// The value of `event:`; empty when absent.
    pub name: &'a [u8],
    /// The values of all `data:` lines, joined by LF; borrowed when there is
    /// one line.
    pub data: Cow<'a, [u8]>,
}

impl<'a> Event<'a> {
    /// Reads the lines of a block. None when there is neither a name nor
    /// data.
    #[must_use]
    pub fn parse(block: &'a [u8]) -> Option<Self> {
        let mut event = Self::default();
        let mut has_data = false;
        let mut rest = block;
        while !rest.is_empty() {
            let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let (line, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            // A CR LF is a line end and an empty line here: empty lines have
            // no field.
            rest = tail.get(1..).unwrap_or_default();
            let (field, value) = split(line);
            match field {
                b"data" if !has_data => {
                    event.data = Cow::Borrowed(value);
                    has_data = true;
                }
                b"data" => {
                    let data = event.data.to_mut();
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                b"event" => event.name = value,
                _ => {}
            }
        }
        (has_data || !event.name.is_empty()).then_some(event)
    }
}

/// "Collect the characters … before the first U+003A COLON … If value starts
/// with a U+0020 SPACE character, remove it from value."
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let Some((field, value)) = memchr(b':', line).and_then(|colon| line.split_at_checked(colon))
    else {
        return (line, &[]);
    };
    let value = value.get(1..).unwrap_or_default();
    (field, value.strip_prefix(b" ").unwrap_or(value))
}

pub(super) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}
