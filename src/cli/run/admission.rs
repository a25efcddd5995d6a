//! The admission answer of `run`, printed as kubectl prints it.

use agentkube_crds::GROUP;
use agentkube_webhooks::print;

use super::report::Reporter;
use crate::cli::offline::{Judged, Offline, Severity};

/// Prints every warning, denial and admitted object.
///
/// # Errors
/// When anything is denied: a line that counts the denials.
pub(super) fn answer(offline: &Offline, report: &Reporter) -> Result<(), String> {
    let mut denied = 0_usize;
    for judged in &offline.judged {
        let denial = denial(judged);
        denied += usize::from(denial.is_some());
        for warning in print::warnings(&judged.verdict.warnings) {
            report.note(&warning);
        }
        match denial {
            Some(text) => report.note(text.trim_end()),
            None => report.admitted(&admitted(judged)),
        }
    }
    let errors = offline
        .findings()
        .iter()
        .filter(|it| it.severity == Severity::Error)
        .count();
    let problems = match errors {
        1 => "1 problem".to_owned(),
        _ => format!("{errors} problems"),
    };
    match denied {
        0 => Ok(()),
        1 => Err(format!("1 object was denied ({problems})")),
        _ => Err(format!("{denied} objects were denied ({problems})")),
    }
}

fn denial(judged: &Judged) -> Option<String> {
    let Judged {
        manifest, verdict, ..
    } = judged;
    print::denial(manifest.kind(), manifest.name(), &verdict.errors)
}

/// `llmgateway.agentkube.io/shared-gateway created`.
fn admitted(judged: &Judged) -> String {
    let name = judged.manifest.name();
    match judged.kind {
        Some(kind) => format!("{}.{GROUP}/{name} created", kind.singular()),
        None => {
            let kind = judged.manifest.kind().to_lowercase();
            match judged.manifest.api_version().split_once('/') {
                Some((group, _)) => format!("{kind}.{group}/{name} created"),
                None => format!("{kind}/{name} created"),
            }
        }
    }
}
