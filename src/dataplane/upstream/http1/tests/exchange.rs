use std::future::poll_fn;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

/// What a connection and its peer hold of what the other has not read.
const ROOM: usize = 1_024;

/// More than that.
const LARGE: usize = 100 * ROOM;

type Ours = Connection<DuplexStream>;

async fn ask(connection: &mut Ours, body: Bytes) {
    let request = Request::post("http://a/").body(()).unwrap();
    poll_fn(|cx| {
        assert!(connection.poll_unasked(cx).is_pending());
        connection
            .ask(cx, &request, body.clone(), &HeaderValue::from_static("a"))
            .unwrap();
        std::task::Poll::Ready(())
    })
    .await;
}

async fn head(connection: &mut Ours) -> Result<Head, Error> {
    let mut spare = HeaderMap::new();
    poll_fn(|cx| connection.poll_head(cx, &mut spare)).await
}

async fn rest(connection: &mut Ours) -> Result<Vec<u8>, Error> {
    let mut body = connection.take_whole().unwrap_or_default().to_vec();
    while let Some(piece) = poll_fn(|cx| connection.poll_data(cx)).await {
        body.extend(piece?);
    }
    Ok(body)
}

/// Reads a request with a body of that many bytes.
async fn read(peer: &mut DuplexStream, body: usize) {
    let mut seen = Vec::new();
    while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
        seen.push(peer.read_u8().await.unwrap());
    }
    peer.read_exact(&mut vec![0; body]).await.unwrap();
}

fn large() -> Bytes {
    Bytes::from(vec![b'a'; LARGE])
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let (ours, mut peer) = duplex(ROOM);
    let mut connection = Connection::new(ours);
    let served = async {
        for _ in 0..3 {
            read(&mut peer, LARGE).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
            peer.write_all(head.as_bytes()).await.unwrap();
            peer.write_all(&large()).await.unwrap();
        }
    };
    let asked = async {
        for _ in 0..3 {
            ask(&mut connection, large()).await;
            head(&mut connection).await.unwrap();
            assert_eq!(rest(&mut connection).await.unwrap().len(), LARGE);
            assert!(connection.settle());
        }
    };
    tokio::join!(served, asked);
}

#[tokio::test]
async fn a_refusal_is_seen_before_all_was_written_and_the_connection_not_kept() {
    let (ours, mut peer) = duplex(ROOM);
    let mut connection = Connection::new(ours);
    ask(&mut connection, large()).await;
    // Nothing of the request is read.
    let refusal = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno";
    peer.write_all(refusal).await.unwrap();
    assert_eq!(head(&mut connection).await.unwrap().status, 413);
    assert_eq!(rest(&mut connection).await.unwrap(), b"no");
    assert!(!connection.settle());
}

#[tokio::test]
async fn an_answer_that_begins_early_does_not_keep_the_request_from_being_written() {
    let (ours, mut peer) = duplex(ROOM);
    let mut connection = Connection::new(ours);
    ask(&mut connection, large()).await;
    let served = async {
        // It reads the request only once it was read from.
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 2 * LARGE);
        peer.write_all(head.as_bytes()).await.unwrap();
        peer.write_all(&large()).await.unwrap();
        read(&mut peer, LARGE).await;
        peer.write_all(&large()).await.unwrap();
    };
    let asked = async {
        head(&mut connection).await.unwrap();
        assert_eq!(rest(&mut connection).await.unwrap().len(), 2 * LARGE);
    };
    tokio::join!(served, asked);
    assert!(!connection.settle());
}

#[tokio::test]
async fn an_answer_of_a_peer_that_is_gone_is_read_all_the_same() {
    let (ours, mut peer) = duplex(ROOM);
    let mut connection = Connection::new(ours);
    ask(&mut connection, large()).await;
    let refusal = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno";
    peer.write_all(refusal).await.unwrap();
    // What is written to it from here on fails.
    drop(peer);
    assert_eq!(head(&mut connection).await.unwrap().status, 401);
    assert_eq!(rest(&mut connection).await.unwrap(), b"no");
    assert!(!connection.settle());
}

#[tokio::test]
async fn a_peer_that_closes_without_an_answer_is_an_error() {
    let (ours, peer) = duplex(ROOM);
    let mut connection = Connection::new(ours);
    ask(&mut connection, large()).await;
    drop(peer);
    assert!(matches!(head(&mut connection).await, Err(Error::Closed)));
}

