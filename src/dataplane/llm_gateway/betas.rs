//! `anthropic-beta`: features that a client switches on by name.
//!
//! Claude Code sends the names that Anthropic knows. Clouds know fewer, and answer a
//! request that has one more with a 400, which its sender cannot mend.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

static BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// The names that a provider knows, and what it calls them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Betas(pub(super) BTreeMap<String, String>);

impl Betas {
    /// Leaves those names in the headers that are known.
    pub(super) fn pass(&self, headers: &mut HeaderMap) {
        let values = headers.get_all(&BETA).iter();
        let names = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(','));
        let mut known: Vec<&str> = Vec::new();
        for name in names.filter_map(|name| self.0.get(name.trim())) {
            if !known.contains(&name.as_str()) {
                known.push(name);
            }
        }
        let value = HeaderValue::from_str(&known.join(",")).ok();
        match value.filter(|value| !value.is_empty()) {
            Some(value) => {
                headers.insert(&BETA, value);
            }
            None => {
                headers.remove(&BETA);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(known: &[(&str, &str)], values: &[&'static str]) -> Option<String> {
        let known = known.iter().map(|(a, b)| ((*a).into(), (*b).into()));
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&BETA, HeaderValue::from_static(value));
        }
        Betas(known.collect()).pass(&mut headers);
        assert!(headers.get_all(&BETA).iter().count() <= 1);
        Some(headers.get(&BETA)?.to_str().unwrap().to_owned())
    }

    #[test]
    fn known_names_pass_by_the_providers_own_and_others_do_not() {
        let known = [("a", "a"), ("b", "bb")];
        let found = passed(&known, &["a, x,b", "y,b"]);
        assert_eq!(found.as_deref(), Some("a,bb"));
        assert_eq!(passed(&known, &["x"]), None);
        let twice = passed(&[("a", "c"), ("b", "d"), ("x", "c")], &["a,b,x"]);
        assert_eq!(twice.as_deref(), Some("c,d"));
        assert_eq!(passed(&known, &[]), None);
        assert_eq!(passed(&[], &["a"]), None);
    }
}
