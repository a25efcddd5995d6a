//! Writing events: no text can become a field, or an event, of its own.

use bytes::Bytes;

/// An event with this data. Line breaks in the data become `data:` lines of
/// their own, which readers join again; the name is never input.
#[must_use]
pub fn event(name: Option<&'static str>, data: &str) -> Bytes {
    let mut out = String::with_capacity(data.len() + 32);
    if let Some(name) = name {
        field(&mut out, "event: ", name);
    }
    field(&mut out, "data: ", data);
    out.push('\n');
    Bytes::from(out)
}

/// A comment, which every conforming reader ignores.
#[must_use]
pub fn comment(text: &str) -> Bytes {
    let mut out = String::with_capacity(text.len() + 4);
    field(&mut out, ": ", text);
    out.push('\n');
    Bytes::from(out)
}

fn field(out: &mut String, prefix: &str, mut value: &str) {
    loop {
        let end = value.find(['\r', '\n']);
        let (line, rest) = value.split_at(end.unwrap_or(value.len()));
        out.push_str(prefix);
        out.push_str(line);
        out.push('\n');
        if end.is_none() {
            return;
        }
        value = rest
            .strip_prefix("\r\n")
            .or_else(|| rest.get(1..))
            .unwrap_or_default();
    }
}
