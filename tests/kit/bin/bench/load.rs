//! A closed-loop load generator: each connection sends its next request when the
//! last one is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::histogram::Histogram;
use crate::{Error, payload};

const MAX_HEADERS: usize = 64;

/// Runs the load and prints its figures.
pub(crate) async fn main(
    url: &str,
    bytes: &str,
    connections: &str,
    seconds: &str,
    headers: &[&str],
) -> Result<(), Error> {
    let bytes = bytes.parse()?;
    let duration = Duration::from_secs_f64(seconds.parse()?);
    let (addr, path) = parts(url)?;
    let request: Arc<[u8]> = request(addr, path, bytes, headers).into();
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..connections.parse()? {
        let end = begun + duration;
        clients.spawn(client(addr.to_owned(), Arc::clone(&request), bytes, end));
    }
    let mut latencies = Histogram::new();
    while let Some(client) = clients.join_next().await {
        latencies.add(&client??);
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let requests = latencies.total();
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 requests")]
    let per_second = requests as f64 / elapsed;
    let figures = serde_json::json!({
        "requests": requests,
        "seconds": elapsed,
        "requestsPerSecond": per_second,
        "p50": latencies.permille(500),
        "p90": latencies.permille(900),
        "p99": latencies.permille(990),
        "p999": latencies.permille(999),
        "max": latencies.permille(1000),
    });
    println!("{figures}");
    Ok(())
}

fn parts(url: &str) -> Result<(&str, &str), Error> {
    let rest = url.strip_prefix("http://").ok_or("URL: only http://")?;
    Ok(match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    })
}

fn request(addr: &str, path: &str, bytes: usize, headers: &[&str]) -> Vec<u8> {
    let body = payload::request(bytes);
    let length = body.len();
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n"
    );
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    format!("{head}\r\n{body}").into_bytes()
}

async fn client(
    addr: String,
    request: Arc<[u8]>,
    bytes: usize,
    end: Instant,
) -> Result<Histogram, Error> {
    let expected = payload::response(bytes);
    let mut stream = TcpStream::connect(&addr).await?;
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    let mut latencies = Histogram::new();
    loop {
        let begun = Instant::now();
        if begun >= end {
            return Ok(latencies);
        }
        stream.write_all(&request).await?;
        let length = loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err("the connection was closed in the middle of an answer".into());
            }
            if let Some(length) = answer_length(&buffer, &expected)? {
                break length;
            }
        };
        latencies.record(begun.elapsed());
        buffer.advance(length);
        buffer.reserve(64 * 1024 - buffer.len().min(64 * 1024));
    }
}

/// Length of the answer in the buffer, when it is there as a whole and right.
fn answer_length(buffer: &[u8], expected: &str) -> Result<Option<usize>, Error> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = answer.parse(buffer)? else {
        return Ok(None);
    };
    if answer.code != Some(200) {
        let text = String::from_utf8_lossy(buffer);
        return Err(format!("not a 200:\n{text}").into());
    }
    let length = answer
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .ok_or("an answer without content-length: the mock's has one, and it must come through")?;
    let length: usize = std::str::from_utf8(length.value)?.parse()?;
    let Some(body) = buffer.get(head..head + length) else {
        return Ok(None);
    };
    if body == expected.as_bytes() {
        Ok(Some(head + length))
    } else {
        Err("a body that is not the mock's".into())
    }
}
