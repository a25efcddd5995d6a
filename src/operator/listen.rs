//! Listening where clients of both address families arrive.
//!
//! In a cluster of one family, and in one of both, the same address must do: a Pod does
//! not know which family its clients will use.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Every address of this machine, of both families.
#[must_use]
pub const fn any(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port)
}

/// Listens at an address. `[::]` takes IPv4 too; on a machine without IPv6 it means
/// `0.0.0.0`.
///
/// # Errors
/// What the system says.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    either(address, one)
}

/// Binds at `[::]`, or where that cannot be, at `0.0.0.0`.
fn either<T>(address: SocketAddr, bind: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    bind(address).or_else(|error| match address.ip() {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) if is_without_v6(&error) => bind(SocketAddr::new(
            Ipv4Addr::UNSPECIFIED.into(),
            address.port(),
        )),
        _ => Err(error),
    })
}

/// True for what a system says that has no IPv6: not built in, or switched off.
fn is_without_v6(error: &io::Error) -> bool {
    let lacks = [
        Errno::AFNOSUPPORT,
        Errno::PROTONOSUPPORT,
        Errno::ADDRNOTAVAIL,
    ];
    Errno::from_io_error(error).is_some_and(|error| lacks.contains(&error))
}

fn one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(address) => {
            let socket = TcpSocket::new_v6()?;
            // Whatever the machine's own default is (net.ipv6.bindv6only).
            set_ipv6_v6only(&socket, !address.ip().is_unspecified())?;
            socket
        }
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn clients_of_both_families_arrive() {
        let listener = bind(any(0)).unwrap();
        let bound = listener.local_addr().unwrap();
        let mut loopbacks = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        // There are machines without IPv6.
        if bind(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0)).is_ok() {
            loopbacks.push(Ipv6Addr::LOCALHOST.into());
            assert!(bound.is_ipv6());
        }
        for ip in loopbacks {
            let client = TcpStream::connect((ip, bound.port()));
            let (client, accepted) = tokio::join!(client, listener.accept());
            let from = accepted.unwrap().1.ip().to_canonical();
            assert_eq!(client.unwrap().local_addr().unwrap().ip(), from);
        }
    }

    #[test]
    fn a_machine_without_ipv6_listens_on_ipv4() {
        let without = |address: SocketAddr| match address.is_ipv6() {
            true => Err(io::Error::from(Errno::AFNOSUPPORT)),
            false => Ok(address),
        };
        let bound = either(any(80), without).unwrap();
        assert_eq!(bound, "0.0.0.0:80".parse().unwrap());
        let loopback: SocketAddr = "[::1]:80".parse().unwrap();
        assert!(either(loopback, without).is_err(), "only where any will do");
    }

    #[test]
    fn a_port_that_is_taken_is_not_looked_for_in_the_other_family() {
        let taken = |address: SocketAddr| match address.is_ipv6() {
            true => Err(io::Error::from(Errno::ADDRINUSE)),
            false => Ok(()),
        };
        let error = either(any(80), taken).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
