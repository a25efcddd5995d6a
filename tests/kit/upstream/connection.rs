//! One connection: reads requests, writes scripted answers, notes how each ended.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use http::header::CONNECTION;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{Entry, Outcome, Shared, read};
use crate::reply::{Framing, Step};
use crate::{Reply, Request, control};

/// Serves the connection until either side closes it.
pub(super) async fn serve(mut stream: TcpStream, connection: usize, shared: Arc<Shared>) {
    // Each write must be a packet of its own; loopback does it or says why not.
    stream.set_nodelay(true).expect("TCP_NODELAY");
    let mut buffer = BytesMut::new();
    // A client that goes away in the middle of a request leaves no record.
    while let Ok(Some(parts)) = read::request(&mut stream, &mut buffer).await {
        let request = Request {
            number: 0,
            connection,
            method: parts.method,
            path: parts.path,
            headers: parts.headers,
            body: parts.body,
        };
        let close = |value: &str| value.eq_ignore_ascii_case("close");
        let last = request.header(CONNECTION.as_str()).is_some_and(close);
        let outcome = answer(&mut stream, request, &shared).await;
        if outcome != Outcome::Finished || last {
            return;
        }
    }
}

async fn answer(stream: &mut TcpStream, request: Request, shared: &Shared) -> Outcome {
    if control::is_for(&request) {
        let reply = control::answer(&request, shared).await;
        return write(stream, &reply).await;
    }
    let request = record(request, shared);
    let reply = (shared.script)(&request);
    let outcome = write(stream, &reply).await;
    shared.log.send_modify(|log| {
        // The record may have been cleared meanwhile.
        let entry = log
            .iter_mut()
            .find(|entry| Arc::ptr_eq(&entry.request, &request));
        if let Some(entry) = entry {
            entry.outcome = outcome;
        }
    });
    outcome
}

fn record(mut request: Request, shared: &Shared) -> Arc<Request> {
    let mut recorded = None;
    shared.log.send_modify(|log| {
        request.number = log.len();
        let request = Arc::new(request);
        recorded = Some(Arc::clone(&request));
        log.push(Entry {
            request,
            outcome: Outcome::Open,
        });
    });
    recorded.expect("send_modify runs its closure")
}

async fn write(stream: &mut TcpStream, reply: &Reply) -> Outcome {
    match steps(stream, reply).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::ClientGone,
    }
}

async fn steps(stream: &mut TcpStream, reply: &Reply) -> io::Result<Outcome> {
    // What waits to be written: a head goes out together with its first chunk.
    let mut head = Some(reply.head_bytes());
    for step in &reply.steps {
        match step {
            Step::Head => stream.write_all(&head.take().unwrap_or_default()).await?,
            Step::Chunk(bytes) => {
                let mut packet = head.take().unwrap_or_default();
                frame(reply.framing, bytes, &mut packet);
                stream.write_all(&packet).await?;
            }
            Step::Feed(feed) => loop {
                let fed = tokio::select! {
                    fed = feed.next() => fed,
                    () = gone(stream) => return Ok(Outcome::ClientGone),
                };
                let Some(bytes) = fed else {
                    return Ok(Outcome::Cut);
                };
                let mut packet = head.take().unwrap_or_default();
                frame(reply.framing, &bytes, &mut packet);
                stream.write_all(&packet).await?;
            },
            Step::Gate(gate) => tokio::select! {
                () = gate.pass() => {}
                () = gone(stream) => return Ok(Outcome::ClientGone),
            },
            Step::Cut => return Ok(Outcome::Cut),
            Step::Stall => {
                gone(stream).await;
                return Ok(Outcome::ClientGone);
            }
        }
    }
    let mut rest = head.take().unwrap_or_default();
    if reply.framing == Framing::Chunked {
        rest.extend_from_slice(b"0\r\n\r\n");
    }
    stream.write_all(&rest).await?;
    Ok(Outcome::Finished)
}

fn frame(framing: Framing, bytes: &[u8], packet: &mut Vec<u8>) {
    match framing {
        Framing::Length => packet.extend_from_slice(bytes),
        // A chunk of length 0 would end the body.
        Framing::Chunked if bytes.is_empty() => {}
        Framing::Chunked => {
            packet.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
            packet.extend_from_slice(bytes);
            packet.extend_from_slice(b"\r\n");
        }
    }
}

/// Resolves when the client has closed its side.
async fn gone(stream: &TcpStream) {
    // A byte that comes early belongs to a next request: the client is there.
    if let Ok(1..) = stream.peek(&mut [0]).await {
        std::future::pending().await
    }
}
