//! Findings for people and for scripts.

use serde_json::{Value, json};

use crate::cli::offline::{Finding, Severity};

/// One line a finding, and a summary on standard error.
pub(super) fn text(findings: &[Finding]) {
    for finding in findings {
        println!("{}", line(finding));
    }
    let count = |severity| {
        findings
            .iter()
            .filter(|found| found.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if errors + warnings == 0 {
        eprintln!("clean");
    } else {
        eprintln!(
            "{}, {}",
            plural(errors, "error"),
            plural(warnings, "warning")
        );
    }
}

fn line(finding: &Finding) -> String {
    let Finding {
        file,
        position,
        object,
        severity,
        finding,
    } = finding;
    let subject = if object.is_empty() {
        String::new()
    } else {
        format!("{object}: ")
    };
    format!(
        "{}:{}:{}: {}: {subject}{finding}",
        file.display(),
        position.line,
        position.column,
        severity.as_str()
    )
}

/// One array of objects.
pub(super) fn json(findings: &[Finding]) {
    println!("{:#}", Value::Array(findings.iter().map(row).collect()));
}

fn row(found: &Finding) -> Value {
    json!({
        "file": found.file.display().to_string(),
        "line": found.position.line,
        "column": found.position.column,
        "object": found.object,
        "severity": found.severity.as_str(),
        "field": found.finding.field,
        "message": found.finding.message,
        "suggestion": found.finding.suggestion,
    })
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
