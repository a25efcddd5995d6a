use agentkube_crds::mcp::{DriftChange, McpUpstreamStatus};
use agentkube_plan::ToolDigest;

use super::*;

fn drift(name: &str, text: &str) -> ToolDrift {
    ToolDrift {
        name: name.to_owned(),
        from: None,
        tool: name.to_owned(),
        change: DriftChange::New,
        digest: ToolDigest::of(text).to_string(),
    }
}

fn status(upstreams: &[(&str, &[ToolDrift])]) -> MCPStatus {
    let upstreams = upstreams.iter().map(|(name, drifted)| McpUpstreamStatus {
        drifted: drifted.to_vec(),
        ..McpUpstreamStatus::named(name)
    });
    MCPStatus {
        upstreams: upstreams.collect(),
        ..MCPStatus::default()
    }
}

fn mcp() -> Object {
    "default/tools".parse().unwrap()
}

#[test]
fn a_digest_names_the_definition_and_no_tool_that_is_called_so() {
    let digest = ToolDigest::of("1").to_string();
    let drifts = [drift("--all", "1"), drift(&digest, "2")];
    let status = status(&[("a", &drifts)]);
    let found = chosen(&mcp(), &status, std::slice::from_ref(&digest)).unwrap();
    assert_eq!(found, drifts[..1]);
}
