//! Connections that do nothing, after one request each.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Error;

/// Opens the connections, says so, and keeps them until standard input ends.
pub(crate) async fn main(addr: &str, connections: &str) -> Result<(), Error> {
    let mut held = Vec::new();
    let mut buffer = [0; 4096];
    for _ in 0..connections.parse()? {
        let mut stream = TcpStream::connect(addr).await?;
        let request = format!("GET /livez HTTP/1.1\r\nhost: {addr}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        if stream.read(&mut buffer).await? == 0 {
            return Err("a connection was closed instead of answered".into());
        }
        held.push(stream);
    }
    println!("{}", serde_json::json!({"connections": held.len()}));
    // Not tokio's: its thread would keep the program from ending.
    let mut end = String::new();
    std::io::stdin().read_line(&mut end)?;
    Ok(())
}
