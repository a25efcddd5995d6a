//! One POST over plain HTTP/1.1, its answer read to the end.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::broken;

const MAX_HEADERS: usize = 64;
/// A Pod that is ready is not yet a Service that answers: packet filters follow.
const REACHED_WITHIN: Duration = Duration::from_secs(10);
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// Status and body of an answer; of an event stream, the data of its last event.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

pub(crate) async fn post(url: &str, headers: &[(&str, &str)], body: &Value) -> io::Result<Answer> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| broken("URL: only http://"))?;
    let slash = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(slash);
    let body = body.to_string();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n",
        body.len(),
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(&body);
    let mut stream = connect(host).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = BytesMut::new();
    timeout(ANSWERED_WITHIN, async {
        while stream.read_buf(&mut bytes).await? > 0 {}
        Ok::<_, io::Error>(())
    })
    .await??;
    parse(bytes)
}

async fn connect(host: &str) -> io::Result<TcpStream> {
    let begun = Instant::now();
    loop {
        match TcpStream::connect(host).await {
            Ok(stream) => return Ok(stream),
            Err(error) if begun.elapsed() > REACHED_WITHIN => return Err(error),
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}

fn parse(mut bytes: BytesMut) -> io::Result<Answer> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let parsed = head
        .parse(&bytes)
        .map_err(|error| broken(&error.to_string()))?;
    let httparse::Status::Complete(length) = parsed else {
        return Err(broken("the answer ended within its head"));
    };
    let status = head.code.unwrap_or_default();
    let has = |name: &str, value: &str| {
        head.headers.iter().any(|header| {
            header.name.eq_ignore_ascii_case(name)
                && String::from_utf8_lossy(header.value).contains(value)
        })
    };
    let (chunked, events) = (
        has("transfer-encoding", "chunked"),
        has("content-type", "text/event-stream"),
    );
    bytes.advance(length);
    let bytes = if chunked { unchunked(bytes)? } else { bytes };
    let text = String::from_utf8_lossy(&bytes);
    let data = if events { last_data(&text) } else { &text };
    // What is no JSON is shown as it is.
    let body = serde_json::from_str(data).unwrap_or_else(|_| Value::String(data.to_owned()));
    Ok(Answer { status, body })
}

fn unchunked(mut bytes: BytesMut) -> io::Result<BytesMut> {
    let mut whole = BytesMut::new();
    loop {
        let parsed = httparse::parse_chunk_size(&bytes).map_err(|_| broken("not a chunk"))?;
        let httparse::Status::Complete((start, size)) = parsed else {
            return Err(broken("the answer was cut"));
        };
        bytes.advance(start);
        if size == 0 {
            return Ok(whole);
        }
        let size = usize::try_from(size).map_err(|_| broken("a chunk too large"))?;
        if bytes.len() < size + 2 {
            return Err(broken("the answer was cut"));
        }
        whole.extend_from_slice(&bytes.split_to(size));
        bytes.advance(2);
    }
}

fn last_data(text: &str) -> &str {
    let mut data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.next_back().unwrap_or_default().trim()
}
