//! Authenticated encryption of what clients carry for us.
//!
//! A replica keeps no store: what it must know again later it gives to the
//! client, sealed with a key that all replicas share. AES-256-GCM with a random
//! nonce, bound to a purpose and to an owner, so that what was sealed for one
//! client, or for one use, opens for no other.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Shorter secrets are refused as keys.
const MIN_SECRET: usize = 16;

/// What a sealed text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The id of a question that an upstream asks a client.
    Ask,
    /// What one replica hands on to another.
    Relay,
    /// The id of a legacy session.
    Session,
    /// `requestState` of a modern result.
    State,
    /// The id of a task.
    Task,
    /// The stream of a client of the legacy HTTP+SSE transport.
    Stream,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Ask => b"ask\0",
            Self::Relay => b"relay\0",
            Self::Session => b"session\0",
            Self::State => b"state\0",
            Self::Task => b"task\0",
            Self::Stream => b"stream\0",
        }
    }
}

/// The keys of one MCP object: seals with the current one, opens with any.
pub struct Sealer(Vec<Keys>);

struct Keys {
    seal: LessSafeKey,
    /// Makes the nonces of names: whoever does not have it can neither try a guess of
    /// what was sealed, nor look for two names of one nonce.
    nonce: hmac::Key,
}

impl Sealer {
    /// A sealer of these secrets; `None` when the current one is too short. The others
    /// only open: what was sealed before a rotation, and what a replica seals that
    /// rotated before us.
    #[must_use]
    pub fn new<'k>(current: &[u8], others: impl IntoIterator<Item = &'k [u8]>) -> Option<Self> {
        let others = others.into_iter().filter_map(keys);
        Some(Self([keys(current)?].into_iter().chain(others).collect()))
    }

    /// A sealer without a key: nothing is sealed and nothing opens.
    #[must_use]
    pub fn closed() -> Self {
        Self(Vec::new())
    }

    /// Seals bytes into visible ASCII; `None` without a key. The nonce must be
    /// random, or derived from everything that is sealed.
    #[must_use]
    pub fn seal(
        &self,
        purpose: Purpose,
        owner: &str,
        nonce: [u8; NONCE_LEN],
        plain: &[u8],
    ) -> Option<String> {
        let whole = self.seal_bytes(purpose, owner, nonce, plain)?;
        Some(URL_SAFE_NO_PAD.encode(whole))
    }

    /// As [`Sealer::seal`], where any bytes can be carried.
    #[must_use]
    pub fn seal_bytes(
        &self,
        purpose: Purpose,
        owner: &str,
        nonce: [u8; NONCE_LEN],
        plain: &[u8],
    ) -> Option<Vec<u8>> {
        let mut sealed = plain.to_vec();
        let aad = Aad::from(aad(purpose, owner));
        let once = Nonce::assume_unique_for_key(nonce);
        let key = &self.0.first()?.seal;
        key.seal_in_place_append_tag(once, aad, &mut sealed).ok()?;
        let mut whole = nonce.to_vec();
        whole.append(&mut sealed);
        Some(whole)
    }

    /// Seals so that the same always gives the same text: for names, which are
    /// compared.
    #[must_use]
    pub fn name(&self, purpose: Purpose, owner: &str, plain: &[u8]) -> Option<String> {
        let mut tag = hmac::Context::with_key(&self.0.first()?.nonce);
        tag.update(&aad(purpose, owner));
        tag.update(&[0]);
        tag.update(plain);
        let tag = tag.sign();
        let nonce = *tag.as_ref().first_chunk::<NONCE_LEN>()?;
        self.seal(purpose, owner, nonce, plain)
    }

    /// What was sealed; `None` when it was not by us, for this purpose and this
    /// owner.
    #[must_use]
    pub fn open(&self, purpose: Purpose, owner: &str, text: &str) -> Option<Vec<u8>> {
        self.open_bytes(purpose, owner, &URL_SAFE_NO_PAD.decode(text).ok()?)
    }

    /// What [`Sealer::seal_bytes`] sealed.
    #[must_use]
    pub fn open_bytes(&self, purpose: Purpose, owner: &str, whole: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = whole.split_first_chunk::<NONCE_LEN>()?;
        self.0.iter().find_map(|key| {
            let mut sealed = sealed.to_vec();
            let aad = Aad::from(aad(purpose, owner));
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let plain = key.seal.open_in_place(nonce, aad, &mut sealed).ok()?;
            Some(plain.to_vec())
        })
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

fn keys(secret: &[u8]) -> Option<Keys> {
    if secret.len() < MIN_SECRET {
        return None;
    }
    let derived = |label: &[u8]| {
        let mut hash = Sha256::new();
        hash.update(label);
        hash.update(secret);
        hash.finalize()
    };
    let seal = derived(b"agentkube mcp sessions v1\0");
    let nonce = derived(b"agentkube mcp nonces v1\0");
    Some(Keys {
        seal: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &seal).ok()?),
        nonce: hmac::Key::new(hmac::HMAC_SHA256, &nonce),
    })
}

