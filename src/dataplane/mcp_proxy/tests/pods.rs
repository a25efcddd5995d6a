//! Sessions with children on stdio, over two Pods.

use std::net::SocketAddr;
use std::time::Duration;

use agentkube_plan::{ClientAuth, ProxyPlan, ProxyUpstream, UpstreamKind};
use agentkube_testkit::{eventually, within};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::kit::{KEY, Sitting, Tested, legacy_message, plan, post, serve, upstream};
use super::listen::next;
use super::server::Spec;
use crate::edge::{self, Drain};
use crate::mcp_proxy::home;
use crate::upstream::{TlsRoots, UpstreamClient};

/// A legacy server that says its process id, asks for a name, and tells of
/// changed tools.
const SERVER: &str = r#"
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([^,}]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"tools/list"'*) result='{"tools":[{"name":"pid","inputSchema":{}},{"name":"ask","inputSchema":{}},{"name":"tell","inputSchema":{}}]}' ;;
    *'"ask"'*)
      printf '{"jsonrpc":"2.0","id":77,"method":"elicitation/create","params":{"message":"Who?"}}\n'
      read -r heard
      result="{\"content\":[],\"heard\":$heard}" ;;
    *'"tell"'*)
      printf '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n'
      result='{"content":[]}' ;;
    *'"tools/call"'*) result="{\"content\":[],\"pid\":$$}" ;;
    *'"notifications/'*) continue ;;
    *) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id"; continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;

/// A replica with its port for the others.
pub(super) struct Pod {
    pub(super) tested: Tested,
    pub(super) address: SocketAddr,
    drain: Drain,
    serving: JoinSet<()>,
}

fn program() -> ProxyUpstream {
    let mut upstream = upstream("p", "");
    upstream.kind = UpstreamKind::Child {
        command: ["sh", "-c", SERVER].map(str::to_owned).to_vec(),
        env: Vec::new(),
    };
    upstream
}

impl Pod {
    pub(super) async fn start(uid: &str, plan: ProxyPlan) -> Self {
        Self::start_within(uid, plan, 100).await
    }

    /// One that works on so many requests of others at once.
    async fn start_within(uid: &str, plan: ProxyPlan, most: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::listening(uid, plan, most, (listener, address)).await
    }

    /// One that takes what comes to this listener, and itself for that address.
    pub(super) async fn listening(
        uid: &str,
        plan: ProxyPlan,
        most: usize,
        (listener, address): (TcpListener, SocketAddr),
    ) -> Self {
        let tested = serve(plan).await;
        tested.proxy.lives_at(home(uid, address));
        let drain = Drain::new(Duration::from_secs(1));
        let mut serving = JoinSet::new();
        serving.spawn(edge::serve(
            listener,
            tested.proxy.relayed_within(most),
            drain.clone(),
        ));
        Self {
            tested,
            address,
            drain,
            serving,
        }
    }

    /// As when the Pod is deleted.
    pub(super) async fn stop(mut self) {
        self.drain.start();
        within("the port closes", self.serving.join_next()).await;
        self.tested.programs.stopped().await;
    }
}

#[tokio::test]
async fn a_session_is_handed_on_to_a_pod_of_ipv6() {
    // There are machines without it.
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        return;
    };
    let mut plan = plan(vec![program()]);
    plan.alone = false;
    let address = listener.local_addr().unwrap();
    let one = Pod::listening("uid-1", plan.clone(), 100, (listener, address)).await;
    let other = Pod::start("uid-2", plan).await;
    let sitting = one.tested.open(json!({})).await;
    let pid = async |sitting: &Sitting<'_>| {
        let answer = sitting.ask("tools/call", json!({"name": "pid"})).await;
        answer.result()["pid"].as_u64().unwrap()
    };
    let here = pid(&sitting).await;
    assert_eq!(pid(&sitting.at(&other.tested)).await, here);
    one.stop().await;
    other.stop().await;
}

async fn two_pods() -> (Pod, Pod) {
    let mut plan = plan(vec![program()]);
    plan.alone = false;
    let one = Pod::start("uid-1", plan.clone()).await;
    (one, Pod::start("uid-2", plan).await)
}

async fn pid(sitting: &Sitting<'_>) -> u64 {
    let answer = sitting.ask("tools/call", json!({"name": "pid"})).await;
    answer.result()["pid"].as_u64().unwrap()
}

