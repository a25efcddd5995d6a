//! One port for each object: the one it asks for, or the next free one.

use std::io;
use std::net::{IpAddr, SocketAddr};

use agentkube_operator::listen;
use tokio::net::TcpListener;

/// How many ports after the wanted one are tried.
const TRIES: u16 = 100;

/// A bound listener and whether it is where it was asked for.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
    /// The wanted port, when another one had to do.
    pub(super) instead_of: Option<u16>,
}

/// Binds `port`, or the next free one above it.
///
/// # Errors
/// Any error but "address in use", and that one when no port above is free.
pub(super) fn bind(ip: IpAddr, port: u16) -> io::Result<Bound> {
    let mut last = None;
    for candidate in (port..=u16::MAX).take(usize::from(TRIES)) {
        match listen::bind(SocketAddr::new(ip, candidate)) {
            Ok(listener) => {
                let address = listener.local_addr()?;
                let instead_of = (candidate != port).then_some(port);
                return Ok(Bound {
                    listener,
                    address,
                    instead_of,
                });
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn a_taken_port_gives_the_next_free_one_and_says_so() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let first = bind(ip, 0).unwrap();
        let second = bind(ip, first.address.port()).unwrap();
        assert!(second.address.port() > first.address.port());
        assert_eq!(second.instead_of, Some(first.address.port()));
    }
}