#[tokio::test]
async fn what_nobody_asked_for_shows_before_a_request_is_written() {
    let (ours, mut peer) = duplex(ROOM);
    let mut connection = Connection::new(ours);
    peer.write_all(b"H").await.unwrap();
    let unasked = poll_fn(|cx| connection.poll_unasked(cx)).await;
    assert!(matches!(unasked, Error::Unasked), "{unasked}");
    drop(peer);
    let unasked = poll_fn(|cx| connection.poll_unasked(cx)).await;
    assert!(matches!(unasked, Error::Closed), "{unasked}");
}

#[tokio::test]
async fn pieces_come_as_they_are_sent_also_parts_of_chunks() {
    let (ours, mut peer) = duplex(ROOM);
    let mut connection = Connection::new(ours);
    ask(&mut connection, Bytes::new()).await;
    peer.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    head(&mut connection).await.unwrap();
    assert!(!connection.is_ended());
    for (sent, expected) in [
        (&b"7\r\nabc"[..], &b"abc"[..]),
        (b"d", b"d"),
        (b"efg\r", b"efg"),
        (b"\n1\r\nh\r\n", b"h"),
    ] {
        peer.write_all(sent).await.unwrap();
        let piece = poll_fn(|cx| connection.poll_data(cx))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(piece, expected);
        assert!(!connection.is_ended());
    }
    // The end is known with the last piece, where it came with it.
    peer.write_all(b"2\r\nij\r\n0\r\n\r\n").await.unwrap();
    let piece = poll_fn(|cx| connection.poll_data(cx))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(piece, &b"ij"[..]);
    assert!(connection.is_ended());
    assert!(connection.settle());
}

#[tokio::test]
async fn a_body_that_came_with_the_head_is_there_at_once() {
    let (ours, mut peer) = duplex(ROOM);
    let mut connection = Connection::new(ours);
    ask(&mut connection, Bytes::new()).await;
    peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await
        .unwrap();
    head(&mut connection).await.unwrap();
    assert_eq!(connection.left(), Some(2));
    assert_eq!(connection.take_whole().unwrap(), "ok");
    assert!(connection.is_ended());
}

#[tokio::test]
async fn headers_and_pieces_are_parts_of_what_was_read() {
    let (ours, mut peer) = duplex(ROOM);
    let mut connection = Connection::new(ours);
    ask(&mut connection, Bytes::new()).await;
    peer.write_all(b"HTTP/1.1 200 OK\r\nx: value\r\ncontent-length: 2\r\n\r\nok")
        .await
        .unwrap();
    let head = head(&mut connection).await.unwrap();
    let body = connection.take_whole().unwrap();
    let value = head.headers["x"].as_bytes().as_ptr().addr();
    // "value", the line end, and the other header.
    assert_eq!(
        body.as_ptr().addr() - value,
        "value\r\ncontent-length: 2\r\n\r\n".len()
    );
}

#[tokio::test]
async fn a_request_that_asks_to_close_gives_no_connection_back() {
    let (ours, mut peer) = duplex(ROOM);
    let mut connection = Connection::new(ours);
    let request = Request::get("http://a/")
        .header("connection", "x, close")
        .body(())
        .unwrap();
    poll_fn(|cx| {
        assert!(connection.poll_unasked(cx).is_pending());
        connection
            .ask(cx, &request, Bytes::new(), &HeaderValue::from_static("a"))
            .unwrap();
        std::task::Poll::Ready(())
    })
    .await;
    peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();
    head(&mut connection).await.unwrap();
    assert!(connection.is_ended());
    assert!(!connection.settle());
}

#[tokio::test]
async fn small_chunks_that_came_together_are_one_piece() {
    let (ours, mut peer) = duplex(64 * ROOM);
    let mut connection = Connection::new(ours);
    ask(&mut connection, Bytes::new()).await;
    let large = "x".repeat(5_000);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let text = format!("{chunked}1\r\na\r\n2;x\r\nbc\r\n1388\r\n{large}\r\n4\r\nde");
    peer.write_all(text.as_bytes()).await.unwrap();
    head(&mut connection).await.unwrap();
    for expected in ["abc", &format!("{large}de")] {
        let piece = poll_fn(|cx| connection.poll_data(cx)).await;
        assert_eq!(piece.unwrap().unwrap(), expected);
    }
    peer.write_all(b"fg\r\n0\r\n\r\n").await.unwrap();
    let piece = poll_fn(|cx| connection.poll_data(cx)).await;
    assert_eq!(piece.unwrap().unwrap(), "fg");
    assert!(connection.is_ended() && connection.settle());
}
