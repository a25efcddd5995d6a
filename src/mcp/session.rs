//! What a legacy session id says once it is open, and what the id of a question
//! to a client says: both are carried by the client, sealed (see [`crate::seal`]).

use std::net::SocketAddr;

use crate::version::Version;

/// Longest session id, in characters. Reverse proxies take header lines of 8 KiB.
pub const MAX_SESSION_ID: usize = 4_096;

/// So many bytes of plaintext make an id of that length: nonce, tag, Base64.
const MAX_PLAIN: usize = MAX_SESSION_ID / 4 * 3 - 28;

/// The first byte of a session; that of 1 had no home.
const SESSION_FORMAT: u8 = 2;

/// The first byte of a question.
const ASK_FORMAT: u8 = 1;

/// Tells an upstream from the others, and from one of that name at another place.
pub type Fingerprint = [u8; 6];

/// Tells a session from the others.
pub type SessionTag = [u8; 12];

/// Tells a Pod from every other one, also from a later one at its address.
pub type PodTag = [u8; 8];

/// The Pod that holds what a session has nowhere else: children on stdio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    /// Which Pod.
    pub pod: PodTag,
    /// Where it takes what other replicas hand on.
    pub address: SocketAddr,
}

/// A legacy session of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionToken {
    /// Its own name.
    pub tag: SessionTag,
    /// When it was opened, in seconds since 1970.
    pub opened: u64,
    /// The revision that the client speaks.
    pub version: Version,
    /// What the client can do, as JSON text.
    pub capabilities: String,
    /// Where it must be served; `None` when any replica can.
    pub home: Option<Home>,
    /// The sessions that were opened for it.
    pub upstreams: Vec<UpstreamToken>,
}

/// A session with an upstream that belongs to one client's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamToken {
    /// Which upstream.
    pub upstream: Fingerprint,
    /// The revision that it speaks there.
    pub version: Version,
    /// The upstream's id of it; empty when the upstream keeps none.
    pub id: String,
}

/// Where the answer to a question of an upstream goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskToken {
    /// The session that asks.
    pub from: UpstreamToken,
    /// The upstream's own id or progress token, as JSON text.
    pub id: String,
}

impl SessionToken {
    /// The token as bytes. Sessions with upstreams that would make the id too
    /// long are left out: a replica opens them anew.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![SESSION_FORMAT];
        out.extend(self.tag);
        out.extend(self.opened.to_be_bytes());
        text(&mut out, self.version.as_str());
        text(&mut out, &self.capabilities);
        Home::write(self.home.as_ref(), &mut out);
        for upstream in &self.upstreams {
            let before = out.len();
            upstream.write(&mut out);
            if out.len() > MAX_PLAIN {
                out.truncate(before);
            }
        }
        out
    }

    /// The token in these bytes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.array::<1>()? != [SESSION_FORMAT] {
            return None;
        }
        let mut token = Self {
            tag: reader.array()?,
            opened: u64::from_be_bytes(reader.array()?),
            version: Version::parse(&reader.text()?)?,
            capabilities: reader.text()?,
            home: Home::read(&mut reader)?,
            upstreams: Vec::new(),
        };
        while !reader.0.is_empty() {
            token.upstreams.push(UpstreamToken::read(&mut reader)?);
        }
        Some(token)
    }
}

impl Home {
    fn write(home: Option<&Self>, out: &mut Vec<u8>) {
        let Some(Self { pod, address }) = home else {
            return text(out, "");
        };
        text(out, &address.to_string());
        out.extend(pod);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let address = reader.text()?;
        if address.is_empty() {
            return Some(None);
        }
        let (address, pod) = (address.parse().ok()?, reader.array()?);
        Some(Some(Self { pod, address }))
    }
}

impl UpstreamToken {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.upstream);
        text(out, self.version.as_str());
        text(out, &self.id);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            upstream: reader.array()?,
            version: Version::parse(&reader.text()?)?,
            id: reader.text()?,
        })
    }
}

impl AskToken {
    /// The token as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![ASK_FORMAT];
        self.from.write(&mut out);
        text(&mut out, &self.id);
        out
    }

    /// The token in these bytes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.array::<1>()? != [ASK_FORMAT] {
            return None;
        }
        let from = UpstreamToken::read(&mut reader)?;
        let id = reader.text()?;
        reader.0.is_empty().then_some(Self { from, id })
    }
}

/// A text with its length before it; what is longer than 64 KiB is cut off, and
/// means nothing then.
fn text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend(text.bytes().take(usize::from(length)));
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(head.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn upstream(number: u8, id: String) -> UpstreamToken {
        UpstreamToken {
            upstream: [number; 6],
            version: Version::V2025_11_25,
            id,
        }
    }

    fn token(upstreams: Vec<UpstreamToken>) -> SessionToken {
        SessionToken {
            tag: [3; 12],
            opened: 1_700_000_000,
            version: Version::V2025_06_18,
            capabilities: r#"{"sampling":{}}"#.to_owned(),
            home: None,
            upstreams,
        }
    }

    #[test]
    fn a_session_knows_its_home_again() {
        for address in ["10.244.0.7:9091", "[fd00::7]:9091"] {
            let home = Some(Home {
                pod: [8; 8],
                address: address.parse().unwrap(),
            });
            let token = SessionToken {
                home,
                ..token(vec![upstream(1, "x".to_owned())])
            };
            assert_eq!(SessionToken::decode(&token.encode()), Some(token));
        }
    }

    #[test]
    fn a_session_with_every_upstream_that_a_spec_may_have_fits() {
        let id = "5f0c1c5e-6c6b-4a51-9d0a-0a4c1f6d2f10";
        let all: Vec<_> = (0..48)
            .map(|number| upstream(number, id.to_owned()))
            .collect();
        let decoded = SessionToken::decode(&token(all.clone()).encode()).unwrap();
        assert_eq!(decoded.upstreams, all);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_the_rest_stays() {
        let long = upstream(1, "x".repeat(MAX_PLAIN));
        let short = upstream(2, "y".to_owned());
        let encoded = token(vec![long, short.clone()]).encode();
        assert!(encoded.len() <= MAX_PLAIN);
        let decoded = SessionToken::decode(&encoded).unwrap();
        assert_eq!(decoded, token(vec![short]));
    }

    #[test]
    fn an_ask_comes_back() {
        let ask = AskToken {
            from: upstream(9, String::new()),
            id: "\"7\"".to_owned(),
        };
        assert_eq!(AskToken::decode(&ask.encode()), Some(ask));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = SessionToken::decode(&bytes);
            let _ = AskToken::decode(&bytes);
        }
    }
}
