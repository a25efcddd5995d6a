//! Reading requests off a connection: HTTP/1.1 by hand, so that the other half
//! can break it by hand.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MAX_HEADERS: usize = 128;

/// Method, path, headers and body of one request.
pub(crate) struct Parts {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The next request, or nothing when the client closed between two.
pub(crate) async fn request(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
) -> io::Result<Option<Parts>> {
    let mut parts = loop {
        if let Some((parts, length)) = head(buffer)? {
            buffer.advance(length);
            break parts;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    if parts.headers.contains_key(EXPECT) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    parts.body = if parts.headers.contains_key(TRANSFER_ENCODING) {
        chunked(stream, buffer).await?
    } else {
        let length = match parts.headers.get(CONTENT_LENGTH) {
            Some(length) => number(length.as_bytes(), 10)?,
            None => 0,
        };
        take(stream, buffer, length).await?
    };
    Ok(Some(parts))
}

fn head(buffer: &[u8]) -> io::Result<Option<(Parts, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = request.parse(buffer).map_err(io::Error::other)?
    else {
        return Ok(None);
    };
    let mut map = HeaderMap::new();
    for header in request.headers.iter() {
        let name = HeaderName::try_from(header.name).map_err(io::Error::other)?;
        map.append(
            name,
            HeaderValue::from_bytes(header.value).map_err(io::Error::other)?,
        );
    }
    let parts = Parts {
        method: Method::try_from(request.method.unwrap_or_default()).map_err(io::Error::other)?,
        path: request.path.unwrap_or_default().to_owned(),
        headers: map,
        body: Bytes::new(),
    };
    Ok(Some((parts, length)))
}

async fn chunked(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let line = line(stream, buffer).await?;
        let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let size = number(size, 16)?;
        if size == 0 {
            while !self::line(stream, buffer).await?.is_empty() {}
            return Ok(body.freeze());
        }
        body.extend_from_slice(&take(stream, buffer, size).await?);
        line_end(&take(stream, buffer, 2).await?)?;
    }
}

async fn line(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Bytes> {
    loop {
        if let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line = buffer.split_to(end).freeze();
            buffer.advance(2);
            return Ok(line);
        }
        fill(stream, buffer).await?;
    }
}

async fn take(stream: &mut TcpStream, buffer: &mut BytesMut, length: usize) -> io::Result<Bytes> {
    while buffer.len() < length {
        fill(stream, buffer).await?;
    }
    Ok(buffer.split_to(length).freeze())
}

async fn fill(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<()> {
    match stream.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn number(digits: &[u8], radix: u32) -> io::Result<usize> {
    let digits = std::str::from_utf8(digits).map_err(io::Error::other)?;
    usize::from_str_radix(digits.trim(), radix).map_err(io::Error::other)
}

fn line_end(bytes: &[u8]) -> io::Result<()> {
    if bytes == b"\r\n" {
        Ok(())
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}
