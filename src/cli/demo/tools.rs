//! The demo's tools: a tiny issue tracker in memory.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// As many as anybody creates by hand; a loop must not eat the memory.
const MAX_ISSUES: usize = 1000;

/// The tracker.
#[derive(Debug, Default)]
pub(super) struct Tools {
    issues: Mutex<Vec<Issue>>,
}

#[derive(Debug)]
struct Issue {
    title: String,
    comments: Vec<String>,
}

impl Tools {
    /// `tools` of a `tools/list` result.
    pub(super) fn list() -> Value {
        json!([
            tool(
                "add_comment",
                "Add a comment to an issue",
                &json!({"number": {"type": "integer"}, "body": {"type": "string"}}),
                &["number", "body"],
            ),
            tool(
                "create_issue",
                "Create an issue",
                &json!({"title": {"type": "string"}, "body": {"type": "string"}}),
                &["title"],
            ),
            tool(
                "delete_repository",
                "Delete the whole repository. The quickstart's filter keeps it from agents",
                &json!({"name": {"type": "string"}}),
                &["name"],
            ),
            tool(
                "echo",
                "Say the message back",
                &json!({"message": {"type": "string"}}),
                &["message"],
            ),
            tool("list_issues", "List the issues", &json!({}), &[]),
        ])
    }

    /// The result of a `tools/call`, or nothing when there is no such tool. Bad
    /// arguments are a result with `isError`, for the model to read (SEP-1303).
    pub(super) fn call(&self, name: &str, arguments: &Value) -> Option<Value> {
        let outcome = match name {
            "add_comment" => self.add_comment(arguments),
            "create_issue" => self.create_issue(arguments),
            "delete_repository" => Ok("nothing was deleted: this is a demo".to_owned()),
            "echo" => text(arguments, "message").map(str::to_owned),
            "list_issues" => Ok(self.list_issues()),
            _ => return None,
        };
        let (text, is_error) = match outcome {
            Ok(text) => (text, false),
            Err(text) => (text, true),
        };
        Some(json!({"content": [{"type": "text", "text": text}], "isError": is_error}))
    }

    fn create_issue(&self, arguments: &Value) -> Result<String, String> {
        let title = text(arguments, "title")?.to_owned();
        let body = arguments["body"].as_str().map(str::to_owned);
        let mut issues = self.issues();
        if issues.len() == MAX_ISSUES {
            return Err(format!("the demo tracker is full ({MAX_ISSUES} issues)"));
        }
        issues.push(Issue {
            title,
            comments: body.into_iter().collect(),
        });
        Ok(format!("created issue #{}", issues.len()))
    }

    fn add_comment(&self, arguments: &Value) -> Result<String, String> {
        let body = text(arguments, "body")?.to_owned();
        let number = arguments["number"]
            .as_u64()
            .ok_or("number: an integer is required")?;
        let mut issues = self.issues();
        let issue = usize::try_from(number)
            .ok()
            .and_then(|number| issues.get_mut(number.checked_sub(1)?))
            .ok_or_else(|| format!("there is no issue #{number}"))?;
        if issue.comments.len() == MAX_ISSUES {
            return Err(format!("issue #{number} is full ({MAX_ISSUES} comments)"));
        }
        issue.comments.push(body);
        Ok(format!("commented on issue #{number}"))
    }

    fn list_issues(&self) -> String {
        let issues = self.issues();
        if issues.is_empty() {
            return "no issues yet".to_owned();
        }
        issues
            .iter()
            .enumerate()
            .fold(String::new(), |mut list, (index, issue)| {
                let (number, comments) = (index + 1, issue.comments.len());
                // Writing to a String cannot fail.
                let _ = writeln!(list, "#{number} {} ({comments} comments)", issue.title);
                list
            })
    }

    fn issues(&self) -> MutexGuard<'_, Vec<Issue>> {
        // Nothing panics while it holds the lock with the list half changed.
        self.issues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tool(name: &str, description: &str, properties: &Value, required: &[&str]) -> Value {
    json!({
        "name": name,
        "description": description,
        "inputSchema": {"type": "object", "properties": properties, "required": required},
    })
}

fn text<'a>(arguments: &'a Value, name: &str) -> Result<&'a str, String> {
    arguments[name]
        .as_str()
        .ok_or_else(|| format!("{name}: a string is required"))
}
