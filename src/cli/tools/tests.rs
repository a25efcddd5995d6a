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
    let wanted = Wanted {
        tools: std::slice::from_ref(&digest),
        upstream: None,
    };
    let found = chosen(&mcp(), &status, &wanted).unwrap();
    assert_eq!(found, [("a".to_owned(), drifts[0].clone())]);
}

#[test]
fn a_tool_of_several_upstreams_is_approved_at_the_one_that_is_named() {
    let status = status(&[("a", &[drift("pay", "1")]), ("b", &[drift("pay", "1")])]);
    let tools = ["pay".to_owned()];
    let wanted = |upstream| Wanted {
        tools: &tools,
        upstream,
    };
    let error = chosen(&mcp(), &status, &wanted(None)).unwrap_err();
    assert!(
        error.contains("a, b; say of which with --upstream"),
        "{error}"
    );
    let found = chosen(&mcp(), &status, &wanted(Some("b"))).unwrap();
    assert_eq!(found, [("b".to_owned(), drift("pay", "1"))]);
    let mut approved = status.clone();
    agentkube_crds::mcp::pins::approve(&mut approved, &found);
    let left = approved.upstreams.iter().map(|it| it.drifted.len());
    assert_eq!(left.collect::<Vec<_>>(), [1, 0]);
}
