//! A shim over small programs in the shell's language.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tempfile::TempDir;

use agentkube_mcp::header;

use super::*;
use crate::upstream::{Local, UpstreamClient};

/// Answers the greeting, `tools/call` with its process id, and writes down what
/// it reads. `$1` is the file for that.
const LEGACY: &str = r#"
echo 'a banner that is no message'
echo 'and a word on stderr' >&2
while read -r line; do
  printf '%s\n' "$line" >> "$1"
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([^,}]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"tools/call"'*'"crash"'*) exit 3 ;;
    *'"tools/call"'*'"hang"'*) continue ;;
    *'"tools/call"'*'"talk"'*)
      printf '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1}}\n'
      result='{"content":[]}' ;;
    *'"tools/call"'*) result="{\"pid\":$$}" ;;
    *'"notifications/'*) continue ;;
    *) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id"; continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;

/// Knows 2026-07-28 only.
const MODERN: &str = r#"
while read -r line; do
  printf '%s\n' "$line" >> "$1"
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([^,}]*\).*/\1/p')
  case "$line" in
    *'"server/discover"'*) result='{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}' ;;
    *'"hang"'*) continue ;;
    *'"notifications/'*) continue ;;
    *) result="{\"pid\":$$}" ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;

struct Tested {
    shim: Shim,
    programs: Programs,
    client: UpstreamClient,
    folder: TempDir,
}

struct Answer {
    status: StatusCode,
    session: Option<HeaderValue>,
    media_type: String,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn pid(&self) -> u64 {
        self.json()["result"]["pid"].as_u64().unwrap()
    }
}

fn launch(script: &str, folder: &TempDir) -> Launch {
    let log = folder.path().join("read");
    let command = ["sh", "-c", script, "sh", log.to_str().unwrap()];
    Launch {
        name: "test".to_owned(),
        command: command.map(str::to_owned).to_vec(),
        inherit: Inherit::Basics,
        env: BTreeMap::new(),
        message_bytes: 64 * 1024,
        idle: Duration::from_secs(600),
    }
}

fn over(script: &str) -> Tested {
    let folder = TempDir::new().unwrap();
    let programs = Programs::default();
    let shim = Shim::new(launch(script, &folder), &programs);
    let client = UpstreamClient::local(Local::Shim(shim.clone()));
    Tested {
        shim,
        programs,
        client,
        folder,
    }
}

fn call(id: u64, tool: &str) -> Value {
    json!({
        "jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": { "name": tool, "_meta": { "progressToken": "t" } },
    })
}

impl Tested {
    async fn send(&self, method: &str, session: Option<&HeaderValue>, body: &Value) -> Answer {
        let mut request = Request::builder().method(method).uri("http://program/mcp");
        if let Some(session) = session {
            request = request.header(header::SESSION_ID, session);
        }
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let response = self.client.send(request).await.unwrap();
        let (head, body) = response.into_parts();
        let media_type = head.headers.get("content-type");
        Answer {
            status: head.status,
            session: head.headers.get(header::SESSION_ID).cloned(),
            media_type: media_type
                .map(|it| it.to_str().unwrap().to_owned())
                .unwrap_or_default(),
            text: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        }
    }

    async fn open(&self) -> HeaderValue {
        let answer = self.send("POST", None, &greeting()).await;
        assert_eq!(answer.json()["id"], 7, "{}", answer.text);
        answer.session.unwrap()
    }

    fn read(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("read")).unwrap_or_default()
    }

    /// Until the program read this: it may take it a while.
    async fn reads(&self, piece: &str) {
        let wait = async {
            while !self.read().contains(piece) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait)
            .await
            .unwrap();
    }
}

fn greeting() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 7, "method": "initialize",
        "params": { "protocolVersion": "2025-11-25", "capabilities": {} },
    })
}

fn discover() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {} })
}

async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

