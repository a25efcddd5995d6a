//! An Agent that runs once, from its start to its end.

use super::*;

const SET: &str = "/apis/apps/v1/namespaces/team-a/statefulsets/reviewer";
const POD: &str = "/api/v1/namespaces/team-a/pods/reviewer-0";

/// What the supervisor in the Pod answers, and how often it was asked.
#[derive(Clone)]
struct Supervisor(Arc<Mutex<(Value, u32)>>);

impl Supervisor {
    async fn start(tasks: &mut JoinSet<()>) -> (Self, u16) {
        let supervisor = Self(Arc::new(Mutex::new((json!({ "phase": "Running" }), 0))));
        let state = supervisor.clone();
        let app = Router::new().route(
            "/status",
            get(move || {
                let mut state = state.0.lock().unwrap();
                state.1 += 1;
                let answer = state.0.clone();
                async move { Json(answer) }
            }),
        );
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        (supervisor, port)
    }

    fn says(&self, report: Value) {
        self.0.lock().unwrap().0 = report;
    }

    fn asked(&self) -> u32 {
        std::mem::take(&mut self.0.lock().unwrap().1)
    }
}

fn api_with_supervised_agent() -> FakeApi {
    let api = FakeApi::default();
    let mut agent = testing::agent();
    agent["spec"]["mode"] = json!("supervised");
    api.put(AGENT, agent);
    api.put(MCP, testing::mcp());
    let mut gateway = testing::gateway();
    gateway["spec"]["allowedNamespaces"] = json!({ "from": "All" });
    api.put(GATEWAY, gateway);
    api
}

/// The Pod that the StatefulSet's controller would make of the template.
fn run_pod(api: &FakeApi, status: Value) {
    let set = api.get(SET).unwrap();
    assert_eq!(set["spec"]["replicas"], json!(1));
    let mut metadata = set["spec"]["template"]["metadata"].clone();
    metadata["name"] = json!("reviewer-0");
    metadata["namespace"] = json!("team-a");
    api.put(POD, json!({ "metadata": metadata, "status": status }));
}

fn running(ready: &str) -> Value {
    json!({
        "phase": "Running", "podIP": "127.0.0.1",
        "conditions": [{ "type": "Ready", "status": ready }],
    })
}

fn phase(api: &FakeApi) -> Value {
    api.get(AGENT).unwrap()["status"]["phase"].clone()
}

fn replicas(api: &FakeApi) -> Value {
    api.get(SET).unwrap()["spec"]["replicas"].clone()
}

/// Changes the spec, as the API server does it.
fn edit(api: &FakeApi, pointer: &str, value: Value) {
    let mut agent = api.get(AGENT).unwrap();
    *agent.pointer_mut(pointer).unwrap() = value;
    let generation = agent["metadata"]["generation"].as_i64().unwrap();
    agent["metadata"]["generation"] = json!(generation + 1);
    api.put(AGENT, agent);
}

/// One look of an operator that has just started.
async fn look(api: &FakeApi, port: u16) {
    Fresh::on(api, port).await.agent().await;
}

#[tokio::test]
async fn a_run_that_ended_is_kept_then_scaled_away_and_never_run_again() {
    let mut tasks = JoinSet::new();
    let (supervisor, port) = Supervisor::start(&mut tasks).await;
    let api = api_with_supervised_agent();
    look(&api, port).await;
    assert_eq!(phase(&api), json!("Pending"));
    run_pod(&api, running("True"));
    look(&api, port).await;
    assert_eq!(phase(&api), json!("Running"));
    assert_eq!(condition(&api, AGENT, "Ready").0, "True");

    supervisor.says(json!({
        "phase": "Failed", "exitCode": 3, "finishedAt": "2026-01-02T03:04:05Z",
    }));
    look(&api, port).await;
    let status = api.get(AGENT).unwrap()["status"].clone();
    assert_eq!(
        status["result"],
        json!({ "generation": 1, "exitCode": 3, "finishedAt": "2026-01-02T03:04:05Z" })
    );
    assert_eq!(replicas(&api), json!(1), "first the result is kept");
    look(&api, port).await;
    assert_eq!(replicas(&api), json!(0));
    api.remove(POD);
    supervisor.asked();
    api.writes();
    for _ in 0..2 {
        look(&api, port).await;
        assert_eq!(phase(&api), json!("Failed"));
        assert_eq!(condition(&api, AGENT, "Ready").1, "Failed");
        assert_eq!((api.writes(), supervisor.asked()), (vec![], 0));
    }
}

