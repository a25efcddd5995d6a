//! Surgery on JSON text: find members, replace or drop them, leave every other
//! byte as it was.
//!
//! All functions expect text that [`check`] has let through; on other text they
//! return `None` or nonsense, but never panic.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;

mod redact;

pub use self::redact::redact;

/// Why text is not acceptable JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// A syntax error; the text says where.
    #[error("not valid JSON: {0}")]
    Syntax(String),
    /// Nested deeper than the bound.
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
}

/// Checks that the text is one JSON value, nested at most `max_depth` deep.
///
/// # Errors
/// [`JsonError`] says which of the two fails.
pub fn check(text: &str, max_depth: usize) -> Result<(), JsonError> {
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| {
        // serde_json names only the place and the kind of token, never the text.
        JsonError::Syntax(error.to_string())
    })?;
    // With so few brackets there is no need to look where they are.
    let brackets = memchr::memchr2_iter(b'{', b'[', text.as_bytes());
    if brackets.take(max_depth + 1).count() > max_depth && depth(text) > max_depth {
        Err(JsonError::TooDeep(max_depth))
    } else {
        Ok(())
    }
}

fn depth(text: &str) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    let mut cursor = Cursor::new(text);
    while let Some(byte) = cursor.peek() {
        match byte {
            b'"' => {
                if cursor.string().is_none() {
                    break;
                }
                continue;
            }
            b'{' | b'[' => now += 1,
            b'}' | b']' => now = now.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(now);
        cursor.at += 1;
    }
    deepest
}

/// A JSON string literal decoded; `None` when the text is no string.
#[must_use]
pub fn string(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(text).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// A text as a JSON string literal.
#[must_use]
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The items of a JSON array; `None` when the text is no array.
#[must_use]
pub fn array(text: &str) -> Option<Vec<&str>> {
    let mut cursor = Cursor::new(text);
    cursor.space();
    cursor.eat(b'[')?;
    let mut items = Vec::new();
    cursor.space();
    if cursor.eat(b']').is_some() {
        return Some(items);
    }
    loop {
        cursor.space();
        items.push(text.get(cursor.value()?)?);
        cursor.space();
        if cursor.eat(b',').is_none() {
            cursor.eat(b']')?;
            return Some(items);
        }
    }
}

/// Two members of one object that a reader could take for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("member \"{0}\" appears twice, or in another spelling")]
pub struct Ambiguous(pub &'static str);

/// An object, seen as its text and the places of its members.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    text: &'a str,
    members: Vec<Member<'a>>,
}

#[derive(Clone, Debug)]
struct Member<'a> {
    key: Cow<'a, str>,
    start: usize,
    value: Range<usize>,
}

impl<'a> Object<'a> {
    /// The members of an object; `None` when the text is no object.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        cursor.space();
        cursor.eat(b'{')?;
        let mut members = Vec::new();
        cursor.space();
        if cursor.eat(b'}').is_some() {
            return Some(Self { text, members });
        }
        loop {
            cursor.space();
            let name = cursor.string()?;
            let literal = text.get(name.clone())?;
            // A key that is no text (a lone surrogate) is kept and equals nothing.
            let key = string(literal).unwrap_or(Cow::Borrowed(literal));
            cursor.space();
            cursor.eat(b':')?;
            cursor.space();
            let value = cursor.value()?;
            members.push(Member {
                key,
                start: name.start,
                value,
            });
            cursor.space();
            if cursor.eat(b',').is_none() {
                cursor.eat(b'}')?;
                return Some(Self { text, members });
            }
        }
    }

    /// The text of the member's value.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&'a str> {
        let member = self.members.iter().find(|member| member.key == key)?;
        self.text.get(member.value.clone())
    }

    /// The member's value, when it is a string.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.value(key).and_then(string)
    }

    /// The member's value, when it is an object.
    #[must_use]
    pub fn object(&self, key: &str) -> Option<Object<'a>> {
        self.value(key).and_then(Object::parse)
    }

    /// The keys and the texts of the values, in order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.members
            .iter()
            .filter_map(|member| Some((&*member.key, self.text.get(member.value.clone())?)))
    }

    /// True when it has no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Refuses an object in which one of the keys appears twice or in another
    /// letter case.
    ///
    /// What is checked here and acted on there must be the same member. Readers
    /// differ in which of two equal keys they take, and Go's `encoding/json`
    /// also takes `Name` (or `ſ` for `s`, `K` for `k`) for `name`.
    ///
    /// # Errors
    /// [`Ambiguous`] names the key.
    pub fn distinct(&self, keys: &[&'static str]) -> Result<(), Ambiguous> {
        for key in keys {
            let mut alike = self
                .members
                .iter()
                .filter(|member| folds_to(&member.key, key));
            if alike.next().is_some_and(|member| member.key != *key) || alike.next().is_some() {
                return Err(Ambiguous(key));
            }
        }
        Ok(())
    }

    /// Begins a change of this object.
    #[must_use]
    pub fn edit(&self) -> Edit<'_, 'a> {
        Edit {
            object: self,
            replaced: Vec::new(),
            appended: Vec::new(),
        }
    }
}

