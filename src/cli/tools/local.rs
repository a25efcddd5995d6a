//! Pins in the state directory of `agentkube run`.

use agentkube_crds::mcp::ToolDrift;
use agentkube_crds::mcp::pins;

use super::{Found, Object, Wanted, chosen};
use crate::cli::pin_file::PinFile;
use crate::cli::run::StateDir;

fn file(state: &StateDir, mcp: &Object) -> PinFile {
    PinFile::of(state.path(), &mcp.namespace, &mcp.name)
}

fn failed(mcp: &Object, error: &std::io::Error) -> String {
    format!("pins of mcp {mcp}: {error}")
}

/// One MCP, or all of them.
pub(super) fn find(state: &StateDir, mcp: Option<&Object>) -> Result<Vec<Found>, String> {
    let all = match mcp {
        Some(mcp) => vec![mcp.clone()],
        None => {
            let all = PinFile::all(state.path())
                .map_err(|error| format!("{}: {error}", state.path().display()))?;
            let object = |(namespace, name)| Object { namespace, name };
            all.into_iter().map(object).collect()
        }
    };
    let found = all.into_iter().map(|mcp| {
        let status = file(state, &mcp).read();
        let status = status.map_err(|error| failed(&mcp, &error))?;
        Ok(Found { mcp, status })
    });
    found.collect()
}

/// Pins tools as they are now: a running `agentkube run` sees it within a second.
pub(super) fn approve(
    state: &StateDir,
    mcp: &Object,
    wanted: &Wanted<'_>,
) -> Result<Vec<(String, ToolDrift)>, String> {
    let approved = file(state, mcp).change(|status| {
        let chosen = chosen(mcp, status, wanted)?;
        pins::approve(status, &chosen);
        Ok(chosen)
    });
    approved.map_err(|error| failed(mcp, &error))?
}
