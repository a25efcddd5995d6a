//! Lines with a bound, from a program that may write anything.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its end.
    Text(Vec<u8>),
    /// More bytes than a line may have; they were skipped.
    TooLong,
    /// There is no more.
    End,
}

/// The next line. Not to be given up half-way.
pub(super) async fn next(
    reader: &mut (impl AsyncBufRead + Unpin),
    limit: usize,
) -> io::Result<Line> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let bytes = reader.fill_buf().await?;
        if bytes.is_empty() {
            let nothing = line.is_empty() && !too_long;
            return Ok(if nothing {
                Line::End
            } else {
                done(line, too_long)
            });
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let piece = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        too_long |= line.len() + piece.len() > limit;
        if too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(piece);
        }
        let taken = piece.len() + usize::from(end.is_some());
        reader.consume(taken);
        if end.is_some() {
            return Ok(done(line, too_long));
        }
    }
}

fn done(mut line: Vec<u8>, too_long: bool) -> Line {
    if too_long {
        return Line::TooLong;
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Line::Text(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_whole_and_long_ones_are_skipped_without_being_kept() {
        let text = b"one\r\n\nlonger than ten bytes\nlast".to_vec();
        for buffer in [1, 3, 64] {
            let mut reader = tokio::io::BufReader::with_capacity(buffer, text.as_slice());
            let mut lines = Vec::new();
            loop {
                match next(&mut reader, 10).await.unwrap() {
                    Line::End => break,
                    line => lines.push(line),
                }
            }
            let text = |text: &str| Line::Text(text.as_bytes().to_vec());
            assert_eq!(lines, [text("one"), text(""), Line::TooLong, text("last")]);
        }
    }
}
