//! Names and ids that a wire cannot carry as they are: made to fit, the same way
//! every time, so that a call and its result still meet.

use std::borrow::Cow;

/// What a wire allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// At most so many bytes.
    pub(crate) bytes: usize,
}

/// The text itself where it consists of `[A-Za-z0-9_-]` and is not too long;
/// otherwise what fits of it, and a digest of all of it.
pub(crate) fn fit(text: &str, limits: Limits) -> Cow<'_, str> {
    const DIGEST: usize = 17;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !text.is_empty() && text.len() <= limits.bytes && text.bytes().all(legal) {
        return Cow::Borrowed(text);
    }
    let mut fitted: String = text
        .bytes()
        .take(limits.bytes.saturating_sub(DIGEST))
        .map(|byte| if legal(byte) { char::from(byte) } else { '_' })
        .collect();
    fitted.push_str(&format!("_{:016x}", digest(text)));
    Cow::Owned(fitted)
}

/// FNV-1a: stable over versions and machines. Not for secrets.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The names of tools that had to be changed for the provider: the client gets its
/// own back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ToolNames(Vec<(String, String)>);

impl ToolNames {
    /// The name for the provider.
    pub(crate) fn fit<'a>(&mut self, name: &'a str, limits: Limits) -> Cow<'a, str> {
        let fitted = fit(name, limits);
        if let Cow::Owned(fitted) = &fitted
            && !self.0.iter().any(|(known, _)| known == fitted)
        {
            self.0.push((fitted.clone(), name.to_owned()));
        }
        fitted
    }

    /// The client's name of it.
    pub(crate) fn restore(&self, name: &mut String) {
        if let Some((_, original)) = self.0.iter().find(|(fitted, _)| fitted == name) {
            name.clone_from(original);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bytes: 40 };

    #[test]
    fn what_fits_stays() {
        assert_eq!(fit("call_9pw1-x", LIMITS), "call_9pw1-x");
    }

    #[test]
    fn what_does_not_fit_stays_apart_from_its_neighbours() {
        let kimi = fit("functions.get_weather:0", LIMITS);
        assert!(kimi.starts_with("functions_get_weather_0_") && kimi.len() <= 40);
        assert_ne!(kimi, fit("functions.get_weather_0", LIMITS));
        let (a, b) = ("x".repeat(100), "x".repeat(101));
        assert_ne!(fit(&a, LIMITS), fit(&b, LIMITS));
        assert_eq!(fit(&a, LIMITS).len(), 40);
        assert_eq!(fit(&a, LIMITS), fit(&a, LIMITS));
        assert!(!fit("", LIMITS).is_empty());
    }

    #[test]
    fn a_long_tool_name_comes_back_as_the_client_wrote_it() {
        let long = format!("mcp__server__{}", "very_long".repeat(10));
        let mut names = ToolNames::default();
        let mut told = names.fit(&long, LIMITS).into_owned();
        names.restore(&mut told);
        assert_eq!(told, long);
        let mut other = String::from("other");
        names.restore(&mut other);
        assert_eq!(other, "other");
    }
}
