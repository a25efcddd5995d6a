//! What a run leaves behind: the termination message that the kubelet reads, and
//! the memory of a container that is started again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agentkube_plan::RunReport;

use super::outcome::Outcome;

/// Files of one run.
pub(super) struct Record<'a> {
    state: Option<State>,
    result: &'a Path,
}

struct State {
    started: PathBuf,
    ended: PathBuf,
}

/// Whether the program runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It did not run before.
    First,
    /// It did; this came of it.
    Again(Outcome),
}

/// The memory of a run does not work, so that "once" could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {path}", path = .path.display())]
pub(super) struct RecordError {
    path: PathBuf,
    source: io::Error,
}

impl<'a> Record<'a> {
    /// Files in `state`, which outlives the container, and the termination message.
    pub(super) fn new(state: Option<&Path>, result: &'a Path) -> Self {
        let state = state.map(|folder| State {
            started: folder.join("started"),
            ended: folder.join("result.json"),
        });
        Self { state, result }
    }

    /// Notes that the program is about to run, unless it did.
    pub(super) fn begin(&self) -> Result<Start, RecordError> {
        let Some(State { started, ended }) = &self.state else {
            return Ok(Start::First);
        };
        let failed = |path: &Path| {
            let path = path.to_owned();
            |source| RecordError { path, source }
        };
        match fs::read(ended) {
            Ok(text) => {
                let report = serde_json::from_slice::<RunReport>(&text);
                let outcome = report.map_or_else(|_| Outcome::lost(), Outcome::reported);
                return Ok(Start::Again(outcome));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(ended)(error)),
        }
        match fs::File::create_new(started) {
            Ok(_) => Ok(Start::First),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(Start::Again(Outcome::lost()))
            }
            Err(error) => Err(failed(started)(error)),
        }
    }

    /// Writes the result. Who cannot read it here reads it on the status port.
    pub(super) fn end(&self, report: &RunReport) {
        let Ok(text) = serde_json::to_vec(report) else {
            return;
        };
        if let Some(State { ended, .. }) = &self.state {
            let part = ended.with_extension("part");
            let written = fs::write(&part, &text).and_then(|()| fs::rename(&part, ended));
            said(ended, written);
        }
        said(self.result, fs::write(self.result, &text));
    }
}

fn said(path: &Path, written: io::Result<()>) {
    if let Err(error) = written {
        eprintln!("agentkube: cannot write {}: {error}", path.display());
    }
}
