//! `agentkube tools`: tools that are not as they are pinned, and their approval.
//!
//! In a cluster what is pinned is in the object's status and approvals are an
//! annotation, so whoever may change the MCP may approve. What `agentkube run`
//! serves has both in its state directory.

mod cluster;
mod local;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use agentkube_crds::MCPStatus;
use agentkube_crds::mcp::ToolDrift;
use agentkube_crds::mcp::pins::{approving, has_room, shown};
use agentkube_plan::ToolDigest;
use serde_json::json;

use super::output::Output;
use super::process;
use super::run::StateDir;

/// Arguments of `agentkube tools`.
#[derive(Debug, clap::Args)]
pub(crate) struct ToolsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the tools that are not as they are pinned
    #[command(after_help = "Examples:
  agentkube tools list
  agentkube tools list team-a/github-tools --local")]
    List(ListArgs),
    /// Pin tools as they are now
    #[command(after_help = "Examples:
  agentkube tools approve team-a/github-tools create_issue
  agentkube tools approve team-a/github-tools --all --local")]
    Approve(ApproveArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// The MCP; without one, every MCP
    #[arg(value_name = "NAMESPACE/NAME")]
    mcp: Option<Object>,
    #[command(flatten)]
    place: Place,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, clap::Args)]
struct ApproveArgs {
    /// The MCP
    #[arg(value_name = "NAMESPACE/NAME")]
    mcp: Object,
    /// Tools, by the names that clients see, or by the digests of their definitions
    #[arg(value_name = "TOOL", required_unless_present = "all")]
    tools: Vec<String>,
    /// Every tool that is not as it is pinned
    #[arg(long, conflicts_with = "tools")]
    all: bool,
    /// Only tools of this upstream, as `tools list` names it
    #[arg(long, value_name = "UPSTREAM")]
    upstream: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Where pins are: in the cluster of the kubeconfig, or in a state directory.
#[derive(Debug, clap::Args)]
struct Place {
    /// What `agentkube run` serves, instead of a cluster
    #[arg(long)]
    local: bool,
    /// The state directory of `agentkube run`; says --local too
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

/// `namespace/name`, or a name in the namespace `default`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Object {
    namespace: String,
    name: String,
}

/// An MCP and what is known of its pins.
struct Found {
    mcp: Object,
    status: MCPStatus,
}

impl std::str::FromStr for Object {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (namespace, name) = text.split_once('/').unwrap_or(("default", text));
        let is_label = |text: &str| {
            let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            !text.is_empty() && text.chars().all(legal)
        };
        if !is_label(namespace) || !is_label(name) {
            return Err("write NAMESPACE/NAME, such as team-a/github-tools".to_owned());
        }
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Place {
    /// The state directory; `None` for a cluster.
    fn state(&self) -> Result<Option<StateDir>, String> {
        if !self.local && self.state_dir.is_none() {
            return Ok(None);
        }
        let named = std::env::var_os("AGENTKUBE_STATE_DIR").filter(|it| !it.is_empty());
        let directory = self.state_dir.clone().or(named.map(PathBuf::from));
        StateDir::locate(directory).map(Some)
    }

    /// As flags of a command.
    fn flags(&self) -> String {
        match &self.state_dir {
            Some(directory) => format!("--state-dir {} ", directory.display()),
            None if self.local => "--local ".to_owned(),
            None => String::new(),
        }
    }
}

/// Lists or approves.
pub(crate) fn main(args: ToolsArgs) -> ExitCode {
    process::block_on(async {
        match args.command {
            Command::List(args) => list(args).await,
            Command::Approve(args) => approve(args).await,
        }
    })
}

async fn list(args: ListArgs) -> Result<(), String> {
    let found = match args.place.state()? {
        Some(state) => local::find(&state, args.mcp.as_ref())?,
        None => cluster::find(args.mcp.as_ref()).await?,
    };
    match args.output {
        Output::Json => {
            let rows: Vec<_> = rows(&found).map(|row| row.to_json()).collect();
            println!("{:#}", serde_json::Value::Array(rows));
        }
        Output::Text => print(&found, &args.place),
    }
    Ok(())
}

async fn approve(args: ApproveArgs) -> Result<(), String> {
    let wanted = Wanted {
        tools: &args.tools,
        upstream: args.upstream.as_deref(),
    };
    let approved = match args.place.state()? {
        Some(state) => local::approve(&state, &args.mcp, &wanted)?,
        None => cluster::approve(&args.mcp, &wanted).await?,
    };
    for (upstream, drift) in &approved {
        let ToolDrift { name, digest, .. } = drift;
        let name = shown(name);
        let upstream = path(upstream, drift);
        println!("approved {name} of {upstream}, mcp {} ({digest})", args.mcp);
    }
    if approved.is_empty() {
        println!("every tool of mcp {} is as it is pinned", args.mcp);
    }
    Ok(())
}

/// Which drifts are to be approved.
struct Wanted<'a> {
    /// Names or digests. None: every drift.
    tools: &'a [String],
    /// Of this upstream only.
    upstream: Option<&'a str>,
}

impl Wanted<'_> {
    /// True for its upstream, and those of the MCP that it is.
    fn is_at(&self, upstream: &str, drift: &ToolDrift) -> bool {
        let is_it = |wanted| wanted == upstream || wanted == path(upstream, drift);
        self.upstream.is_none_or(is_it)
    }
}

