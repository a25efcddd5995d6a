use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Gate, Outcome, Reply, Upstream, within};

async fn send(upstream: &Upstream, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(upstream.addr()).await.unwrap();
    let length = body.len();
    let request =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    within("the end of the answer", async {
        while !String::from_utf8_lossy(&text).contains(end) {
            let length = stream.read_buf(&mut text).await.unwrap();
            assert_ne!(length, 0, "{}", String::from_utf8_lossy(&text));
        }
    })
    .await;
    String::from_utf8(text).unwrap()
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    within(
        "the end of the connection",
        stream.read_to_string(&mut text),
    )
    .await
    .unwrap();
    text
}

#[tokio::test]
async fn a_gate_holds_the_second_chunk_back() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream =
        Upstream::start(move |_| Reply::sse().chunk("one").gate(&held).chunk("two")).await;
    let mut stream = send(&upstream, "/", "").await;
    let begun = until(&mut stream, "one\r\n").await;
    gate.reached().await;
    assert!(!begun.contains("two"));
    gate.open();
    assert_eq!(
        until(&mut stream, "0\r\n\r\n").await,
        "3\r\ntwo\r\n0\r\n\r\n"
    );
    assert_eq!(upstream.outcome(0).await, Outcome::Finished);
}

#[tokio::test]
async fn a_cut_stream_has_no_last_chunk() {
    let upstream = Upstream::by_model().await;
    let body = r#"{"model": "cut-1", "stream": true}"#;
    let mut stream = send(&upstream, "/v1/chat/completions", body).await;
    let text = rest(&mut stream).await;
    assert!(text.contains("\"Hello\""), "{text}");
    assert!(!text.contains("0\r\n\r\n"), "{text}");
    assert_eq!(upstream.outcome(0).await, Outcome::Cut);
}

#[tokio::test]
async fn a_cut_document_is_shorter_than_announced() {
    let upstream = Upstream::by_model().await;
    let mut stream = send(&upstream, "/v1/messages", r#"{"model": "cut-1"}"#).await;
    let text = rest(&mut stream).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let (_, announced) = head.split_once("content-length: ").unwrap();
    assert!(body.len() < announced.parse().unwrap(), "{text}");
}

#[tokio::test]
async fn a_client_that_leaves_a_stalled_answer_is_noticed() {
    let upstream = Upstream::by_model().await;
    let body = r#"{"model": "stall-1", "stream": true}"#;
    let mut stream = send(&upstream, "/v1/messages", body).await;
    until(&mut stream, "\"Hello\"").await;
    drop(stream);
    assert_eq!(upstream.outcome(0).await, Outcome::ClientGone);
}

#[tokio::test]
async fn a_chunked_request_is_recorded_whole_and_the_connection_goes_on() {
    let upstream = Upstream::start(|_| Reply::status(204)).await;
    let mut stream = TcpStream::connect(upstream.addr()).await.unwrap();
    let request = "POST /a?b=c HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n\
                   3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    until(&mut stream, "\r\n\r\n").await;
    stream
        .write_all(b"GET /b HTTP/1.1\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    rest(&mut stream).await;
    let first = upstream.request(0).await;
    assert_eq!(first.body, "abc0123456789");
    assert_eq!((first.route(), first.query("b")), ("/a", Some("c")));
    let second = upstream.request(1).await;
    assert_eq!((second.path.as_str(), second.connection), ("/b", 0));
}

#[tokio::test]
async fn a_stopped_upstream_refuses_connections() {
    let upstream = Upstream::start(|_| Reply::status(204)).await;
    let addr = upstream.addr();
    upstream.stop().await;
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn control_tells_the_record_and_opens_gates() {
    let upstream = Arc::new(Upstream::by_model().await);
    let body = r#"{"model": "gated-1", "stream": true}"#;
    let mut gated = send(&upstream, "/v1/chat/completions", body).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nconnection: close\r\n\r\n");
    let control = async |request: String| {
        let mut stream = TcpStream::connect(upstream.addr()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        rest(&mut stream).await
    };
    assert!(
        control(get("/__gates/gated-1"))
            .await
            .contains("\"reached\":true")
    );
    let record = control(get("/__requests?model=gated-1")).await;
    assert!(record.contains("\"outcome\":\"open\""), "{record}");
    assert!(
        control(get("/__requests?model=other"))
            .await
            .ends_with("[]")
    );
    control(get("/__gates/gated-1").replace("GET", "POST")).await;
    let answer = until(&mut gated, "data: [DONE]").await;
    assert!(answer.contains("\"completion_tokens\":7"), "{answer}");
    let outcome = control(get("/__outcome?model=gated-1")).await;
    assert!(outcome.ends_with("{\"outcome\":\"finished\"}"), "{outcome}");
    assert_eq!(upstream.requests().len(), 1, "control is not on record");
}
