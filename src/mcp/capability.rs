//! What the proxy may promise, given what its upstreams promise.

use std::fmt::Write as _;

use crate::json::Object;

/// The capabilities that are kept apart by name, so that several upstreams can
/// share them.
const SHARED: &[&str] = &["completions", "logging", "prompts", "resources", "tools"];

/// Promises inside a capability that need a stream of changes.
const NEED_STREAM: &[&str] = &["listChanged", "subscribe"];

/// True when the capabilities hold this one.
#[must_use]
pub fn offers(capabilities: &str, name: &str) -> bool {
    Object::parse(capabilities).is_some_and(|object| object.value(name).is_some())
}

/// The capabilities of the whole. `None` is an upstream that was not reached
/// yet: it may offer any list once it comes back, and a client reads the
/// capabilities only once.
///
/// A single upstream's are passed on as they are, less what needs a stream of
/// changes and less the tasks of 2025-11-25, which belong to a session: clients
/// that share one would see each other's. Of several only the ones whose requests can be routed by name.
#[must_use]
pub fn merge(upstreams: &[Option<&str>]) -> String {
    if let [Some(only)] = upstreams {
        return without_streams(only);
    }
    let mut out = String::from("{");
    for name in SHARED {
        let promised = upstreams.iter().any(|capabilities| match capabilities {
            Some(text) => offers(text, name),
            None => matches!(*name, "prompts" | "resources" | "tools"),
        });
        if promised {
            let comma = if out.len() > 1 { "," } else { "" };
            let _ = write!(out, "{comma}\"{name}\":{{}}");
        }
    }
    out.push('}');
    out
}

fn without_streams(capabilities: &str) -> String {
    let Some(object) = Object::parse(capabilities) else {
        return "{}".to_owned();
    };
    let mut edit = object.edit();
    edit.remove("tasks");
    for name in SHARED {
        if let Some(inner) = object.object(name) {
            let mut inner_edit = inner.edit();
            for key in NEED_STREAM {
                inner_edit.remove(key);
            }
            if !inner_edit.is_untouched() {
                edit.set(name, inner_edit.finish());
            }
        }
    }
    edit.finish()
}

/// The instructions of the whole: one upstream's as they are, several under
/// the upstream's name each.
#[must_use]
pub fn merge_instructions(upstreams: &[(&str, Option<&str>)]) -> Option<String> {
    if let [(_, only)] = upstreams {
        return only.map(str::to_owned);
    }
    let mut out = String::new();
    for (name, text) in upstreams {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            let gap = if out.is_empty() { "" } else { "\n\n" };
            let _ = write!(out, "{gap}# {name}\n\n{text}");
        }
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_upstream_keeps_what_we_do_not_know() {
        let text = r#"{"tools":{"listChanged":true,"x":1},"extensions":{"e":{}},"tasks":{"list":{}},"resources":{"subscribe":true}}"#;
        assert_eq!(
            merge(&[Some(text)]),
            r#"{"tools":{"x":1},"extensions":{"e":{}},"resources":{}}"#
        );
    }

    #[test]
    fn several_upstreams_promise_what_any_of_them_does_and_can_be_routed() {
        let (a, b) = (
            r#"{"tools":{},"tasks":{}}"#,
            r#"{"prompts":{},"logging":{}}"#,
        );
        assert_eq!(
            merge(&[Some(a), Some(b)]),
            r#"{"logging":{},"prompts":{},"tools":{}}"#
        );
    }

    #[test]
    fn an_upstream_that_is_down_may_come_back_with_any_list() {
        let text = merge(&[None]);
        assert_eq!(text, r#"{"prompts":{},"resources":{},"tools":{}}"#);
    }

    #[test]
    fn instructions_of_several_upstreams_say_whose_they_are() {
        assert_eq!(
            merge_instructions(&[("a", Some("x"))]).as_deref(),
            Some("x")
        );
        let both = merge_instructions(&[("a", Some("x")), ("b", None), ("c", Some("y"))]);
        assert_eq!(both.as_deref(), Some("# a\n\nx\n\n# c\n\ny"));
    }
}
