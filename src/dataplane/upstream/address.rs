//! Addresses that no upstream may have.
//!
//! The link-local ranges hold the metadata services of the clouds, which hand
//! out the node's credentials to whoever asks from the pod's network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// AWS's metadata service over IPv6 (EC2 user guide, "Instance metadata").
const AWS_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// ECS and EKS Pod Identity credentials over IPv6.
const AWS_POD_IDENTITY_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23);

/// Alibaba Cloud's metadata service.
const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);

/// Azure's wire server, which also hands out instance configuration.
const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Google's metadata service over IPv6.
const GOOGLE_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);

/// A host that has only addresses that no upstream may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// The host as it was configured.
    pub host: String,
    /// One of its addresses.
    pub address: IpAddr,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, address } = self;
        write!(
            f,
            "{host} is {address}, a link-local or metadata address, where upstreams may not be"
        )
    }
}

impl std::error::Error for Forbidden {}

/// True for link-local and metadata addresses in any of their forms.
#[must_use]
pub fn forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => forbidden_v4(v4),
        IpAddr::V6(v6) => forbidden_v6(v6),
    }
}

fn forbidden_v4(address: Ipv4Addr) -> bool {
    address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address == ALIBABA_METADATA
        || address == AZURE_WIRE_SERVER
}

fn forbidden_v6(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local()
        || address.is_unspecified()
        || address.is_multicast()
        || address == AWS_METADATA_V6
        || address == AWS_POD_IDENTITY_V6
        || address == GOOGLE_METADATA_V6
        || embedded_v4(address).is_some_and(forbidden_v4)
}

/// The IPv4 address that an IPv6 one leads to: mapped (RFC 4291, 2.5.5.2),
/// compatible (2.5.5.1), translated (RFC 2765, 2.1), NAT64 (RFC 6052, 2.1, and
/// RFC 8215 with the longest prefix) and 6to4 (RFC 3056, 2).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        // ::1 is loopback and not ::0.0.0.1.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(v4(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, 1, _, _, _, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(address: &str) -> bool {
        forbidden(address.parse().unwrap())
    }

    #[test]
    fn metadata_addresses_are_forbidden_in_every_form() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "0.0.0.0",
            "100.100.100.200",
            "168.63.129.16",
            "fe80::1",
            "febf::1",
            "::",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
        ] {
            assert!(verdict(address), "{address}");
        }
    }

    #[test]
    fn private_loopback_and_public_addresses_are_allowed() {
        for address in [
            "10.0.0.1",
            "127.0.0.1",
            "192.168.1.1",
            "1.1.1.1",
            "::1",
            "fd00::1",
            "2606:4700::1111",
            "::ffff:10.0.0.1",
        ] {
            assert!(!verdict(address), "{address}");
        }
    }
}
