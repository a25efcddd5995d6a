//! What the proxy may promise, given what its upstreams promise.

use std::fmt::Write as _;

use crate::json::Object;
use crate::task;
use crate::version::Era;

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

/// True when the capability of this name promises this.
#[must_use]
pub fn promises(capabilities: &str, name: &str, key: &str) -> bool {
    let capability = Object::parse(capabilities).and_then(|all| all.object(name));
    capability.is_some_and(|capability| capability.value(key) == Some("true"))
}

/// True when the capabilities of a server of this era hold tasks.
#[must_use]
pub fn has_tasks(capabilities: &str, era: Era) -> bool {
    let Some(all) = Object::parse(capabilities) else {
        return false;
    };
    match era {
        Era::Modern => {
            let extensions = all.object("extensions");
            extensions.is_some_and(|all| all.value(task::EXTENSION).is_some())
        }
        Era::Legacy => all.object("tasks").is_some(),
    }
}

/// The most bytes of a client's capabilities that its session id carries.
const MAX_CLIENT: usize = 1_024;

/// What a client says that it can do, as its session keeps it: word for word, or
/// the members of the specification where that is too long.
#[must_use]
pub fn of_client(declared: Option<&str>) -> String {
    let declared = declared.and_then(|text| Some((text, Object::parse(text)?)));
    let Some((text, object)) = declared else {
        return "{}".to_owned();
    };
    if text.len() <= MAX_CLIENT {
        return text.to_owned();
    }
    let mut out = String::from("{");
    for name in ["elicitation", "roots", "sampling", "tasks"] {
        let value = object.value(name).filter(|value| value.len() < 128);
        if let Some(value) = value {
            let comma = if out.len() > 1 { "," } else { "" };
            let _ = write!(out, "{comma}\"{name}\":{value}");
        }
    }
    out.push('}');
    out
}

/// What one upstream promises.
#[derive(Clone, Copy, Debug)]
pub struct Promise<'a> {
    /// Its capabilities, as JSON text.
    pub capabilities: &'a str,
    /// Changed lists can be told to the client.
    pub list_changed: bool,
    /// The client can follow resources.
    pub subscribe: bool,
    /// The client's tasks are its own.
    pub tasks: bool,
    /// Its log messages can be told from those of other clients.
    pub logging: bool,
    /// Both speak an era with extensions.
    pub extensions: bool,
    /// It speaks another era than the client: neither form of tasks can cross.
    pub bridged: bool,
}