/// What is to be approved of a status, each with its upstream of the spec.
///
/// # Errors
/// When one of the tools did not drift, or at several upstreams: clients see one of
/// them, and approve what they never saw. When there is no room.
fn chosen(
    mcp: &Object,
    status: &MCPStatus,
    wanted: &Wanted<'_>,
) -> Result<Vec<(String, ToolDrift)>, String> {
    let drifted = status.upstreams.iter().flat_map(|upstream| {
        let drifted = upstream.drifted.iter();
        drifted.map(move |drift| (upstream.name.as_str(), drift))
    });
    let all: Vec<_> = drifted
        .filter(|(upstream, drift)| wanted.is_at(upstream, drift))
        .collect();
    for tool in wanted.tools {
        let mut places = all.iter().filter(|(_, drift)| is_meant(tool, drift));
        let places: BTreeSet<String> = places.by_ref().map(|(at, it)| path(at, it)).collect();
        let places: Vec<String> = places.into_iter().collect();
        match places.as_slice() {
            [] => return Err(nothing(mcp, tool, all.iter().map(|(_, drift)| *drift))),
            [_] => {}
            several => {
                return Err(format!(
                    "mcp {mcp}: {} of these upstreams is not as pinned: {}; say of which with \
                     --upstream",
                    shown(tool),
                    several.join(", ")
                ));
            }
        }
    }
    let meant = |drift| wanted.tools.iter().any(|tool| is_meant(tool, drift));
    let mut chosen = Vec::new();
    for (upstream, drift) in all {
        if !wanted.tools.is_empty() && !meant(drift) {
            continue;
        }
        if !has_room(status, upstream, drift) {
            let name = shown(&drift.name);
            return Err(format!(
                "mcp {mcp}: no room to pin {name}: it has too many pins"
            ));
        }
        chosen.push((upstream.to_owned(), drift.clone()));
    }
    Ok(chosen)
}

fn nothing<'a>(mcp: &Object, tool: &str, all: impl Iterator<Item = &'a ToolDrift>) -> String {
    let mut known: Vec<_> = all.map(|drift| shown(&drift.name)).collect();
    known.sort_unstable();
    let known = match known.is_empty() {
        true => "every tool is as it is pinned".to_owned(),
        false => format!("these are not as pinned: {}", known.join(", ")),
    };
    format!("mcp {mcp}: nothing to approve of {tool:?}; {known}")
}

/// Where a drifted tool is from, as a plan names it.
fn path(upstream: &str, drift: &ToolDrift) -> String {
    match &drift.from {
        Some(from) => format!("{upstream}/{from}"),
        None => upstream.to_owned(),
    }
}

/// True for the name of a tool, or the digest of its definition. A name that reads as a
/// digest is never one: it would approve what somebody else's digest stands for.
fn is_meant(word: &str, drift: &ToolDrift) -> bool {
    match ToolDigest::parse(word) {
        Some(digest) => digest.as_str() == drift.digest,
        None => word == drift.name,
    }
}

/// One line of the list.
struct Row<'a> {
    mcp: &'a Object,
    upstream: String,
    drift: &'a ToolDrift,
}

impl Row<'_> {
    fn to_json(&self) -> serde_json::Value {
        json!({
            "namespace": self.mcp.namespace,
            "mcp": self.mcp.name,
            "upstream": self.upstream,
            "tool": self.drift.name,
            "change": self.drift.change.as_str(),
            "digest": self.drift.digest,
        })
    }
}

fn rows(found: &[Found]) -> impl Iterator<Item = Row<'_>> {
    found.iter().flat_map(|Found { mcp, status }| {
        status.upstreams.iter().flat_map(move |upstream| {
            upstream.drifted.iter().map(move |drift| Row {
                mcp,
                upstream: path(&upstream.name, drift),
                drift,
            })
        })
    })
}

fn print(found: &[Found], place: &Place) {
    let rows: Vec<Row<'_>> = rows(found).collect();
    if rows.is_empty() {
        println!("every tool is as it is pinned");
        return;
    }
    let mut table = vec![["MCP", "TOOL", "UPSTREAM", "CHANGE", "DIGEST"].map(str::to_owned)];
    table.extend(rows.iter().map(|row| {
        let digest: String = row.drift.digest.chars().take(19).collect();
        [
            row.mcp.to_string(),
            shown(&row.drift.name).into_owned(),
            row.upstream.clone(),
            row.drift.change.as_str().to_owned(),
            digest,
        ]
    }));
    let mut widths = [0; 5];
    for line in &table {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for line in &table {
        let cells = line.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        println!("{}", cells.join("  ").trim_end());
    }
    println!();
    for Found { mcp, status } in found {
        let drifted = status.upstreams.iter().flat_map(|it| &it.drifted);
        let names: Vec<&str> = drifted
            .map(|drift| approving(&drift.name, &drift.digest))
            .collect();
        if !names.is_empty() {
            let (flags, names) = (place.flags(), names.join(" "));
            println!("to approve: agentkube tools approve {flags}{mcp} {names}");
        }
    }
}

#[cfg(test)]
mod tests;
