//! The pool against scripted upstreams, and against servers that close when it
//! hurts most.

mod http1;
mod http2;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::upstream::{SendError, TlsRoots, UpstreamBody, UpstreamClient};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn mk_client() -> UpstreamClient {
    UpstreamClient::new(&TlsRoots::load().unwrap(), Duration::from_secs(5))
}

fn mk_request(url: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::post(url).body(Full::from(body)).unwrap()
}

async fn send(client: &UpstreamClient, url: &str) -> Result<Response<UpstreamBody>, SendError> {
    client.send(mk_request(url, "hello")).await
}

async fn text(response: Response<UpstreamBody>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A server whose every byte the test decides.
struct Raw {
    listener: TcpListener,
    url: String,
}

impl Raw {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        Self { listener, url }
    }

    async fn accept(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// A connection that has no part in it: when something comes over it, what
    /// happened before that has been noticed by this thread's runtime.
    async fn witness(&self) {
        let address = self.listener.local_addr().unwrap();
        let (one, other) = tokio::join!(TcpStream::connect(address), self.accept());
        let (mut one, mut other) = (one.unwrap(), other);
        other.write_all(b"x").await.unwrap();
        one.read_exact(&mut [0]).await.unwrap();
    }
}

/// Reads one request with the body "hello".
async fn read(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\nhello") {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "closed");
    }
    String::from_utf8(seen).unwrap()
}