/// The capabilities of the whole. `None` is an upstream that was not reached
/// yet: it may offer any list once it comes back, and a client reads the
/// capabilities only once.
///
/// A single upstream's are passed on as they are, less what cannot be carried
/// and less the tasks of 2025-11-25 where clients share a session: they would
/// see each other's. A list of tasks is never promised: whose they are only the
/// upstream could know. Of several upstreams only what can be routed by name.
#[must_use]
pub fn merge(upstreams: &[Option<Promise<'_>>]) -> String {
    if let [Some(only)] = upstreams {
        return only.kept();
    }
    let mut out = String::from("{");
    for name in SHARED {
        let promised = upstreams.iter().any(|promise| match promise {
            Some(promise) => {
                offers(promise.capabilities, name) && (*name != "logging" || promise.logging)
            }
            None => matches!(*name, "prompts" | "resources" | "tools"),
        });
        if promised {
            let comma = if out.len() > 1 { "," } else { "" };
            let streams = streams(upstreams, name);
            let _ = write!(out, "{comma}\"{name}\":{{{streams}}}");
        }
    }
    for member in [tasks(upstreams), extensions(upstreams)]
        .into_iter()
        .flatten()
    {
        let comma = if out.len() > 1 { "," } else { "" };
        let _ = write!(out, "{comma}{member}");
    }
    out.push('}');
    out
}

/// What any upstream can do with the tasks of 2025-11-25.
fn tasks(upstreams: &[Option<Promise<'_>>]) -> Option<String> {
    let known = upstreams.iter().flatten().filter(|it| it.tasks);
    let all: Vec<_> = known
        .filter_map(|it| Object::parse(it.capabilities)?.object("tasks"))
        .collect();
    let mut members = Vec::new();
    if all.iter().any(|tasks| tasks.value("cancel").is_some()) {
        members.push("\"cancel\":{}".to_owned());
    }
    let calls = |tasks: &Object<'_>| {
        let tools = tasks.object("requests")?.object("tools")?;
        tools.value("call").map(drop)
    };
    if all.iter().any(|tasks| calls(tasks).is_some()) {
        members.push("\"requests\":{\"tools\":{\"call\":{}}}".to_owned());
    }
    (!all.is_empty()).then(|| format!("\"tasks\":{{{}}}", members.join(",")))
}

/// The extensions that can be routed over several upstreams: tasks.
fn extensions(upstreams: &[Option<Promise<'_>>]) -> Option<String> {
    let mut known = upstreams.iter().flatten().filter(|it| it.extensions);
    let any = known.any(|it| has_tasks(it.capabilities, Era::Modern));
    any.then(|| format!("\"extensions\":{{\"{}\":{{}}}}", task::EXTENSION))
}

/// What any upstream streams of this capability.
fn streams(upstreams: &[Option<Promise<'_>>], name: &str) -> String {
    let promised = NEED_STREAM.iter().filter(|key| {
        upstreams.iter().any(|promise| match promise {
            Some(promise) => promise.promises(name, key),
            // It is told when it comes back.
            None => **key == "listChanged",
        })
    });
    let members: Vec<_> = promised.map(|key| format!("\"{key}\":true")).collect();
    members.join(",")
}

impl Promise<'_> {
    /// Changed tools are seen by the proxy itself.
    fn promises(&self, name: &str, key: &str) -> bool {
        let seen = (name, key) == ("tools", "listChanged") && offers(self.capabilities, name);
        self.carries(key) && (seen || promises(self.capabilities, name, key))
    }

    fn carries(&self, key: &str) -> bool {
        match key {
            "listChanged" => self.list_changed,
            "subscribe" => self.subscribe,
            _ => true,
        }
    }

    /// What is kept of it.
    fn kept(&self) -> String {
        let Some(object) = Object::parse(self.capabilities) else {
            return "{}".to_owned();
        };
        let mut edit = object.edit();
        if !self.logging {
            edit.remove("logging");
        }
        match object.object("tasks") {
            Some(tasks) if self.tasks => {
                let mut tasks = tasks.edit();
                tasks.remove("list");
                if !tasks.is_untouched() {
                    edit.set("tasks", tasks.finish());
                }
            }
            _ => {
                edit.remove("tasks");
            }
        }
        let extensions = object.object("extensions");
        if let Some(extensions) = extensions.filter(|_| self.bridged) {
            let mut others = extensions.edit();
            others.remove(task::EXTENSION);
            if !others.is_untouched() {
                edit.set("extensions", others.finish());
            }
        }
        for name in SHARED {
            if let Some(inner) = object.object(name) {
                let mut inner_edit = inner.edit();
                for key in NEED_STREAM.iter().filter(|key| !self.carries(key)) {
                    inner_edit.remove(key);
                }
                let told = self.promises(name, "listChanged");
                if told && inner.value("listChanged") != Some("true") {
                    inner_edit.set("listChanged", "true");
                }
                if !inner_edit.is_untouched() {
                    edit.set(name, inner_edit.finish());
                }
            }
        }
        edit.finish()
    }
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

    fn shared(capabilities: &str) -> Option<Promise<'_>> {
        Some(Promise {
            capabilities,
            list_changed: false,
            subscribe: false,
            tasks: false,
            logging: false,
            extensions: false,
            bridged: false,
        })
    }

    fn own(capabilities: &str) -> Option<Promise<'_>> {
        Some(Promise {
            capabilities,
            list_changed: true,
            subscribe: true,
            tasks: true,
            logging: true,
            extensions: true,
            bridged: false,
        })
    }

    #[test]
    fn what_a_client_can_do_is_kept_word_for_word_while_it_is_short() {
        let text = r#"{ "sampling": {"x":1}, "y": [] }"#;
        assert_eq!(of_client(Some(text)), text);
        assert_eq!(of_client(Some("7")), "{}");
        let long = format!(r#"{{"x":"{}","roots":{{}}}}"#, "y".repeat(2_000));
        assert_eq!(of_client(Some(&long)), r#"{"roots":{}}"#);
    }

    #[test]
    fn a_single_upstream_keeps_what_we_do_not_know() {
        let text = r#"{"tools":{"listChanged":true,"x":1},"extensions":{"e":{}},"tasks":{"list":{}},"resources":{"subscribe":true}}"#;
        assert_eq!(
            merge(&[shared(text)]),
            r#"{"tools":{"x":1},"extensions":{"e":{}},"resources":{}}"#
        );
        let kept = text.replace(r#""tasks":{"list":{}}"#, r#""tasks":{}"#);
        assert_eq!(merge(&[own(text)]), kept);
    }

    #[test]
    fn several_upstreams_promise_what_any_of_them_does_and_can_be_routed() {
        let (a, b) = (
            r#"{"tools":{},"tasks":{}}"#,
            r#"{"prompts":{},"logging":{}}"#,
        );
        assert_eq!(
            merge(&[shared(a), shared(b)]),
            r#"{"prompts":{},"tools":{}}"#
        );
        assert_eq!(
            merge(&[shared(a), own(b)]),
            r#"{"logging":{},"prompts":{},"tools":{}}"#
        );
        assert_eq!(merge(&[shared(b)]), r#"{"prompts":{}}"#);
        assert_eq!(merge(&[own(b)]), b);
        let own = own(r#"{"resources":{"subscribe":true,"listChanged":false}}"#);
        assert_eq!(
            merge(&[shared(a), own]),
            r#"{"resources":{"subscribe":true},"tools":{}}"#
        );
    }

    #[test]
    fn changed_tools_are_promised_whoever_sees_them() {
        let promised = r#"{"tools":{"listChanged":true}}"#;
        assert_eq!(merge(&[own(r#"{"tools":{}}"#)]), promised);
        assert_eq!(
            merge(&[own(r#"{"tools":{"listChanged":false}}"#)]),
            promised
        );
        assert_eq!(merge(&[own(r#"{"tools":{}}"#), own("{}")]), promised);
        assert_eq!(merge(&[own(r#"{"prompts":{}}"#)]), r#"{"prompts":{}}"#);
    }

    #[test]
    fn tasks_of_several_upstreams_are_what_any_can_do_for_this_client() {
        let list = r#"{"tasks":{"list":{},"requests":{"tools":{"call":{}}}}}"#;
        let cancel = r#"{"tasks":{"cancel":{},"x":{}}}"#;
        assert_eq!(
            merge(&[own(list), own(cancel), shared(cancel)]),
            r#"{"tasks":{"cancel":{},"requests":{"tools":{"call":{}}}}}"#
        );
        assert_eq!(merge(&[shared(list), shared(cancel)]), "{}");
        let modern = r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"com.example/x":{}}}"#;
        assert_eq!(
            merge(&[own(modern), own("{}")]),
            r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#
        );
        assert_eq!(merge(&[shared(modern), own("{}")]), "{}");
        let bridged = shared(modern).map(|it| Promise {
            bridged: true,
            ..it
        });
        assert_eq!(merge(&[own(modern)]), modern);
        assert_eq!(
            merge(&[bridged]),
            r#"{"extensions":{"com.example/x":{}}}"#,
            "only the tasks of an era are of no use in the other"
        );
    }

    #[test]
    fn an_upstream_that_is_down_may_come_back_with_any_list() {
        let text = merge(&[None]);
        assert_eq!(
            text,
            r#"{"prompts":{"listChanged":true},"resources":{"listChanged":true},"tools":{"listChanged":true}}"#
        );
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
