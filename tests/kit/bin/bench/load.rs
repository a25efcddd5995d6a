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

/// One kind of request, and what its answer has to be.
pub(crate) struct Load {
    addr: String,
    request: Vec<u8>,
    form: Form,
}

/// The form of an answer.
enum Form {
    /// This one.
    Same(String),
    /// One with the mock's text in it.
    Whole,
    /// Events up to OpenAI's terminator.
    Stream,
}

/// What one connection saw.
struct Seen {
    latencies: Histogram,
    events: usize,
}

impl Load {
    pub(crate) fn new(
        url: &str,
        model: &str,
        bytes: &str,
        form: &str,
        headers: &[&str],
    ) -> Result<Self, Error> {
        let bytes = bytes.parse()?;
        let form = match form {
            "same" => Form::Same(payload::openai(bytes)),
            "whole" => Form::Whole,
            "stream" => Form::Stream,
            _ => return Err("FORM: same, whole or stream".into()),
        };
        let (addr, path) = parts(url)?;
        let body = payload::request(bytes, model, matches!(form, Form::Stream));
        Ok(Self {
            addr: addr.to_owned(),
            request: request(addr, path, &body, headers),
            form,
        })
    }

    /// Runs the load and prints its figures.
    pub(crate) async fn run(self, connections: &str, seconds: &str) -> Result<(), Error> {
        let duration = Duration::from_secs_f64(seconds.parse()?);
        let load = Arc::new(self);
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for _ in 0..connections.parse()? {
            clients.spawn(Arc::clone(&load).client(begun + duration));
        }
        let mut latencies = Histogram::new();
        let mut events = 0;
        while let Some(client) = clients.join_next().await {
            let seen = client??;
            latencies.add(&seen.latencies);
            events += seen.events;
        }
        let elapsed = begun.elapsed().as_secs_f64();
        let requests = latencies.total();
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 requests")]
        let per_second = requests as f64 / elapsed;
        let figures = serde_json::json!({
            "requests": requests,
            "events": events,
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

    async fn client(self: Arc<Self>, end: Instant) -> Result<Seen, Error> {
        let mut stream = TcpStream::connect(&self.addr).await?;
        stream.set_nodelay(true)?;
        let mut buffer = BytesMut::with_capacity(64 * 1024);
        let mut seen = Seen {
            latencies: Histogram::new(),
            events: 0,
        };
        loop {
            let begun = Instant::now();
            if begun >= end {
                return Ok(seen);
            }
            stream.write_all(&self.request).await?;
            let (length, events) = loop {
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Err("the connection was closed in the middle of an answer".into());
                }
                if let Some(answer) = self.answer(&buffer)? {
                    break answer;
                }
            };
            seen.latencies.record(begun.elapsed());
            seen.events += events;
            buffer.advance(length);
            buffer.reserve(64 * 1024 - buffer.len().min(64 * 1024));
        }
    }

    /// Length and events of the answer in the buffer, when it is there as a whole
    /// and right.
    fn answer(&self, buffer: &[u8]) -> Result<Option<(usize, usize)>, Error> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut answer = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head) = answer.parse(buffer)? else {
            return Ok(None);
        };
        if answer.code != Some(200) {
            let text = String::from_utf8_lossy(buffer);
            return Err(format!("not a 200:\n{text}").into());
        }
        let rest = buffer.get(head..).unwrap_or_default();
        if let Form::Stream = self.form {
            // One request at a time: what is behind its last chunk is its end.
            return Ok(match rest.ends_with(b"0\r\n\r\n") {
                true => Some((buffer.len(), events(rest)?)),
                false => None,
            });
        }
        let mut headers = answer.headers.iter();
        let length = headers
            .find(|header| header.name.eq_ignore_ascii_case("content-length"))
            .ok_or("an answer without content-length")?;
        let length: usize = std::str::from_utf8(length.value)?.parse()?;
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let right = match &self.form {
            Form::Same(expected) => body == expected.as_bytes(),
            _ => count(body, payload::TEXT) > 0,
        };
        match right {
            true => Ok(Some((head + length, 0))),
            false => Err("a body that is not the mock's".into()),
        }
    }
}

/// The events of a stream that has all of the mock's text and a terminator.
fn events(body: &[u8]) -> Result<usize, Error> {
    if count(body, payload::TEXT) < payload::PIECES || count(body, "data: [DONE]") != 1 {
        return Err("a stream that is not the mock's, or was cut".into());
    }
    Ok(count(body, "data: "))
}

fn count(body: &[u8], text: &str) -> usize {
    let windows = body.windows(text.len());
    windows.filter(|window| *window == text.as_bytes()).count()
}

fn parts(url: &str) -> Result<(&str, &str), Error> {
    let rest = url.strip_prefix("http://").ok_or("URL: only http://")?;
    Ok(match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    })
}

fn request(addr: &str, path: &str, body: &str, headers: &[&str]) -> Vec<u8> {
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
