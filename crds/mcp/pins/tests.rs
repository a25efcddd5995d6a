use agentkube_plan::UnpinnedTool;

use super::*;

fn report(row: &str, tools: &[(&str, &str)]) -> UpstreamReport {
    let tools = tools.iter();
    UpstreamReport {
        name: row.to_owned(),
        credentials: true,
        reachable: Some(true),
        era: None,
        models: Vec::new(),
        tools: Some(1),
        unmatched_patterns: Vec::new(),
        unpinned: tools
            .map(|(tool, text)| UnpinnedTool {
                tool: (*tool).to_owned(),
                name: None,
                digest: ToolDigest::of(text),
            })
            .collect(),
        unpinned_cut: false,
        message: None,
    }
}

fn kept(settled: &Settled) -> MCPStatus {
    let mut status = MCPStatus {
        upstreams: ["a", "b"].map(McpUpstreamStatus::named).to_vec(),
        ..MCPStatus::default()
    };
    settled.show(&mut status);
    status
}

fn look(before: &Settled, annotation: &str, reports: &[UpstreamReport]) -> Settled {
    let upstreams = BTreeSet::from(["a", "b"]);
    let approvals = Approvals::parse(annotation);
    let reports: Vec<_> = reports.iter().collect();
    settle(&kept(before), &upstreams, &approvals, &reports)
}

fn names_of_full(settled: &Settled) -> Vec<&str> {
    settled.full.iter().map(String::as_str).collect()
}

fn of_a(status: &MCPStatus) -> Vec<(String, ToolDrift)> {
    let drifted = status.upstreams[0].drifted.iter();
    drifted.map(|it| ("a".to_owned(), it.clone())).collect()
}

fn names(settled: &Settled) -> Vec<(&str, DriftChange)> {
    let drifted = settled.drifted.iter();
    drifted.map(|it| (it.name.as_str(), it.change)).collect()
}

#[test]
fn the_first_sight_pins_and_another_definition_drifts() {
    let first = look(&Settled::default(), "", &[report("a", &[("x", "1")])]);
    assert_eq!(first.pins.len(), 1);
    assert!(first.drifted.is_empty());
    let later = report("a", &[("x", "2"), ("y", "1")]);
    let then = look(&first, "", &[later]);
    assert_eq!(
        names(&then),
        [("x", DriftChange::Changed), ("y", DriftChange::New)]
    );
    assert_eq!(then.pins, first.pins, "a drift changes no pin");
}

#[test]
fn an_upstream_that_comes_late_is_seen_for_the_first_time() {
    let first = look(&Settled::default(), "", &[report("a", &[("x", "1")])]);
    let then = look(&first, "", &[report("b", &[("x", "2")])]);
    assert!(then.drifted.is_empty());
    assert_eq!(then.pins.row("b")["x"], ToolDigest::of("2"));
}

#[test]
fn tools_and_upstreams_that_are_away_keep_their_pins() {
    let first = look(
        &Settled::default(),
        "",
        &[report("a", &[("x", "1"), ("y", "1")])],
    );
    let away = look(&first, "", &[report("a", &[])]);
    assert_eq!(away.pins, first.pins);
    assert_eq!(look(&away, "", &[]).pins, first.pins);
}

#[test]
fn pins_of_an_upstream_that_left_the_spec_go() {
    let first = look(&Settled::default(), "", &[report("a/c", &[("x", "1")])]);
    assert_eq!(first.pins.len(), 1);
    let upstreams = BTreeSet::from(["b"]);
    let gone = settle(&kept(&first), &upstreams, &Approvals::default(), &[]);
    assert_eq!(gone.pins, Pins::default());
}