#[tokio::test]
async fn a_new_generation_runs_again_and_an_old_pod_does_not_answer_for_it() {
    let mut tasks = JoinSet::new();
    let (supervisor, port) = Supervisor::start(&mut tasks).await;
    let api = api_with_supervised_agent();
    look(&api, port).await;
    run_pod(&api, running("False"));
    supervisor.says(json!({ "phase": "Succeeded", "exitCode": 0 }));
    look(&api, port).await;
    assert_eq!(phase(&api), json!("Succeeded"));

    edit(&api, "/spec/goal/inline", json!("Another goal"));
    supervisor.asked();
    look(&api, port).await;
    assert_eq!(supervisor.asked(), 0, "the Pod is of the run before");
    assert_eq!(phase(&api), json!("Pending"));
    let template = api.get(SET).unwrap()["spec"]["template"].to_string();
    assert!(
        template.contains("Another goal") && template.contains("/2\""),
        "{template}"
    );

    edit(&api, "/spec/paused", json!(true));
    look(&api, port).await;
    assert_eq!((phase(&api), replicas(&api)), (json!("Paused"), json!(0)));
    edit(&api, "/spec/paused", json!(false));
    look(&api, port).await;
    assert_eq!(replicas(&api), json!(1));
}

#[tokio::test]
async fn a_run_under_way_is_not_begun_again_because_a_gateway_changed() {
    let mut tasks = JoinSet::new();
    let (_supervisor, port) = Supervisor::start(&mut tasks).await;
    let api = api_with_supervised_agent();
    look(&api, port).await;
    let before = api.get(SET).unwrap();
    run_pod(&api, running("True"));
    let mut gateway = api.get(GATEWAY).unwrap();
    gateway["spec"]["port"] = json!(9999);
    api.put(GATEWAY, gateway);
    look(&api, port).await;
    assert_eq!(api.get(SET).unwrap(), before);
    api.remove(POD);
    look(&api, port).await;
    assert_ne!(api.get(SET).unwrap(), before, "without a Pod it follows");
}

#[tokio::test]
async fn a_result_that_only_the_termination_message_holds_is_read_there() {
    let api = api_with_supervised_agent();
    look(&api, 1).await;
    let message = json!({ "phase": "Succeeded", "exitCode": 0 }).to_string();
    let state = json!({ "terminated": { "exitCode": 0, "message": message } });
    let mut status = running("False");
    status["containerStatuses"] = json!([{ "name": "agent", "state": state }]);
    run_pod(&api, status);
    look(&api, 1).await;
    assert_eq!(phase(&api), json!("Succeeded"));
}

#[tokio::test]
async fn a_supervisor_that_does_not_answer_is_said_and_decides_nothing() {
    let api = api_with_supervised_agent();
    look(&api, 1).await;
    run_pod(&api, running("True"));
    look(&api, 1).await;
    assert_eq!(
        condition(&api, AGENT, "Ready"),
        ("False".to_owned(), "Unreachable".to_owned())
    );
    assert_eq!((phase(&api), replicas(&api)), (json!("Running"), json!(1)));
}

#[tokio::test]
async fn a_look_at_what_is_old_does_not_run_what_was_run() {
    let api = api_with_supervised_agent();
    let fresh = Fresh::on(&api, 1).await;
    // Since then another replica led, ran the agent and kept its result.
    let mut agent = api.get(AGENT).unwrap();
    agent["status"] = json!({ "phase": "Succeeded", "result": {
        "generation": 1, "exitCode": 0, "finishedAt": "2026-01-02T03:04:05Z",
    } });
    api.put(AGENT, agent);
    fresh.agent().await;
    assert!(
        api.get(SET)
            .is_none_or(|set| set["spec"]["replicas"] == json!(0))
    );
}