#[tokio::test]
async fn a_session_is_served_where_its_child_is_whichever_pod_is_asked() {
    let (one, other) = two_pods().await;
    let sitting = one.tested.open(json!({})).await;
    let own = pid(&sitting).await;
    for _ in 0..3 {
        assert_eq!(pid(&sitting.at(&other.tested)).await, own);
    }
    let listed = sitting.at(&other.tested).ask("tools/list", json!({})).await;
    assert_eq!(listed.names("tools", "name"), ["ask", "pid", "tell"]);
    let count = other.tested.counted(
        r#"agentkube_requests_total{kind="mcp",namespace="team-a",name="tools",route="mcp",code="2xx"}"#,
    );
    assert_eq!(count, 4);
    let second = other.tested.open(json!({})).await;
    assert_ne!(pid(&second).await, own, "a client has its own");
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_session_that_is_ended_at_another_pod_is_ended() {
    let (one, other) = two_pods().await;
    let sitting = one.tested.open(json!({})).await;
    let own = pid(&sitting).await;
    assert_eq!(sitting.at(&other.tested).end().await, 204);
    let child = format!("/proc/{own}/status");
    eventually("the child ends", async || {
        let status = std::fs::read_to_string(&child).unwrap_or_default();
        (status.is_empty() || status.contains("State:\tZ")).then_some(())
    })
    .await;
    for pod in [&one, &other] {
        let answer = sitting.at(&pod.tested).ask("ping", json!({})).await;
        assert_eq!(answer.status, 404);
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_question_and_its_answer_pass_another_pod() {
    let (one, other) = two_pods().await;
    let sitting = one.tested.open(json!({"elicitation": {}})).await;
    let there = sitting.at(&other.tested);
    let call = legacy_message("tools/call", &json!({"name": "ask"}));
    let mut body = other.tested.send(there.post(&call)).await.into_body();
    let question = next(&mut body).await;
    assert_eq!(question["method"], "elicitation/create");
    let given = json!({"action": "accept", "content": {"name": "Ada"}});
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": given});
    assert_eq!(there.say(&answer).await.status, 202);
    let result = next(&mut body).await;
    assert_eq!(result["result"]["heard"]["id"], 77);
    assert_eq!(result["result"]["heard"]["result"], given);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn the_stream_of_a_session_passes_another_pod_and_ends_with_it() {
    let (one, other) = two_pods().await;
    let sitting = one.tested.open(json!({})).await;
    let there = sitting.at(&other.tested);
    let request = there.head("GET").body(Full::default()).unwrap();
    let answer = other.tested.send(request).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    // The stream is told of once it is open at the child.
    within("the opening event", body.frame())
        .await
        .unwrap()
        .unwrap();
    let told = async {
        loop {
            there
                .ask("tools/call", json!({"name": "tell"}))
                .await
                .result();
        }
    };
    let event = tokio::select! {
        event = next(&mut body) => event,
        () = told => unreachable!(),
    };
    assert_eq!(event["method"], "notifications/tools/list_changed");
    let drain = Drain::new(Duration::ZERO);
    drain.start();
    other.tested.proxy.clone().follow(drain).await;
    while let Some(frame) = within("the stream ends", body.frame()).await {
        frame.unwrap();
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_pod_that_is_gone_is_404_and_the_client_initialises_again() {
    let (one, other) = two_pods().await;
    let sitting = one.tested.open(json!({})).await;
    let id = sitting.id.clone();
    one.stop().await;
    let proxy = &other.tested;
    let lost = Sitting { proxy, id };
    let answer = lost.ask("tools/call", json!({"name": "pid"})).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    let request = lost.head("GET").body(Full::default()).unwrap();
    assert_eq!(proxy.exchange(request).await.status, 404);
    pid(&proxy.open(json!({})).await).await;
    other.stop().await;
}

#[tokio::test]
async fn a_pod_that_drains_takes_nothing_on_for_its_sessions() {
    let (one, other) = two_pods().await;
    let sitting = one.tested.open(json!({})).await;
    let drain = Drain::new(Duration::ZERO);
    drain.start();
    one.tested.proxy.clone().follow(drain).await;
    let there = sitting.at(&other.tested);
    assert_eq!(there.ask("ping", json!({})).await.status, 404);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_pod_that_is_busy_is_503_and_its_sessions_are_not_gone() {
    let mut plan = plan(vec![program()]);
    plan.alone = false;
    let one = Pod::start_within("uid-1", plan.clone(), 0).await;
    let other = Pod::start("uid-2", plan).await;
    let sitting = one.tested.open(json!({})).await;
    let there = sitting.at(&other.tested);
    let answer = there.ask("tools/call", json!({"name": "pid"})).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    pid(&sitting).await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_session_without_programs_is_served_anywhere() {
    let server = Spec::legacy(&["echo"]).start().await;
    let plan = plan(vec![upstream("a", &server.endpoint())]);
    let one = Pod::start("uid-1", plan.clone()).await;
    let other = Pod::start("uid-2", plan).await;
    let sitting = one.tested.open(json!({})).await;
    let id = sitting.id.clone();
    one.stop().await;
    let proxy = &other.tested;
    let same = Sitting { proxy, id };
    same.ask("tools/call", json!({"name": "echo"}))
        .await
        .result();
    other.stop().await;
}

/// What comes to a port, and how it is answered.
async fn raw(address: SocketAddr, head: http::request::Builder, body: &str) -> u16 {
    let client = UpstreamClient::new(&TlsRoots::load().unwrap(), Duration::from_secs(5));
    let request = head.uri(format!("http://{address}/mcp"));
    let request = request.body(Full::from(body.to_owned())).unwrap();
    client.send(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_port_serves_replicas_and_no_client_whatever_key_it_has() {
    let mut plan = plan(vec![program()]);
    plan.auth = ClientAuth::Apikey;
    let pod = Pod::start("uid-1", plan).await;
    let hello = legacy_message("initialize", &json!({"protocolVersion": "2025-11-25"}));
    let key = || post().header("authorization", format!("Bearer {KEY}"));
    assert_eq!(raw(pod.address, key(), &hello.to_string()).await, 403);
    let made_up = key().header("x-agentkube-relay", "AAAA");
    assert_eq!(raw(pod.address, made_up, &hello.to_string()).await, 403);
    let get = Request::get("/livez");
    assert_eq!(raw(pod.address, get, "").await, 403);
    pod.stop().await;
}

/// Takes one request like a Pod, says nothing of use, and gives what it heard.
async fn impostor(listener: TcpListener) -> (String, Bytes) {
    let (stream, _) = listener.accept().await.unwrap();
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let heard = heard.clone();
        async move {
            let ticket = request.headers()["x-agentkube-relay"].clone();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            heard
                .send((ticket.to_str().unwrap().to_owned(), body))
                .unwrap();
            let forged = json!({"jsonrpc": "2.0", "id": "client-1", "result": {"pid": 1}});
            Ok::<_, std::convert::Infallible>(http::Response::new(Full::<Bytes>::from(
                forged.to_string(),
            )))
        }
    });
    let io = hyper_util::rt::TokioIo::new(stream);
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
    tokio::select! {
        heard = hears.recv() => {
            // The answer still has to go out.
            heard.unwrap()
        }
        _ = connection => hears.recv().await.unwrap(),
    }
}

#[tokio::test]
async fn another_owner_of_the_address_neither_reads_nor_answers() {
    let mut bound = plan(vec![program()]);
    bound.alone = false;
    let one = Pod::start("uid-1", bound.clone()).await;
    let other = Pod::start("uid-2", bound).await;
    let id = one.tested.open(json!({})).await.id;
    let address = one.address;
    one.stop().await;
    let listener = TcpListener::bind(address).await.unwrap();
    let impostor = tokio::spawn(impostor(listener));
    let proxy = &other.tested;
    let lost = Sitting { proxy, id };
    let call = json!({"name": "pid", "arguments": {"secret": "of the client"}});
    let answer = lost.ask("tools/call", call).await;
    assert!(matches!(answer.status, 404 | 502), "{answer:?}");
    assert!(!answer.text.contains("pid"), "{answer:?}");
    let (ticket, body) = impostor.await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    assert!(!body.contains("client") && !ticket.contains("agent"));
    // What it heard is of no use at a Pod either.
    let shown = Request::post("/").header("x-agentkube-relay", &ticket);
    assert_eq!(raw(other.address, shown, &body).await, 403);
    other.stop().await;
}

/// A Pod that hands everything that it hears on to another address, twice.
pub(super) async fn shows_twice(listener: TcpListener, to: SocketAddr) -> [u16; 2] {
    let (ticket, body) = impostor(listener).await;
    let client = UpstreamClient::new(&TlsRoots::load().unwrap(), Duration::from_secs(5));
    let mut statuses = [0; 2];
    for status in &mut statuses {
        let request = Request::post(format!("http://{to}/"))
            .header("x-agentkube-relay", &ticket)
            .body(Full::from(body.clone()))
            .unwrap();
        *status = client.send(request).await.unwrap().status().as_u16();
    }
    statuses
}

#[tokio::test]
async fn a_ticket_is_good_once() {
    let (one, other) = two_pods().await;
    // Whoever listens in hears the ticket first, and shows it to the right Pod.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ear = listener.local_addr().unwrap();
    let third = serve(plan(vec![program()])).await;
    third.proxy.lives_at(home("uid-1", ear));
    let id = third.open(json!({})).await.id;
    let listening = tokio::spawn(shows_twice(listener, one.address));
    let proxy = &other.tested;
    Sitting { proxy, id }.ask("ping", json!({})).await;
    assert_eq!(listening.await.unwrap(), [200, 403]);
    one.stop().await;
    other.stop().await;
    third.programs.stopped().await;
}

#[tokio::test]
async fn what_was_handed_on_is_not_handed_on_again() {
    // The id says that the session lives in a third Pod, at the address of the first.
    let (one, other) = two_pods().await;
    let third = serve(plan(vec![program()])).await;
    third.proxy.lives_at(home("uid-3", one.address));
    let id = third.open(json!({})).await.id;
    let proxy = &other.tested;
    let call: Value = json!({"name": "pid"});
    let answer = Sitting { proxy, id }.ask("tools/call", call).await;
    assert_eq!(answer.status, 404);
    one.stop().await;
    other.stop().await;
    third.programs.stopped().await;
}