#[test]
fn a_name_approves_one_drift_and_not_whatever_comes() {
    let first = look(&Settled::default(), "", &[report("a", &[("x", "1")])]);
    let second = look(&first, "x", &[report("a", &[("x", "2")])]);
    assert!(second.drifted.is_empty());
    assert_eq!(second.pins.row("a")["x"], ToolDigest::of("2"));
    let third = look(&second, "x", &[report("a", &[("x", "3")])]);
    assert_eq!(names(&third), [("x", DriftChange::Changed)]);
    let removed = look(&second, "", &[]);
    let again = look(&removed, "y, x", &[report("a", &[("x", "3")])]);
    assert!(again.drifted.is_empty(), "written anew it approves anew");
}

#[test]
fn a_digest_approves_that_definition_only() {
    let first = look(&Settled::default(), "", &[report("a", &[("x", "1")])]);
    let approval = format!("x@{}", ToolDigest::of("2"));
    let other = look(&first, &approval, &[report("a", &[("x", "3")])]);
    assert_eq!(other.drifted.len(), 1);
    let meant = look(&other, &approval, &[report("a", &[("x", "2")])]);
    assert!(meant.drifted.is_empty());
    let of_another = format!("y@{}", ToolDigest::of("2"));
    assert_eq!(
        look(&first, &of_another, &[report("a", &[("x", "2")])])
            .drifted
            .len(),
        1
    );
    let bare = ToolDigest::of("2").to_string();
    let bare = look(&first, &bare, &[report("a", &[("x", "2")])]);
    assert!(bare.drifted.is_empty());
}

#[test]
fn replicas_that_see_different_things_pin_one_of_them() {
    let reports = [report("a", &[("x", "1")]), report("a", &[("x", "2")])];
    let first = look(&Settled::default(), "", &reports);
    assert_eq!(first.pins.row("a")["x"], ToolDigest::of("1"));
    assert_eq!(names(&first), [("x", DriftChange::Changed)]);
}

#[test]
fn what_is_above_the_bound_is_not_taken_for_pinned() {
    let names: Vec<String> = (0..=MAX_PINS).map(|at| format!("t{at:05}")).collect();
    let tools: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let first = look(&Settled::default(), "", &[report("a", &tools)]);
    assert_eq!(first.pins.len(), MAX_PINS);
    assert_eq!(first.drifted.len(), 1);
}

#[test]
fn names_that_are_long_as_json_stay_within_the_bytes() {
    let many: Vec<String> = (0..MAX_PINS)
        .map(|at| format!("{at:0>5}{}", "\u{1}".repeat(59)))
        .collect();
    let tools: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
    let first = look(&Settled::default(), "", &[report("a/c", &tools)]);
    assert!(first.pins.len() > 500 && first.pins.len() < MAX_PINS);
    assert_eq!(names_of_full(&first), ["a/c"]);
    let status = kept(&first);
    let pins = serde_json::to_string(&status.upstreams[0].pins).unwrap();
    assert!(pins.len() <= MAX_PIN_BYTES + 1, "{}", pins.len());
    let drifted = serde_json::to_string(&status.upstreams[0].drifted).unwrap();
    assert!(drifted.len() <= MOST_SHOWN_BYTES + 1, "{}", drifted.len());
    let plan = pin_set(ToolPinning::Block, &first.pins, "a/c");
    let plan = serde_json::to_string(&plan).unwrap();
    assert!(plan.len() < MAX_PIN_BYTES, "{}", plan.len());
    // In the state directory an approval finds no room either.
    let mut approved = status.clone();
    approve(&mut approved, &of_a(&status));
    assert_eq!(approved.upstreams, status.upstreams);
}

#[test]
fn a_report_that_was_cut_was_seen_and_is_told() {
    let mut cut = report("a", &[]);
    cut.unpinned_cut = true;
    let first = look(&Settled::default(), "", &[cut]);
    assert_eq!(names_of_full(&first), ["a"]);
    let pins = Pins::of(Some(&kept(&first)));
    assert!(pin_set(ToolPinning::Block, &pins, "a").unwrap().seen);
}

