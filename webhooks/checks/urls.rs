//! URLs that a data plane will connect to with credentials in hand.
//!
//! Link-local and metadata addresses are refused always: they hand out the
//! node's identity. Loopback is refused in a cluster, where a pod's loopback is
//! itself. Private addresses are fine: that is where Services live. What a name
//! resolves to is judged by the data plane when it connects.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use agentkube_crds::{Kind, Reason};
use url::{Host, Url};

use super::Subject;
use crate::findings::Findings;
use crate::node::Node;

const WEB: [&str; 2] = ["http", "https"];
const REDIS: [&str; 2] = ["redis", "rediss"];

/// Names of metadata services of the clouds.
const METADATA_NAMES: [&str; 4] = [
    "metadata.google.internal",
    "metadata.goog",
    "metadata",
    "instance-data",
];

/// Metadata services outside the link-local ranges: Alibaba Cloud, Azure's wire
/// server, Oracle's older address; AWS over IPv6.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

pub(super) fn check(subject: &Subject<'_>, out: &mut Findings) {
    for upstream in subject.upstreams() {
        url(subject, &upstream.get("endpoint"), WEB, out);
        if subject.kind == Kind::MCP {
            url(
                subject,
                &upstream.get("auth").get("oauth2").get("tokenUrl"),
                WEB,
                out,
            );
        }
    }
    url(
        subject,
        &subject.spec().get("state").get("redis").get("endpoint"),
        REDIS,
        out,
    );
}

/// The URL itself is never repeated: it may carry a password.
fn url(subject: &Subject<'_>, node: &Node<'_>, schemes: [&str; 2], out: &mut Findings) {
    let Some(text) = node.text() else { return };
    let mut wrong = |message: String| {
        out.error(node, Reason::Invalid, message);
    };
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return wrong("a URL has no whitespace in it".to_owned());
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return wrong(format!(
            "write a whole URL, beginning with {}",
            alternatives(schemes)
        ));
    };
    if !schemes
        .iter()
        .any(|legal| legal.eq_ignore_ascii_case(scheme))
    {
        return wrong(format!(
            "a URL of this field begins with {}",
            alternatives(schemes)
        ));
    }
    // As http, so that the odd spellings of an IPv4 address are understood.
    let Ok(parsed) = Url::parse(&format!("http://{rest}")) else {
        return wrong("this is not a URL that can be parsed".to_owned());
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        wrong("credentials do not belong into a URL: they go into a Secret".to_owned());
    }
    if parsed.fragment().is_some() {
        wrong("a fragment (#…) is never sent: leave it away".to_owned());
    }
    match reach(&parsed) {
        Reach::Metadata => wrong(
            "link-local and metadata addresses are refused: they give away the node's identity"
                .to_owned(),
        ),
        Reach::Loopback if !subject.is_local() => {
            wrong("in a cluster a pod's loopback is the pod itself: name a Service".to_owned());
        }
        Reach::Loopback | Reach::Elsewhere => {}
    }
}

fn alternatives([plain, secure]: [&str; 2]) -> String {
    format!("{plain}:// or {secure}://")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Metadata,
    Loopback,
    Elsewhere,
}

fn reach(url: &Url) -> Reach {
    match url.host() {
        None => Reach::Elsewhere,
        Some(Host::Ipv4(address)) => reach_of(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => reach_of(IpAddr::V6(address)),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            if METADATA_NAMES.contains(&name.as_str()) {
                Reach::Metadata
            } else if name == "localhost" || name.ends_with(".localhost") {
                Reach::Loopback
            } else {
                Reach::Elsewhere
            }
        }
    }
}

fn reach_of(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(v4) if v4.is_link_local() || METADATA_V4.contains(&v4) => Reach::Metadata,
        IpAddr::V4(v4) if v4.is_loopback() || matches!(v4.octets(), [0, ..]) => Reach::Loopback,
        IpAddr::V4(_) => Reach::Elsewhere,
        IpAddr::V6(v6) => embedded(v6).map_or_else(|| reach_of_v6(v6), |v4| reach_of(v4.into())),
    }
}

fn reach_of_v6(address: Ipv6Addr) -> Reach {
    if address.is_unicast_link_local() || address == METADATA_V6 {
        Reach::Metadata
    } else if address.is_loopback() || address.is_unspecified() {
        Reach::Loopback
    } else {
        Reach::Elsewhere
    }
}

/// The IPv4 address inside an IPv6 one: mapped (RFC 4291, 2.5.5.2) or NAT64
/// (RFC 6052, 2.1).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let nat64 = || match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    };
    address.to_ipv4_mapped().or_else(nat64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(text: &str) -> Reach {
        reach(&Url::parse(text).unwrap())
    }

    #[test]
    fn metadata_is_recognised_in_every_spelling() {
        for url in [
            "http://169.254.169.254/latest",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://[::ffff:169.254.169.254]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            "http://Metadata.Google.Internal./",
            "http://100.100.100.200/",
        ] {
            assert_eq!(reached(url), Reach::Metadata, "{url}");
        }
    }

    #[test]
    fn loopback_is_recognised_in_every_spelling() {
        for url in [
            "http://127.1/",
            "http://localhost:1/",
            "http://a.localhost/",
            "http://[::1]/",
            "http://0/",
        ] {
            assert_eq!(reached(url), Reach::Loopback, "{url}");
        }
    }

    #[test]
    fn private_and_public_addresses_are_fine() {
        for url in [
            "http://10.0.0.1/",
            "http://192.168.1.1",
            "http://ollama.models.svc:11434",
        ] {
            assert_eq!(reached(url), Reach::Elsewhere, "{url}");
        }
    }
}
