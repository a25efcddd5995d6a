//! Text that somebody else chose, as it is put into a log line or a status: on one line,
//! of bounded length, and with nothing that a terminal obeys.

use std::borrow::Cow;

/// Characters of a text, where nothing else bounds it.
pub(crate) const MOST: usize = 256;

/// True for what moves a cursor, turns a line around or cannot be seen.
fn is_odd(c: char) -> bool {
    let unseen = matches!(
        c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    c.is_control() || unseen
}

/// This text with such characters escaped, and without what comes after so many.
pub(crate) fn shown(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most && !text.chars().any(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == most {
            shown.push('…');
            break;
        }
        match is_odd(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_chose_stays_on_its_line_and_ends() {
        for (text, is) in [
            ("plain \"text\" é", "plain \"text\" é"),
            ("a\nb\r\u{1b}[2J\u{7}", r"a\nb\r\u{1b}[2J\u{7}"),
            (
                "\u{202e}txt\u{200b}\u{2028}",
                r"\u{202e}txt\u{200b}\u{2028}",
            ),
            ("0123456789012345678901234", "01234567890123456789…"),
            ("ééééééééééééééééééééé", "éééééééééééééééééééé…"),
        ] {
            assert_eq!(shown(text, 20), is, "{text:?}");
        }
    }
}
