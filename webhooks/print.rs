//! A verdict as kubectl prints it, for `agentkube run`.
//!
//! Source: `checkErr` and `MultilineError` of kubectl's
//! `pkg/cmd/util/helpers.go`, and the warning writer of client-go.

use agentkube_crds::FieldError;

use crate::findings::line;
use crate::review;

/// `Warning: …`, one line each, shortened as the API server would.
#[must_use]
pub fn warnings(findings: &[FieldError]) -> Vec<String> {
    review::warnings(findings)
        .iter()
        .map(|text| format!("Warning: {text}"))
        .collect()
}

/// The denial of an object of any kind, or nothing when nothing denies. Ends in
/// a line feed.
#[must_use]
pub fn denial(kind: &str, name: &str, errors: &[FieldError]) -> Option<String> {
    let mut causes: Vec<String> = Vec::new();
    for cause in errors.iter().map(line) {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    let head = format!("The {kind} {name:?} is invalid: ");
    match causes.as_slice() {
        [] => None,
        [one] => Some(format!("{head}{one}\n")),
        several => {
            let lines: String = several.iter().map(|cause| format!("* {cause}\n")).collect();
            Some(format!("{head}\n{lines}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use agentkube_crds::Reason;

    use super::*;

    fn error(field: &str) -> FieldError {
        FieldError::new(field, Reason::Invalid, "is wrong")
    }

    #[test]
    fn one_cause_stays_on_the_line_of_the_object() {
        assert_eq!(
            denial("MCP", "x", &[error("spec.a")]).unwrap(),
            "The MCP \"x\" is invalid: spec.a: is wrong\n"
        );
        assert_eq!(denial("MCP", "x", &[]), None);
    }

    #[test]
    fn several_causes_have_a_line_each() {
        assert_eq!(
            denial("LLMGateway", "x", &[error("spec.a"), error("spec.b")]).unwrap(),
            "The LLMGateway \"x\" is invalid: \n* spec.a: is wrong\n* spec.b: is wrong\n"
        );
    }

    #[test]
    fn a_long_warning_is_cut_where_the_api_server_would() {
        let long = FieldError::new("spec.a", Reason::Invalid, "x".repeat(500));
        let lines = warnings(&[long.clone(), long]);
        assert_eq!(lines.len(), 1, "the same warning is said once");
        assert_eq!(
            lines[0].chars().count(),
            "Warning: ".len() + review::MAX_WARNING
        );
    }
}
