//! Tasks: where their ids stand in messages, so that they can be told apart by the
//! upstreams that gave them.
//!
//! There are two forms that have little in common: that of 2025-11-25 ("Tasks"), where
//! a client asks for a task and the task is a member of the answer, and the extension
//! of 2026-07-28 (SEP-2663), where the server decides and the answer is the task.

use crate::json::{self, Object};

/// The extension of 2026-07-28, in capabilities.
pub const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// What says in `_meta` that a message belongs to a task of 2025-11-25.
const RELATED: &str = "io.modelcontextprotocol/related-task";

/// The member that holds the id of a task.
pub const ID: &str = "taskId";

/// True when the text may hold an id of a task.
#[must_use]
pub fn are_mentioned(text: &str) -> bool {
    memchr::memmem::find(text.as_bytes(), b"taskId").is_some()
}

/// A result with other ids for its tasks; `None` when it has none, or `name` has none
/// for them.
#[must_use]
pub fn in_result(result: &str, name: impl Fn(&str) -> Option<String>) -> Option<String> {
    let object = Object::parse(result)?;
    let mut edit = object.edit();
    // The answer to a call of a tool may have anything beside its content.
    if object.value("content").is_none() {
        if is_task(&object) {
            rename(&mut edit, &object, &name);
        }
        if let Some(task) = object.object("task").filter(is_task) {
            let mut inner = task.edit();
            rename(&mut inner, &task, &name);
            edit.set("task", inner.finish());
        }
    }
    related(&mut edit, &object, &name);
    (!edit.is_untouched()).then(|| edit.finish())
}

/// The parameters of a request or a notification of this method with other ids for the
/// tasks that they are about; `None` as for [`in_result`].
#[must_use]
pub fn in_params(
    method: &str,
    params: &Object<'_>,
    name: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let mut edit = params.edit();
    if matches!(method, "notifications/tasks" | "notifications/tasks/status") {
        rename(&mut edit, params, &name);
    }
    related(&mut edit, params, &name);
    (!edit.is_untouched()).then(|| edit.finish())
}

fn is_task(object: &Object<'_>) -> bool {
    let texts = [ID, "status", "createdAt"];
    texts.iter().all(|key| object.text(key).is_some())
}

fn rename(
    edit: &mut json::Edit<'_, '_>,
    object: &Object<'_>,
    name: &impl Fn(&str) -> Option<String>,
) {
    if let Some(id) = object.text(ID).and_then(|id| name(&id)) {
        edit.set(ID, json::quote(&id));
    }
}

fn related(
    edit: &mut json::Edit<'_, '_>,
    object: &Object<'_>,
    name: &impl Fn(&str) -> Option<String>,
) {
    let renamed = object.object("_meta").and_then(|meta| {
        let task = meta.object(RELATED)?;
        let id = task.text(ID).and_then(|id| name(&id))?;
        let task = task.edit().set(ID, json::quote(&id)).finish();
        Some(meta.edit().set(RELATED, task).finish())
    });
    if let Some(meta) = renamed {
        edit.set("_meta", meta);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upper(id: &str) -> Option<String> {
        (id != "7").then(|| id.to_uppercase())
    }

    #[test]
    fn both_forms_of_a_created_task_are_renamed_and_no_other_byte() {
        let old = r#"{"task": {"taskId":"a","status":"working","createdAt":"t","ttl":1.0}, "x":1}"#;
        assert_eq!(
            in_result(old, upper).unwrap(),
            old.replace(r#""taskId":"a""#, r#""taskId":"A""#)
        );
        let new =
            r#"{"resultType":"task","taskId":"a","status":"working","createdAt":"t","ttlMs":null}"#;
        assert_eq!(
            in_result(new, upper).unwrap(),
            new.replace(r#""taskId":"a""#, r#""taskId":"A""#)
        );
    }

    #[test]
    fn what_a_tool_says_is_no_task() {
        let said = r#"{"content":[],"task":{"taskId":"a","status":"s","createdAt":"t"},"taskId":"a","status":"s","createdAt":"t"}"#;
        assert_eq!(in_result(said, upper), None);
        assert_eq!(in_result(r#"{"taskId":"a","ok":true}"#, upper), None);
    }

    #[test]
    fn what_belongs_to_a_task_says_so_under_the_other_id() {
        let result = r#"{"content":[],"_meta":{"k":1,"io.modelcontextprotocol/related-task":{"taskId":"a"}}}"#;
        let renamed = in_result(result, upper).unwrap();
        assert_eq!(renamed, result.replace(r#":"a""#, r#":"A""#));
        let status = Object::parse(r#"{"taskId":"a","status":"working"}"#).unwrap();
        let renamed = in_params("notifications/tasks/status", &status, upper).unwrap();
        assert!(renamed.contains(r#""taskId":"A""#));
        assert_eq!(in_params("notifications/progress", &status, upper), None);
    }

    #[test]
    fn an_id_without_another_name_stays() {
        let task = r#"{"taskId":"7","status":"working","createdAt":"t"}"#;
        assert_eq!(in_result(task, upper), None);
        assert!(are_mentioned(task));
        assert!(!are_mentioned(r#"{"content":[]}"#));
    }
}
