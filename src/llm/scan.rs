//! The members of a JSON object, whose every value is checked to be JSON.
//!
//! As strict as serde_json, and faster with long texts, which are most of what
//! clients send. It says yes or nothing: what it does not like, or what is nested
//! deeper than anybody nests, is the other parser's to accept or to explain.

use memchr::memchr2;

/// Deepest nesting that is followed.
const DEPTH: u32 = 64;

/// Calls `take` with the key of each member, as it is written between its quotes,
/// and with its value, until it returns none. Then, and when the text is not one
/// object and nothing else, there is no result.
pub(crate) fn members<'a>(
    json: &'a [u8],
    mut take: impl FnMut(&'a [u8], &'a [u8]) -> Option<()>,
) -> Option<()> {
    let mut scan = Scan { json, at: 0 };
    scan.expect(b'{')?;
    scan.space();
    if scan.peek()? == b'}' {
        scan.at += 1;
        return scan.end();
    }
    loop {
        let key = scan.key()?;
        scan.space();
        let start = scan.at;
        scan.value()?;
        take(key, json.get(start..scan.at)?)?;
        scan.space();
        match scan.next()? {
            b',' => {}
            b'}' => return scan.end(),
            _ => return None,
        }
    }
}

struct Scan<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.space();
        (self.next()? == byte).then_some(())
    }

    fn end(&mut self) -> Option<()> {
        self.space();
        self.peek().is_none().then_some(())
    }

    /// A key, up to behind its colon.
    fn key(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.at;
        self.string()?;
        let key = self.json.get(start..self.at - 1)?;
        self.expect(b':')?;
        Some(key)
    }

    /// Behind the closing quote of a string whose opening one was read.
    fn string(&mut self) -> Option<()> {
        loop {
            let rest = self.json.get(self.at..)?;
            let found = quote_or_backslash(rest)?;
            let (text, behind) = rest.split_at_checked(found)?;
            if has_control(text) {
                return None;
            }
            self.at += found + 1;
            if behind.first() == Some(&b'"') {
                return Some(());
            }
            self.escaped()?;
        }
    }

    fn escaped(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.json.get(self.at..self.at + 4)?;
                self.at += 4;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())
            }
            _ => None,
        }
    }

    /// Behind a value of any kind.
    fn value(&mut self) -> Option<()> {
        // The brackets that are open, the innermost one last: 1 for an object.
        let (mut open, mut depth) = (0_u64, 0_u32);
        loop {
            self.space();
            let first = self.next()?;
            match first {
                b'{' | b'[' => {
                    self.space();
                    // In ASCII the closing brackets are two behind the opening ones.
                    if self.peek()? == first + 2 {
                        self.at += 1;
                    } else if depth == DEPTH {
                        return None;
                    } else {
                        open = open << 1 | u64::from(first == b'{');
                        depth += 1;
                        if first == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                _ => self.scalar(first)?,
            }
            loop {
                if depth == 0 {
                    return Some(());
                }
                self.space();
                match (self.next()?, open & 1) {
                    (b',', 1) => {
                        self.key()?;
                        break;
                    }
                    (b',', _) => break,
                    (b'}', 1) | (b']', 0) => {
                        open >>= 1;
                        depth -= 1;
                    }
                    _ => return None,
                }
            }
        }
    }

    fn scalar(&mut self, first: u8) -> Option<()> {
        match first {
            b'"' => self.string(),
            b't' => self.word(b"rue"),
            b'f' => self.word(b"alse"),
            b'n' => self.word(b"ull"),
            b'-' => {
                let first = self.next()?;
                self.number(first)
            }
            _ => self.number(first),
        }
    }

    fn word(&mut self, rest: &[u8]) -> Option<()> {
        let found = self.json.get(self.at..)?.starts_with(rest);
        self.at += rest.len();
        found.then_some(())
    }

    /// RFC 8259, 6.
    fn number(&mut self, first: u8) -> Option<()> {
        match first {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return None,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Some(())
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Option<()> {
        let start = self.at;
        self.digits();
        (self.at > start).then_some(())
    }
}

/// Where the next one is. Most strings are keys and single words, which end before a
/// search in strides has begun.
pub(crate) fn quote_or_backslash(text: &[u8]) -> Option<usize> {
    const NEAR: usize = 16;
    let (near, far) = text.split_at(text.len().min(NEAR));
    let found = near.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    found.or_else(|| Some(NEAR + memchr2(b'"', b'\\', far)?))
}

/// Whether there is a byte that must be escaped, looked for in many at once.
fn has_control(text: &[u8]) -> bool {
    let (blocks, rest) = text.as_chunks::<32>();
    let control = |found: bool, byte: &u8| found | (*byte < 0x20);
    blocks.iter().any(|block| block.iter().fold(false, control)) || rest.iter().fold(false, control)
}

#[cfg(test)]
mod tests;
