//! Finds where events end in a byte stream that may be cut anywhere.

use memchr::memchr2;

use super::FrameKind;

const CR: u8 = b'\r';
const LF: u8 = b'\n';

/// The state between two bytes of the stream. Lines end with LF, CR LF or CR.
#[derive(Debug)]
pub(super) struct Framer {
    /// The next byte begins a line.
    at_line: bool,
    /// The block has a line that is not a comment.
    in_block: bool,
    /// The line is a comment outside of a block.
    in_comment: bool,
    /// The last byte was a CR: an LF now would belong to it.
    after_cr: bool,
}

impl Framer {
    pub(super) fn new() -> Self {
        Self {
            at_line: true,
            in_block: false,
            in_comment: false,
            after_cr: false,
        }
    }

    /// Reads on. The end of the next frame within `bytes`, if it is there;
    /// otherwise all bytes were read and belong to a frame that goes on.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Option<(FrameKind, usize)> {
        let mut at = 0;
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            if bytes.first() == Some(&LF) {
                at = 1;
                if !self.in_block {
                    return Some((FrameKind::LineFeed, at));
                }
            }
        }
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            if self.at_line {
                match rest.first()? {
                    &(CR | LF) => {
                        at = self.line_end(bytes, at);
                        let block = std::mem::take(&mut self.in_block);
                        let kind = if block {
                            FrameKind::Block
                        } else {
                            FrameKind::Filler
                        };
                        return Some((kind, at));
                    }
                    b':' if !self.in_block => self.in_comment = true,
                    _ => self.in_block = true,
                }
                self.at_line = false;
            }
            at += memchr2(CR, LF, rest)?;
            at = self.line_end(bytes, at);
            self.at_line = true;
            if std::mem::take(&mut self.in_comment) {
                return Some((FrameKind::Filler, at));
            }
        }
    }

    /// Just behind the line end that begins at `at`, as far as it is there.
    fn line_end(&mut self, bytes: &[u8], at: usize) -> usize {
        if bytes.get(at) == Some(&LF) {
            return at + 1;
        }
        match bytes.get(at + 1) {
            Some(&LF) => at + 2,
            Some(_) => at + 1,
            None => {
                self.after_cr = true;
                at + 1
            }
        }
    }
}
