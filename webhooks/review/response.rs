//! The answer, in the shape that the API server and kubectl make the most of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

use agentkube_crds::FieldError;

use crate::findings::line;

/// Longest warning in characters: the API server may cut longer ones.
pub const MAX_WARNING: usize = 120;
/// How many warnings fit beside each other: about 4 KiB in all.
const MAX_WARNINGS: usize = 30;
/// Longest one-line summary: Argo and Flux print only this.
const MAX_SUMMARY: usize = 1024;

/// What is to be answered.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// Uid of the request.
    pub uid: &'a str,
    /// API group of the object, for `details`.
    pub group: &'a str,
    /// Kind of the object, for `details`.
    pub kind: &'a str,
    /// Name of the object, for `details`.
    pub name: &'a str,
    /// Object before and after; a patch is sent when they differ and nothing is denied.
    pub mutation: Option<(&'a Value, &'a Value)>,
    /// What denies.
    pub errors: &'a [FieldError],
    /// What is only said.
    pub warnings: &'a [FieldError],
}

/// The AdmissionReview that answers.
#[must_use]
pub fn respond(answer: &Answer<'_>) -> Vec<u8> {
    let patch = if answer.errors.is_empty() {
        patch_of(answer.mutation)
    } else {
        None
    };
    let review = ReviewOut {
        api_version: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        response: Response {
            uid: answer.uid,
            allowed: answer.errors.is_empty(),
            patch_type: patch.as_ref().map(|_| "JSONPatch"),
            patch,
            status: (!answer.errors.is_empty()).then(|| status(answer)),
            warnings: warnings(answer.warnings),
        },
    };
    // A struct of strings always serialises; an empty body would only be
    // reported by the API server as a failed call.
    serde_json::to_vec(&review).unwrap_or_default()
}

/// Text of the warnings as the API server hands them on: short, no repetition.
pub(crate) fn warnings(findings: &[FieldError]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for finding in findings {
        let text = shortened(&line(finding), MAX_WARNING);
        if !lines.contains(&text) {
            lines.push(text);
        }
    }
    if lines.len() > MAX_WARNINGS {
        let more = lines.len() - (MAX_WARNINGS - 1);
        lines.truncate(MAX_WARNINGS - 1);
        lines.push(format!(
            "… and {more} more warnings (agentkube lint prints them all)"
        ));
    }
    lines
}

/// `MCP "x" is invalid: spec.a: …; spec.b: …`.
pub(crate) fn summary(kind: &str, name: &str, errors: &[FieldError]) -> String {
    let causes: Vec<String> = errors.iter().map(line).collect();
    let text = format!("{kind} {name:?} is invalid: {}", causes.join("; "));
    shortened(&text, MAX_SUMMARY)
}

fn shortened(text: &str, most: usize) -> String {
    // Control characters would make the API server drop the whole warning.
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if clean.chars().count() <= most {
        return clean;
    }
    let mut short: String = clean.chars().take(most - 1).collect();
    short.push('…');
    short
}

fn patch_of(mutation: Option<(&Value, &Value)>) -> Option<String> {
    let (before, after) = mutation?;
    let patch = json_patch::diff(before, after);
    if patch.0.is_empty() {
        return None;
    }
    serde_json::to_vec(&patch)
        .ok()
        .map(|bytes| STANDARD.encode(bytes))
}

fn status<'a>(answer: &Answer<'a>) -> Status<'a> {
    let causes = answer.errors.iter().map(|error| Cause {
        reason: error.reason.cause(),
        field: &error.field,
        message: crate::findings::text(error),
    });
    Status {
        api_version: "v1",
        kind: "Status",
        status: "Failure",
        code: 422,
        reason: "Invalid",
        message: summary(answer.kind, answer.name, answer.errors),
        details: Details {
            group: answer.group,
            kind: answer.kind,
            name: answer.name,
            causes: causes.collect(),
        },
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReviewOut<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    api_version: &'static str,
    kind: &'static str,
    status: &'static str,
    code: u16,
    reason: &'static str,
    message: String,
    details: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    group: &'a str,
    kind: &'a str,
    name: &'a str,
    causes: Vec<Cause<'a>>,
}

#[derive(Serialize)]
struct Cause<'a> {
    reason: &'static str,
    field: &'a str,
    message: String,
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