fn folds_to(key: &str, folded: &str) -> bool {
    if key.is_ascii() {
        return key.eq_ignore_ascii_case(folded);
    }
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(folded.chars().map(fold))
}

/// A change of an object: everything that is not named stays byte for byte.
#[derive(Debug)]
pub struct Edit<'o, 'a> {
    object: &'o Object<'a>,
    replaced: Vec<(usize, Option<String>)>,
    appended: Vec<(String, String)>,
}

impl Edit<'_, '_> {
    /// Gives the member this value (JSON text); appends the member when absent.
    pub fn set(&mut self, key: &str, value: impl Into<String>) -> &mut Self {
        match self
            .object
            .members
            .iter()
            .position(|member| member.key == key)
        {
            Some(index) => self.replaced.push((index, Some(value.into()))),
            None => self.appended.push((key.to_owned(), value.into())),
        }
        self
    }

    /// Gives the member this value unless it is there already.
    pub fn set_if_absent(&mut self, key: &str, value: impl Into<String>) -> &mut Self {
        if self.object.value(key).is_none() {
            self.set(key, value);
        }
        self
    }

    /// Drops every member of that name.
    pub fn remove(&mut self, key: &str) -> &mut Self {
        for (index, member) in self.object.members.iter().enumerate() {
            if member.key == key {
                self.replaced.push((index, None));
            }
        }
        self
    }

    /// True when nothing was changed.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.replaced.is_empty() && self.appended.is_empty()
    }

    /// The text of the changed object.
    #[must_use]
    pub fn finish(&self) -> String {
        let text = self.object.text;
        let members = &self.object.members;
        let mut out = String::with_capacity(text.len() + 64);
        let close = || text.rfind('}').unwrap_or(text.len());
        let open = members.first().map_or_else(close, |first| first.start);
        out.push_str(text.get(..open).unwrap_or_default());
        let (mut end, mut first) = (open, true);
        for (index, member) in members.iter().enumerate() {
            let gap = end..member.start;
            end = member.value.end;
            let change = self.replaced.iter().rev().find(|(at, _)| *at == index);
            if matches!(change, Some((_, None))) {
                continue;
            }
            if !first {
                out.push_str(text.get(gap).unwrap_or_default());
            }
            first = false;
            match change {
                Some((_, Some(value))) => {
                    out.push_str(
                        text.get(member.start..member.value.start)
                            .unwrap_or_default(),
                    );
                    out.push_str(value);
                }
                _ => out.push_str(text.get(member.start..end).unwrap_or_default()),
            }
        }
        for (key, value) in &self.appended {
            if !first {
                out.push(',');
            }
            first = false;
            out.push_str(&quote(key));
            out.push(':');
            out.push_str(value);
        }
        out.push_str(text.get(end..).unwrap_or_default());
        out
    }
}

/// A place in text that is known to be JSON.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.eat(b'"')?;
        loop {
            self.at += memchr::memchr2(b'"', b'\\', self.rest())?;
            if self.eat(b'"').is_some() {
                return Some(start..self.at);
            }
            self.at += 2; // the backslash and what it escapes
        }
    }

    fn value(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        match self.peek()? {
            b'"' => return self.string(),
            b'{' | b'[' => self.nested()?,
            _ => {
                while !matches!(
                    self.peek(),
                    None | Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')
                ) {
                    self.at += 1;
                }
            }
        }
        (self.at > start).then_some(start..self.at)
    }

    fn nested(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
