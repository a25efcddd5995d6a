//! A provider that answers every request with the same document.

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{Error, payload};

const MAX_HEADERS: usize = 64;

/// Serves until it is killed.
pub(crate) async fn main(addr: &str, bytes: &str) -> Result<(), Error> {
    let body = payload::response(bytes.parse()?);
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer: &'static [u8] = Box::leak(answer.into_bytes().into_boxed_slice());
    let listener = TcpListener::bind(addr).await?;
    println!(
        "{}",
        serde_json::json!({"url": format!("http://{}", listener.local_addr()?)})
    );
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, answer));
    }
}

/// Ends when the peer closes or sends what cannot be read.
async fn serve(mut stream: TcpStream, answer: &'static [u8]) -> Result<(), Error> {
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    loop {
        while let Some(length) = request_length(&buffer)? {
            buffer.advance(length);
            stream.write_all(answer).await?;
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Length of the first request in the buffer, when it is there as a whole.
fn request_length(buffer: &[u8]) -> Result<Option<usize>, Error> {
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
        let end = buffer[head..]
            .windows(5)
            .position(|window| window == b"0\r\n\r\n");
        return Ok(end.map(|end| head + end + 5));
    }
    let body = match header("content-length") {
        Some(length) => std::str::from_utf8(length.value)?.parse()?,
        None => 0,
    };
    Ok((buffer.len() >= head + body).then_some(head + body))
}