#[test]
fn an_upstream_without_room_was_seen_all_the_same() {
    let many: Vec<String> = (0..MAX_PINS).map(|at| format!("t{at:05}")).collect();
    let tools: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
    let reports = [report("a", &tools), report("b", &[("x", "1")])];
    let first = look(&Settled::default(), "", &reports);
    let set = |settled: &Settled| {
        let pins = Pins::of(Some(&kept(settled)));
        pin_set(ToolPinning::Block, &pins, "b").unwrap()
    };
    assert!(set(&first).tools.is_empty());
    let verdict = set(&first).verdict("x", &ToolDigest::of("1"));
    assert_eq!(verdict, agentkube_plan::Pinned::New);
    assert_eq!(names_of_full(&first), ["b"]);
    // Nor is it seen for the first time when there is room at last.
    let upstreams = BTreeSet::from(["b"]);
    let again = report("b", &[("x", "1")]);
    let then = settle(&kept(&first), &upstreams, &Approvals::default(), &[&again]);
    assert!(then.pins.is_empty());
    assert_eq!(names(&then), [("x", DriftChange::New)]);
    assert!(then.full.is_empty(), "now it can be approved");
}

#[test]
fn a_status_holds_all_of_it() {
    let mut status = MCPStatus {
        upstreams: ["a", "ab"].map(McpUpstreamStatus::named).to_vec(),
        ..MCPStatus::default()
    };
    let upstreams = BTreeSet::from(["a", "ab"]);
    let reports = [
        report("a/c", &[("x", "1")]),
        report("a/d", &[("x", "2")]),
        report("ab", &[("x", "3")]),
    ];
    let approvals = Approvals::default();
    let all: Vec<_> = reports.iter().collect();
    settle(&status, &upstreams, &approvals, &all).show(&mut status);
    let later = report("a/c", &[("x", "4")]);
    let then = settle(&status, &upstreams, &approvals, &[&later]);
    then.show(&mut status);
    assert_eq!(Pins::of(Some(&status)), then.pins);
    assert_eq!(status.upstreams[0].pins.len(), 2);
    assert_eq!(status.upstreams[1].pins.len(), 1);
    assert_eq!(status.upstreams[0].drifted[0].from.as_deref(), Some("c"));
    assert_eq!(status.drifted, Some(1));
}

#[test]
fn what_the_command_writes_approves_what_was_seen() {
    let mut status = MCPStatus {
        upstreams: vec![McpUpstreamStatus::named("a")],
        ..MCPStatus::default()
    };
    let first = look(
        &Settled::default(),
        "",
        &[report("a", &[("x", "1"), ("y z", "1")])],
    );
    let reports = [report("a", &[("x", "2"), ("y z", "2")])];
    let then = look(&first, "", &reports);
    then.show(&mut status);
    let drifted = of_a(&status);
    let old = format!("keep x@{}", ToolDigest::of("1"));
    let text = annotation(&old, &status, &drifted);
    let words: Vec<&str> = text.split(',').collect();
    assert_eq!(words.len(), 3, "what is done is dropped: {text}");
    assert_eq!(words[0], "keep");
    let approved = look(&then, &text, &reports);
    assert!(approved.drifted.is_empty());
    // Without a cluster it is done in place.
    approve(&mut status, &drifted);
    assert_eq!(Pins::of(Some(&status)), approved.pins);
    assert_eq!(status.drifted, Some(0));
}

#[test]
fn a_drift_that_nobody_can_see_now_is_still_one_and_can_be_approved() {
    let first = look(&Settled::default(), "", &[report("a", &[("x", "1")])]);
    let drifted = look(&first, "", &[report("a", &[("x", "2")])]);
    let mut unread = report("a", &[]);
    unread.tools = None;
    for reports in [&[][..], &[unread]] {
        let unseen = look(&drifted, "", reports);
        assert_eq!(unseen.drifted, drifted.drifted);
        let approved = look(&drifted, "x", reports);
        assert!(approved.drifted.is_empty());
        assert_eq!(approved.pins.row("a")["x"], ToolDigest::of("2"));
    }
    // It was read, and is as it is pinned.
    assert!(look(&drifted, "", &[report("a", &[])]).drifted.is_empty());
}
