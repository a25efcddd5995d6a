//! Admission without a cluster: the manifests are all there is.

mod envelope;
mod metadata;
mod workload;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use agentkube_crds::{FieldError, GROUP, Kind, Reason};
use agentkube_webhooks::admit::{Install, Mode};
use agentkube_webhooks::{Admit, FileIndex, Verdict, admit};

use super::manifest::{Manifest, Position, Unreadable};
use super::run::SecretFlag;

pub(crate) use workload::pod_of;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Admission would deny.
    Error,
    /// Admission would warn.
    Warning,
}

impl Severity {
    /// As it is printed.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Something to say about a place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file, as the user named it.
    pub(crate) file: Arc<PathBuf>,
    /// Where in it.
    pub(crate) position: Position,
    /// `llmgateway platform/shared-gateway`; empty for a file that cannot be read.
    pub(crate) object: String,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// The field and what is wrong with it.
    pub(crate) finding: FieldError,
}

impl From<Unreadable> for Finding {
    fn from(unreadable: Unreadable) -> Self {
        Self {
            file: Arc::new(unreadable.file),
            position: unreadable.position,
            object: String::new(),
            severity: Severity::Error,
            finding: FieldError::new("", Reason::Invalid, unreadable.message),
        }
    }
}

/// Manifests, what is known from them, and what admission says of each.
#[derive(Debug)]
pub(crate) struct Offline {
    /// What is known.
    pub(crate) index: FileIndex,
    /// The manifests with their verdicts, in order.
    pub(crate) judged: Vec<Judged>,
}

/// A manifest and the verdict on it.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The manifest.
    pub(crate) manifest: Manifest,
    /// Its kind, when it is one of ours.
    pub(crate) kind: Option<Kind>,
    /// The verdict; empty for what does not take part.
    pub(crate) verdict: Verdict,
}

impl Judged {
    /// `llmgateway platform/shared-gateway`.
    pub(crate) fn object(&self) -> String {
        let kind = match self.kind {
            Some(kind) => kind.singular().to_owned(),
            None => self.manifest.kind().to_lowercase(),
        };
        match self.kind {
            Some(kind) if !kind.namespaced() => format!("{kind} {}", self.manifest.name()),
            _ => format!(
                "{kind} {}/{}",
                self.manifest.namespace(),
                self.manifest.name()
            ),
        }
    }
}

impl Offline {
    /// Judges every manifest. Values given by `--secret` count as present.
    pub(crate) fn judge(manifests: Vec<Manifest>, secrets: &[SecretFlag], mode: Mode) -> Self {
        let mut index = FileIndex::from_objects(manifests.iter().map(|found| &found.object));
        for secret in secrets {
            index.add_secret_entry(secret.namespace(), secret.name(), secret.key());
        }
        let install = Install::of(mode);
        let twice = twice(&manifests);
        let judged = manifests.into_iter().zip(twice).map(|(manifest, twice)| {
            let kind = own_kind(&manifest);
            let mut verdict = verdict(&manifest, kind, &index, &install);
            verdict.errors.extend(twice);
            Judged {
                manifest,
                kind,
                verdict,
            }
        });
        let judged = judged.collect();
        Self { index, judged }
    }

    /// Everything that is to be said, in order of file and place.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for judged in &self.judged {
            let Verdict {
                errors, warnings, ..
            } = &judged.verdict;
            let errors = errors.iter().map(|found| (Severity::Error, found));
            let warnings = warnings.iter().map(|found| (Severity::Warning, found));
            let mut of_object: Vec<Finding> = errors
                .chain(warnings)
                .map(|(severity, finding)| Finding {
                    file: Arc::clone(&judged.manifest.file),
                    position: judged.manifest.position(&finding.field),
                    object: judged.object(),
                    severity,
                    finding: finding.clone(),
                })
                .collect();
            of_object.sort_by_key(|finding| (finding.position, finding.severity));
            findings.extend(of_object);
        }
        findings
    }
}

fn own_kind(manifest: &Manifest) -> Option<Kind> {
    let ours = manifest.api_version() == agentkube_crds::API_VERSION;
    Kind::from_name(manifest.kind()).filter(|_| ours)
}

fn verdict(
    manifest: &Manifest,
    kind: Option<Kind>,
    index: &FileIndex,
    install: &Install,
) -> Verdict {
    let mut verdict = match kind {
        Some(kind) => {
            let namespace = if kind.namespaced() {
                manifest.namespace()
            } else {
                ""
            };
            let new = &manifest.object;
            admit(
                &Admit {
                    kind,
                    namespace,
                    new,
                    old: None,
                    subresource: None,
                },
                index,
                install,
            )
        }
        None => workload::wiring(manifest, index),
    };
    if manifest.api_version().split('/').next() == Some(GROUP) {
        verdict.errors.extend(envelope::check(manifest, kind));
    }
    let said = metadata(manifest, kind);
    verdict.errors.extend(said.errors);
    verdict.warnings.extend(said.warnings);
    verdict
}

/// What is said of the metadata of what takes part.
fn metadata(manifest: &Manifest, kind: Option<Kind>) -> Verdict {
    let object = &manifest.object;
    let takes_part = kind.is_some()
        || manifest.api_version().split('/').next() == Some(GROUP)
        || matches!(
            (manifest.api_version(), manifest.kind()),
            ("v1", "Namespace" | "Secret")
        )
        || pod_of(object).is_some();
    if !takes_part {
        return Verdict::default();
    }
    let mut verdict = metadata::check(object);
    if let Some((template, path)) = pod_of(object).filter(|(_, path)| !path.is_empty()) {
        let below = metadata::check(template);
        let nested = |found: Vec<FieldError>| {
            found
                .into_iter()
                .map(move |error| workload::nested(error, path))
        };
        verdict.errors.extend(nested(below.errors));
        verdict.warnings.extend(nested(below.warnings));
    }
    verdict
}

/// Finds objects that stand there twice: kubectl would apply both and keep the
/// last, which is never what was meant.
fn twice(manifests: &[Manifest]) -> Vec<Option<FieldError>> {
    let mut seen = HashMap::new();
    let check = |manifest: &Manifest| {
        let identity = [
            manifest.api_version(),
            manifest.kind(),
            manifest.namespace(),
            manifest.name(),
        ]
        .map(str::to_owned);
        let place = (
            Arc::clone(&manifest.file),
            manifest.position("metadata.name"),
        );
        let (file, first) = seen.insert(identity, place)?;
        let message = format!(
            "defined already at {}:{}; keep one",
            file.display(),
            first.line
        );
        Some(FieldError::new("metadata.name", Reason::Duplicate, message))
    };
    manifests.iter().map(check).collect()
}

#[cfg(test)]
mod tests;