fn aad(purpose: Purpose, owner: &str) -> Vec<u8> {
    [purpose.label(), owner.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONCE: [u8; NONCE_LEN] = [7; NONCE_LEN];

    fn sealer(secret: &str, previous: Option<&str>) -> Sealer {
        Sealer::new(secret.as_bytes(), previous.map(str::as_bytes)).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_owner_and_purpose_only() {
        let keys = sealer("0123456789abcdef", None);
        let text = keys.seal(Purpose::Session, "a", NONCE, b"hello").unwrap();
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
        let open = |purpose, owner| keys.open(purpose, owner, &text);
        assert_eq!(open(Purpose::Session, "a").as_deref(), Some(&b"hello"[..]));
        assert_eq!(open(Purpose::Session, "b"), None);
        assert_eq!(open(Purpose::Ask, "a"), None);
    }

    #[test]
    fn a_rotation_keeps_what_was_sealed_before_it_and_only_that() {
        let before = sealer("0123456789abcdef", None);
        let text = before.seal(Purpose::State, "a", NONCE, b"x").unwrap();
        let rotated = sealer("fedcba9876543210", Some("0123456789abcdef"));
        assert!(rotated.open(Purpose::State, "a", &text).is_some());
        let later = sealer("another-secret-of-16", Some("fedcba9876543210"));
        assert_eq!(later.open(Purpose::State, "a", &text), None);
    }

    #[test]
    fn whoever_still_has_the_keys_of_before_opens_what_the_next_one_sealed() {
        let (old, new, newest) = (
            "0123456789abcdef",
            "fedcba9876543210",
            "another-secret-of-16",
        );
        let secrets = |others: &[&'static str]| -> Vec<&'static [u8]> {
            others.iter().map(|it| it.as_bytes()).collect()
        };
        let lagging = Sealer::new(old.as_bytes(), secrets(&[new])).unwrap();
        let rotated = Sealer::new(new.as_bytes(), secrets(&[old, newest])).unwrap();
        for (from, to) in [(&lagging, &rotated), (&rotated, &lagging)] {
            let text = from.seal(Purpose::Session, "a", NONCE, b"x").unwrap();
            assert!(to.open(Purpose::Session, "a", &text).is_some());
        }
    }

    #[test]
    fn names_are_the_same_each_time_and_differ_by_owner() {
        let keys = sealer("0123456789abcdef", None);
        let name = |owner| keys.name(Purpose::Ask, owner, b"7").unwrap();
        assert_eq!(name("a"), name("a"));
        assert_ne!(name("a"), name("b"));
        assert!(keys.open(Purpose::Ask, "a", &name("a")).is_some());
    }

    #[test]
    fn a_short_secret_is_no_key() {
        assert!(Sealer::new(b"short", None).is_none());
    }

    proptest! {
        #[test]
        fn no_changed_text_opens(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let keys = sealer("0123456789abcdef", None);
            let text = keys.seal(Purpose::Session, "a", NONCE, b"hello").unwrap();
            let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let changed = URL_SAFE_NO_PAD.encode(bytes);
            prop_assert_eq!(keys.open(Purpose::Session, "a", &changed), None);
        }
    }
}
