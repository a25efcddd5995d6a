use std::sync::Arc;

use agentkube_testkit::{Gate, Outcome, Reply, Upstream};
use http_body::Body;
use tokio::time::Instant;

use super::*;
use crate::upstream::connect::Stream;
use crate::upstream::pool::http1::Http1;
use crate::upstream::pool::{Failed, IDLE};

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

/// Asks for something and answers it with these bytes.
async fn exchange(client: &UpstreamClient, raw: &Raw, stream: &mut TcpStream, bytes: &[u8]) {
    let answer = tokio::spawn(client.send(mk_request(&raw.url, "hello")));
    read(stream).await;
    stream.write_all(bytes).await.unwrap();
    assert_eq!(text(answer.await.unwrap().unwrap()).await, "ok");
}

/// The same over a new connection.
async fn exchange_anew(client: &UpstreamClient, raw: &Raw, bytes: &[u8]) -> TcpStream {
    let answer = tokio::spawn(client.send(mk_request(&raw.url, "hello")));
    let mut stream = raw.accept().await;
    read(&mut stream).await;
    stream.write_all(bytes).await.unwrap();
    assert_eq!(text(answer.await.unwrap().unwrap()).await, "ok");
    stream
}

#[tokio::test]
async fn what_comes_behind_an_answer_is_never_taken_for_the_next_one() {
    let smuggled = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad";
    let raw = Raw::start().await;
    let client = mk_client();
    // With the answer.
    let mut stream = exchange_anew(&client, &raw, &[ANSWER, smuggled].concat()).await;
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "it is kept");
    // Behind it.
    let mut stream = exchange_anew(&client, &raw, ANSWER).await;
    exchange(&client, &raw, &mut stream, ANSWER).await;
    stream.write_all(smuggled).await.unwrap();
    let place = client.0.place(&raw.url.parse().unwrap()).unwrap();
    while !place.is_empty() {
        raw.witness().await;
        place.tidy(Instant::now());
    }
    exchange_anew(&client, &raw, ANSWER).await;
}

#[tokio::test]
async fn a_request_that_an_idle_connection_does_not_take_comes_back_whole() {
    let pool = Arc::clone(&mk_client().0);
    let place = pool.place(&"http://a:81/".parse().unwrap()).unwrap();
    for sent in [&b""[..], b"HTTP/1.1 408 Request Timeout\r\n\r\n"] {
        let (ours, mut peer) = tokio::io::duplex(64);
        peer.write_all(sent).await.unwrap();
        drop(peer);
        let http1 = Http1::new(Stream::Local(Box::new(ours)));
        let request = mk_request("http://a:81/b?c", "hello");
        let Err(Failed::Unsent(back, _)) = http1.send(request, &place).await else {
            panic!("it was sent");
        };
        assert_eq!(back.uri(), "http://a:81/b?c");
        assert_eq!(
            back.into_body().collect().await.unwrap().to_bytes(),
            "hello"
        );
    }
}

#[tokio::test]
async fn connections_that_may_not_be_kept_are_closed() {
    let raw = Raw::start().await;
    let client = mk_client();
    for answer in [
        &b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"[..],
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        let mut stream = exchange_anew(&client, &raw, answer).await;
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "it is kept");
    }
}

#[tokio::test]
async fn an_idle_connection_that_is_reset_costs_no_request() {
    let raw = Raw::start().await;
    let client = mk_client();
    let stream = exchange_anew(&client, &raw, ANSWER).await;
    // Closing it so, the peer says that it was broken.
    stream.set_zero_linger().unwrap();
    drop(stream);
    exchange_anew(&client, &raw, ANSWER).await;
}

#[tokio::test]
async fn a_body_knows_how_much_is_left_of_it() {
    let raw = Raw::start().await;
    let client = mk_client();
    let answer = tokio::spawn(client.send(mk_request(&raw.url, "hello")));
    let mut stream = raw.accept().await;
    read(&mut stream).await;
    stream.write_all(ANSWER).await.unwrap();
    let mut body = answer.await.unwrap().unwrap().into_body();
    assert_eq!(body.size_hint().exact(), Some(2));
    assert!(!body.is_end_stream());
    body.frame().await.unwrap().unwrap();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.frame().await.is_none());

    let answer = tokio::spawn(client.send(mk_request(&raw.url, "hello")));
    read(&mut stream).await;
    let (head, rest) = ANSWER.split_at(ANSWER.len() - 1);
    stream.write_all(head).await.unwrap();
    let mut body = answer.await.unwrap().unwrap().into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "o"
    );
    assert_eq!(body.size_hint().exact(), Some(1));
    assert!(!body.is_end_stream());
    stream.write_all(rest).await.unwrap();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "k"
    );
    assert!(body.is_end_stream());
}

#[tokio::test]
async fn what_the_peer_says_wrong_is_told() {
    let raw = Raw::start().await;
    let client = mk_client();
    let answer = tokio::spawn(client.send(mk_request(&raw.url, "hello")));
    let mut stream = raw.accept().await;
    read(&mut stream).await;
    stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").await.unwrap();
    let error = answer.await.unwrap().unwrap_err();
    assert_eq!(error, SendError::Broken("invalid HTTP version".to_owned()));
}
