use agentkube_testkit::{Gate, Outcome, Reply, Upstream};
use tokio::time::Instant;

use super::*;
use crate::upstream::pool::IDLE;

fn ok(_: &agentkube_testkit::Request) -> Reply {
    Reply::text(200, "text/plain", "ok")
}

#[tokio::test]
async fn a_connection_is_used_again_once_its_answer_was_read() {
    let upstream = Upstream::start(ok).await;
    let client = mk_client();
    for number in 0..3 {
        assert_eq!(
            text(send(&client, &upstream.url("/a?b")).await.unwrap()).await,
            "ok"
        );
        let seen = upstream.request(number).await;
        assert_eq!((seen.connection, seen.path.as_str()), (0, "/a?b"));
        assert_eq!(seen.body, "hello");
    }
}

#[tokio::test]
async fn the_host_is_that_of_the_address_unless_it_was_set() {
    let raw = Raw::start().await;
    let client = mk_client();
    let mut request = mk_request(&raw.url, "hello");
    let answer = tokio::spawn(client.send(request.clone()));
    let mut stream = raw.accept().await;
    let address = raw.listener.local_addr().unwrap().to_string();
    assert!(
        read(&mut stream)
            .await
            .contains(&format!("host: {address}\r\n"))
    );
    stream.write_all(ANSWER).await.unwrap();
    text(answer.await.unwrap().unwrap()).await;

    request
        .headers_mut()
        .insert("host", "other.example".parse().unwrap());
    let answer = tokio::spawn(client.send(request));
    assert!(read(&mut stream).await.contains("host: other.example\r\n"));
    stream.write_all(ANSWER).await.unwrap();
    answer.await.unwrap().unwrap();
}

#[tokio::test]
async fn requests_at_once_have_connections_of_their_own_and_leave_them() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream = Upstream::start(move |request| ok(request).gate(&held)).await;
    let client = mk_client();
    let url = upstream.url("/");
    let both = async { tokio::join!(send(&client, &url), send(&client, &url)) };
    let open = async {
        gate.reached_times(2).await;
        gate.open();
    };
    let ((one, other), ()) = tokio::join!(both, open);
    text(one.unwrap()).await;
    text(other.unwrap()).await;
    text(send(&client, &url).await.unwrap()).await;
    let connections = [0, 1, 2].map(|number| upstream.request(number));
    let [a, b, c] = connections;
    let (a, b, c) = (a.await.connection, b.await.connection, c.await.connection);
    assert_ne!(a, b);
    assert!(c == a || c == b, "{c} is a third one");
}

#[tokio::test]
async fn pieces_come_as_they_are_sent_to_whoever_reads() {
    let (first, second) = (Gate::new(), Gate::new());
    let (one, two) = (first.clone(), second.clone());
    let upstream = Upstream::start(move |_| {
        Reply::sse()
            .head()
            .gate(&one)
            .chunk("data: 1\n\n")
            .gate(&two)
            .chunk("data: 2\n\n")
    })
    .await;
    let client = mk_client();
    let mut body = send(&client, &upstream.url("/")).await.unwrap().into_body();
    first.open();
    // Another task than the one that sent the request.
    let (piece, mut body) = tokio::spawn(async move {
        let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        (piece, body)
    })
    .await
    .unwrap();
    assert_eq!(piece, "data: 1\n\n");
    second.reached().await;
    second.open();
    let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(piece, "data: 2\n\n");
    assert!(body.frame().await.is_none());
    send(&client, &upstream.url("/")).await.unwrap();
    assert_eq!(upstream.request(1).await.connection, 0);
}

#[tokio::test]
async fn a_large_answer_comes_whole() {
    let large: String = "0123456789abcdef".repeat(512 * 1024);
    let answer = large.clone();
    let upstream = Upstream::start(move |_| Reply::text(200, "text/plain", answer.clone())).await;
    let client = mk_client();
    for _ in 0..2 {
        assert_eq!(
            text(send(&client, &upstream.url("/")).await.unwrap()).await,
            large
        );
    }
    assert_eq!(upstream.request(1).await.connection, 0);
}