fn is_alive(pid: u64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

#[tokio::test]
async fn a_session_has_a_child_of_its_own() {
    let tested = over(LEGACY);
    let (one, other) = (tested.open().await, tested.open().await);
    let first = tested.send("POST", Some(&one), &call(1, "x")).await.pid();
    assert_eq!(
        tested.send("POST", Some(&one), &call(2, "x")).await.pid(),
        first
    );
    assert_ne!(
        tested.send("POST", Some(&other), &call(1, "x")).await.pid(),
        first
    );
    assert_eq!(tested.shim.children(), 2);
    assert_eq!(
        tested.send("DELETE", Some(&one), &Value::Null).await.status,
        200
    );
    assert_eq!(
        tested.send("POST", Some(&one), &call(3, "x")).await.status,
        404
    );
    tested.programs.stopped().await;
    assert!(!is_alive(first), "no child is left");
}

#[tokio::test]
async fn the_question_of_the_era_and_the_greeting_go_to_one_child() {
    let tested = over(LEGACY);
    let answer = tested.send("POST", None, &discover()).await;
    assert_eq!(answer.json()["error"]["code"], -32601);
    tested.open().await;
    assert_eq!(tested.shim.children(), 1);
    tested.programs.stopped().await;
}

#[tokio::test]
async fn a_program_that_never_answers_what_it_does_not_know_is_greeted_all_the_same() {
    let arms = "case \"$line\" in\n    *'\"server/discover\"'*) continue ;;";
    let tested = over(&LEGACY.replacen("case \"$line\" in", arms, 1));
    let asked = discover();
    let late = async {
        tested.reads("server/discover").await;
        pass(Duration::from_secs(5)).await;
    };
    let (answer, ()) = tokio::join!(tested.send("POST", None, &asked), late);
    assert_eq!(answer.json()["error"]["code"], -32601, "so it is legacy");
    let session = tested.open().await;
    let call = call(1, "x");
    assert!(tested.send("POST", Some(&session), &call).await.pid() > 0);
    tested.programs.stopped().await;
}

#[tokio::test]
async fn many_sessions_never_hold_many_children_and_leave_none() {
    let tested = over(LEGACY);
    let mut pids = BTreeSet::new();
    let mut first = None;
    for at in 0..60 {
        let session = tested.open().await;
        pids.insert(
            tested
                .send("POST", Some(&session), &call(1, "x"))
                .await
                .pid(),
        );
        assert!(tested.shim.children() <= MOST_CHILDREN, "after {at}");
        first.get_or_insert(session);
    }
    let gone = tested.send("POST", first.as_ref(), &call(2, "x")).await;
    assert_eq!(
        gone.status, 404,
        "the session that was idle for longest gave way"
    );
    tested.programs.stopped().await;
    assert_eq!(pids.len(), 60);
    assert!(pids.into_iter().all(|pid| !is_alive(pid)));
}

#[tokio::test]
async fn busy_children_give_way_to_nobody() {
    let tested = Arc::new(over(LEGACY));
    let mut hanging = Vec::new();
    for _ in 0..MOST_CHILDREN {
        let session = tested.open().await;
        let busy = Arc::clone(&tested);
        hanging.push(tokio::spawn(async move {
            busy.send("POST", Some(&session), &call(1, "hang")).await;
        }));
    }
    while tested.read().matches("hang").count() < MOST_CHILDREN {
        tokio::task::yield_now().await;
    }
    // Whoever asks waits in line, and not for ever; here time passes at once.
    tokio::time::pause();
    let refused = tested.send("POST", None, &greeting()).await;
    tokio::time::resume();
    assert_eq!(refused.status, 503);
    assert!(refused.text.contains("busy"), "{}", refused.text);
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
    tested.programs.stopped().await;
}

#[tokio::test]
async fn who_waits_in_line_gets_the_first_child_that_is_done() {
    let tested = Arc::new(over(LEGACY));
    let mut hanging = Vec::new();
    for _ in 0..MOST_CHILDREN {
        let session = tested.open().await;
        let busy = Arc::clone(&tested);
        hanging.push(tokio::spawn(async move {
            busy.send("POST", Some(&session), &call(1, "hang")).await;
        }));
    }
    while tested.read().matches("hang").count() < MOST_CHILDREN {
        tokio::task::yield_now().await;
    }
    let greeting = greeting();
    let mut waiting = Box::pin(tested.send("POST", None, &greeting));
    let polled = futures::poll!(&mut waiting);
    assert!(polled.is_pending());
    // Its client goes away, so it is idle.
    hanging[3].abort();
    assert_eq!(waiting.await.status, 200);
    assert!(tested.shim.children() <= MOST_CHILDREN);
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
    tested.programs.stopped().await;
}

#[tokio::test]
async fn children_that_are_ending_count_until_they_are_gone() {
    // It outlives stdin until it is told by a signal.
    let tested = over(&format!("{LEGACY}\nexec sleep 1000"));
    let mut first = None;
    for _ in 0..MOST_CHILDREN {
        let session = tested.open().await;
        let pid = tested
            .send("POST", Some(&session), &call(1, "x"))
            .await
            .pid();
        first.get_or_insert(pid);
    }
    let started = tested.read().matches("initialize").count();
    let greeting = greeting();
    let mut waiting = Box::pin(tested.send("POST", None, &greeting));
    let mut seen_ending = false;
    let opened = loop {
        if let std::task::Poll::Ready(opened) = futures::poll!(&mut waiting) {
            break opened;
        }
        if is_alive(first.unwrap()) {
            seen_ending = true;
            let now = tested.read().matches("initialize").count();
            assert_eq!(now, started, "none is started while it is there");
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(opened.status, 200);
    assert!(seen_ending && !is_alive(first.unwrap()));
    tested.programs.stopped().await;
}

#[tokio::test]
async fn a_session_whose_client_left_while_it_was_opened_is_the_next_ones() {
    let tested = over(LEGACY);
    let pool = &tested.shim.0.pool;
    let params = r#"{"protocolVersion":"2025-11-25","capabilities":{}}"#;
    // One leaves before the answer, one when it is there and was not looked at.
    for waits in [false, true] {
        let mut leaving = Box::pin(pool.open(params));
        assert!(futures::poll!(&mut leaving).is_pending());
        if waits {
            while Arc::strong_count(pool) > 2 {
                tokio::task::yield_now().await;
            }
        }
        drop(leaving);
        while pool.held().orphans.is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(tested.shim.children(), 1);
        let opened = pool.open(params).await.unwrap();
        assert_eq!(tested.shim.children(), 1, "the same child");
        let session = HeaderValue::try_from(opened.session.unwrap()).unwrap();
        let ended = tested.send("DELETE", Some(&session), &Value::Null).await;
        assert_eq!(ended.status, 200);
        while tested.shim.children() > 0 {
            tokio::task::yield_now().await;
        }
    }
    tested.programs.stopped().await;
}

#[tokio::test]
async fn who_is_idle_for_too_long_loses_its_process_and_who_works_does_not() {
    let tested = Arc::new(over(LEGACY));
    let (idle, busy) = (tested.open().await, tested.open().await);
    let works = Arc::clone(&tested);
    let hanging = tokio::spawn(async move {
        works.send("POST", Some(&busy), &call(1, "hang")).await;
    });
    tested.reads("hang").await;
    tested.shim.0.pool.held().sweep(Duration::ZERO);
    let gone = tested.send("POST", Some(&idle), &call(1, "x")).await;
    assert_eq!(gone.status, 404);
    while tested.shim.children() > 1 {
        tokio::task::yield_now().await;
    }
    assert!(!hanging.is_finished());
    hanging.abort();
    tested.programs.stopped().await;
}

#[tokio::test]
async fn what_a_dead_child_did_not_get_was_not_accepted() {
    let tested = over(LEGACY);
    let session = tested.open().await;
    let told = json!({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"});
    let taken = tested.send("POST", Some(&session), &told).await;
    assert_eq!(taken.status, 202);
    tested.send("POST", Some(&session), &call(1, "crash")).await;
    pass(Duration::from_secs(1)).await;
    let lost = tested.send("POST", Some(&session), &told).await;
    assert_eq!(lost.status, 404);
    tested.programs.stopped().await;
}

#[tokio::test]
async fn a_child_that_ends_in_a_call_fails_that_call_and_its_session() {
    let tested = over(LEGACY);
    let session = tested.open().await;
    let answer = tested.send("POST", Some(&session), &call(1, "crash")).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["id"], 1);
    assert!(answer.text.contains("ended"), "{}", answer.text);
    // What ends so soon is not started again at once.
    pass(Duration::from_secs(1)).await;
    assert_eq!(
        tested
            .send("POST", Some(&session), &call(2, "x"))
            .await
            .status,
        404
    );
    let again = tested.open().await;
    assert!(tested.send("POST", Some(&again), &call(1, "x")).await.pid() > 0);
    tested.programs.stopped().await;
}

#[tokio::test]
async fn a_program_that_answers_and_ends_is_started_after_longer_and_longer_pauses() {
    let tested =
        over(&format!("echo >> \"$1.started\"; {LEGACY}").replace("done\n", "exit; done\n"));
    let started = || {
        let text = std::fs::read_to_string(tested.folder.path().join("read.started"));
        text.unwrap_or_default().lines().count()
    };
    let pool = &tested.shim.0.pool;
    for pause in [1, 2, 4] {
        let before = started();
        assert!(pool.open("{}").await.unwrap().session.is_some());
        let pauses = async {
            while tested.shim.children() > 0 || !pool.held().is_waiting() {
                tokio::task::yield_now().await;
            }
        };
        agentkube_testkit::within("it ended, and a pause began", pauses).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_millis(pause * 1000 - 900)).await;
        let refused = pool.open("{}").await.err().unwrap().to_string();
        assert!(refused.contains("soon after"), "{refused}");
        tokio::time::advance(Duration::from_millis(900)).await;
        tokio::time::resume();
        assert_eq!(started(), before + 1, "one start in {pause}s");
    }
    tested.programs.stopped().await;
}

#[tokio::test]
async fn who_lived_for_some_seconds_is_started_again_at_once() {
    let tested = over(LEGACY);
    let session = tested.open().await;
    pass(Duration::from_secs(6)).await;
    let answer = tested.send("POST", Some(&session), &call(1, "crash")).await;
    assert_eq!(answer.status, 503);
    tested.open().await;
    tested.programs.stopped().await;
}

#[tokio::test]
async fn a_child_that_we_end_counts_as_no_failure() {
    let tested = over(LEGACY);
    for _ in 0..3 {
        let session = tested.open().await;
        tested.send("DELETE", Some(&session), &Value::Null).await;
        while tested.shim.children() > 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(!tested.shim.0.pool.held().is_waiting());
    tested.programs.stopped().await;
}

#[tokio::test]
async fn messages_before_the_answer_come_as_events() {
    let tested = over(LEGACY);
    let session = tested.open().await;
    let answer = tested.send("POST", Some(&session), &call(1, "talk")).await;
    assert_eq!(answer.media_type, "text/event-stream");
    let (progress, result) = answer.text.split_once("\n\n").unwrap();
    assert!(progress.contains("notifications/progress") && result.contains("\"result\""));
    tested.programs.stopped().await;
}

#[tokio::test]
async fn modern_requests_share_a_child_and_a_client_that_leaves_cancels() {
    let tested = over(MODERN);
    let answer = tested.send("POST", None, &discover()).await;
    assert_eq!(
        answer.json()["result"]["supportedVersions"][0],
        "2026-07-28"
    );
    let one = tested.send("POST", None, &call(2, "x")).await.pid();
    assert_eq!(tested.send("POST", None, &call(3, "x")).await.pid(), one);
    let body = call(4, "hang");
    let hanging = tested.send("POST", None, &body);
    tokio::select! {
        _ = hanging => panic!("it hangs"),
        () = tested.reads("hang") => {}
    }
    tested.reads("notifications/cancelled").await;
    assert!(tested.read().contains("\"requestId\":4"));
    assert_eq!(tested.shim.children(), 1);
    tested.programs.stopped().await;
}

#[tokio::test]
async fn a_program_that_cannot_be_started_says_so_to_whoever_connects() {
    let folder = TempDir::new().unwrap();
    let mut launch = launch("", &folder);
    launch.command = vec!["/nowhere/at-all".to_owned()];
    let programs = Programs::default();
    let client = UpstreamClient::local(Local::Shim(Shim::new(launch, &programs)));
    for _ in 0..2 {
        let request = Request::post("http://program/mcp")
            .body(Full::default())
            .unwrap();
        let error = client.send(request).await.unwrap_err().to_string();
        assert!(
            error.contains("cannot start the program: No such file"),
            "{error}"
        );
    }
    programs.stopped().await;
}

/// Time is not waited for: it passes at once when only timers are left.
#[tokio::test(start_paused = true)]
async fn a_program_that_will_not_end_is_killed_with_what_it_started() {
    let tested = over(&format!(
        "trap '' TERM; (trap '' TERM; exec sleep 1000) & echo $! > \"$1.pid\"; {LEGACY}\nsleep 1000"
    ));
    tokio::time::resume();
    let session = tested.open().await;
    let leader = tested
        .send("POST", Some(&session), &call(1, "x"))
        .await
        .pid();
    let kept = tested.folder.path().join("read.pid");
    let kept: u64 = std::fs::read_to_string(kept)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(is_alive(leader) && is_alive(kept));
    tokio::time::pause();
    tested.programs.stopped().await;
    assert!(!is_alive(leader));
    while is_alive(kept) {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_child_and_not_the_shim() {
    let tested = over(r#"read -r line; head -c 200000 /dev/zero | tr '\0' x; echo; read -r line"#);
    let answer = tested.send("POST", None, &greeting()).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    tested.programs.stopped().await;
}

#[tokio::test]
async fn only_what_a_program_needs_is_inherited() {
    let tested = over(
        r#"
read -r line
names=$(env | cut -d= -f1 | tr '\n' ' ')
printf '{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"%s"}}\n' "$names"
"#,
    );
    let answer = tested.send("POST", None, &greeting()).await;
    let names = answer.json()["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(names.contains("PATH"), "{names}");
    assert!(!names.contains("CARGO"), "{names}");
    assert!(
        answer.session.is_none(),
        "a refused greeting opens no session"
    );
    tested.programs.stopped().await;
    assert_eq!(tested.shim.children(), 0);
}
