//! A provider that answers every request alike: as long as the question was, and in
//! the dialect and the form that its path and its `stream` ask for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::MissedTickBehavior;

use crate::{Error, payload};

const MAX_HEADERS: usize = 64;

/// Between two events: far enough apart that each goes through a proxy by itself.
const EVERY: Duration = Duration::from_millis(1);

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Asked {
    anthropic: bool,
    stream: bool,
    bytes: usize,
}

/// An answer, in what is written at once.
type Answer = Arc<[Vec<u8>]>;

/// Serves until it is killed.
pub(crate) async fn main(addr: &str) -> Result<(), Error> {
    let listener = TcpListener::bind(addr).await?;
    println!(
        "{}",
        serde_json::json!({"url": format!("http://{}", listener.local_addr()?)})
    );
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream));
    }
}

/// Ends when the peer closes or sends what cannot be read.
async fn serve(mut stream: TcpStream) -> Result<(), Error> {
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    let mut answers: HashMap<Asked, Answer> = HashMap::new();
    loop {
        while let Some((length, asked)) = request(&buffer)? {
            buffer.advance(length);
            let answer = answers.entry(asked).or_insert_with(|| answer(asked));
            write(&mut stream, answer).await?;
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

async fn write(stream: &mut TcpStream, answer: &[Vec<u8>]) -> Result<(), Error> {
    let [whole] = answer else {
        let mut clock = tokio::time::interval(EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for piece in answer {
            clock.tick().await;
            stream.write_all(piece).await?;
        }
        return Ok(());
    };
    Ok(stream.write_all(whole).await?)
}

fn answer(asked: Asked) -> Answer {
    let events = match asked {
        Asked {
            stream: false,
            anthropic,
            bytes,
        } => {
            let body = if anthropic {
                payload::anthropic(bytes)
            } else {
                payload::openai(bytes)
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n"
            );
            return [format!("{head}\r\n{body}").into_bytes()].into();
        }
        Asked {
            anthropic: true, ..
        } => payload::anthropic_events(),
        Asked { .. } => payload::openai_events(),
    };
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = |event: String| format!("{:x}\r\n{event}\r\n", event.len()).into_bytes();
    let mut pieces = vec![head.as_bytes().to_vec()];
    pieces.extend(events.into_iter().map(chunk));
    pieces.push(b"0\r\n\r\n".to_vec());
    pieces.into()
}

/// Length of the first request in the buffer, when it is there as a whole, and what
/// it asks for.
fn request(buffer: &[u8]) -> Result<Option<(usize, Asked)>, Error> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(buffer)? else {
        return Ok(None);
    };
    let header = |name: &str| {
        let mut headers = request.headers.iter();
        headers.find(|header| header.name.eq_ignore_ascii_case(name))
    };
    if header("transfer-encoding").is_some() {
        return Err("a chunked request: the mock takes those with a length".into());
    }
    let bytes = match header("content-length") {
        Some(length) => std::str::from_utf8(length.value)?.parse()?,
        None => 0,
    };
    let Some(body) = buffer.get(head..head + bytes) else {
        return Ok(None);
    };
    let asked = Asked {
        anthropic: request.path.is_some_and(|path| path.ends_with("/messages")),
        // Long ones are not searched: they are not asked to stream.
        stream: bytes <= 4096 && has(body, br#""stream":true"#),
        bytes,
    };
    Ok(Some((head + bytes, asked)))
}

fn has(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len()).any(|window| window == text)
}