#[tokio::test]
async fn an_answer_that_is_dropped_closes_its_connection() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream = Upstream::start(move |_| Reply::sse().chunk("data: 1\n\n").gate(&held)).await;
    let client = mk_client();
    let response = send(&client, &upstream.url("/")).await.unwrap();
    gate.reached().await;
    drop(response);
    assert_eq!(upstream.outcome(0).await, Outcome::ClientGone);
    gate.open();
    text(send(&client, &upstream.url("/")).await.unwrap()).await;
    assert_eq!(upstream.request(1).await.connection, 1);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_costs_no_request() {
    let raw = Raw::start().await;
    let client = mk_client();
    let answer = tokio::spawn(client.send(mk_request(&raw.url, "hello")));
    let mut stream = raw.accept().await;
    read(&mut stream).await;
    stream.write_all(ANSWER).await.unwrap();
    assert_eq!(text(answer.await.unwrap().unwrap()).await, "ok");
    drop(stream);
    raw.witness().await;

    let answer = tokio::spawn(client.send(mk_request(&raw.url, "hello")));
    let mut stream = raw.accept().await;
    read(&mut stream).await;
    stream.write_all(ANSWER).await.unwrap();
    assert_eq!(text(answer.await.unwrap().unwrap()).await, "ok");
}

#[tokio::test]
async fn a_request_that_was_written_is_never_sent_again() {
    let raw = Raw::start().await;
    let client = mk_client();
    let answer = tokio::spawn(client.send(mk_request(&raw.url, "hello")));
    let mut stream = raw.accept().await;
    read(&mut stream).await;
    stream.write_all(ANSWER).await.unwrap();
    text(answer.await.unwrap().unwrap()).await;

    let answer = tokio::spawn(client.send(mk_request(&raw.url, "hello")));
    read(&mut stream).await;
    drop(stream);
    let error = answer.await.unwrap().unwrap_err();
    assert!(matches!(error, SendError::Broken(_)), "{error}");
    let another = tokio::time::timeout(Duration::ZERO, raw.accept()).await;
    assert!(another.is_err(), "it was sent again");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_its_connection_gone() {
    let upstream = Upstream::start(|request| match request.number {
        0 => Reply::stream("text/plain").chunk("some of it").cut(),
        _ => ok(request),
    })
    .await;
    let client = mk_client();
    let response = send(&client, &upstream.url("/")).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    text(send(&client, &upstream.url("/")).await.unwrap()).await;
    assert_eq!(upstream.request(1).await.connection, 1);
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_is_asked_anew() {
    let raw = Raw::start().await;
    let client = mk_client();
    for _ in 0..2 {
        let answer = tokio::spawn(client.send(mk_request(&raw.url, "hello")));
        let mut stream = raw.accept().await;
        read(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end";
        stream.write_all(head).await.unwrap();
        drop(stream);
        assert_eq!(text(answer.await.unwrap().unwrap()).await, "until the end");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time() {
    let raw = Raw::start().await;
    let client = mk_client();
    let answer = tokio::spawn(client.send(mk_request(&raw.url, "hello")));
    let mut stream = raw.accept().await;
    read(&mut stream).await;
    stream.write_all(ANSWER).await.unwrap();
    text(answer.await.unwrap().unwrap()).await;

    // From here on time passes when nothing else happens.
    tokio::time::pause();
    let since = Instant::now();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    let idle = since.elapsed();
    assert!((IDLE..IDLE * 2).contains(&idle), "{idle:?}");
}

#[tokio::test]
async fn a_client_that_is_gone_closes_what_it_kept() {
    let raw = Raw::start().await;
    let client = mk_client();
    let answer = tokio::spawn(client.send(mk_request(&raw.url, "hello")));
    let mut stream = raw.accept().await;
    read(&mut stream).await;
    stream.write_all(ANSWER).await.unwrap();
    text(answer.await.unwrap().unwrap()).await;
    drop(client);
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}
