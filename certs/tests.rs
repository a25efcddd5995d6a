//! Whole rotations, verified by a rustls client with the bundle of each moment.

use std::io::Cursor;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustls::client::{WebPkiServerVerifier, danger::ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

use crate::{
    Authority, CA_LIFETIME, CertError, LEAF_LIFETIME, Leaf, PUBLISH_WAIT, Resolver, Step,
    server_config,
};

const NAME: &str = "agentkube-webhook.agentkube-system.svc";

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn names() -> Vec<String> {
    vec![NAME.to_owned(), "127.0.0.1".to_owned()]
}

fn roots(bundle: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for cert in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(cert.unwrap()).unwrap();
    }
    roots
}

fn verifies(bundle: &str, leaf: &Leaf, name: &str, now: Timestamp) -> bool {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = Arc::new(roots(bundle));
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
        .build()
        .unwrap();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(
        now.as_second().unsigned_abs(),
    ));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier
        .verify_server_cert(&leaf.key.cert[0], &[], &name, &[], at)
        .is_ok()
}

#[test]
fn a_leaf_verifies_for_its_names_only_and_within_its_life() {
    let authority = Authority::generate(start()).unwrap();
    let leaf = authority.sign_leaf(&names(), start()).unwrap();
    let bundle = authority.bundle_pem();
    assert!(verifies(&bundle, &leaf, NAME, start()));
    assert!(verifies(&bundle, &leaf, "127.0.0.1", start()));
    assert!(!verifies(&bundle, &leaf, "other.svc", start()));
    assert!(!verifies(
        &bundle,
        &leaf,
        NAME,
        start() + LEAF_LIFETIME + SignedDuration::from_secs(1)
    ));
    let stranger = Authority::generate(start()).unwrap();
    assert!(!verifies(&stranger.bundle_pem(), &leaf, NAME, start()));
}

/// Seven hundred days, hour by hour, with a verifier whose bundle lags behind by up to
/// the publication wait and a replica that renews its leaf an hour late.
#[test]
fn rotation_keeps_a_verifying_path_at_every_step() {
    let mut now = start();
    let mut authority = Authority::generate(now).unwrap();
    let mut leaf = authority.sign_leaf(&names(), now).unwrap();
    let mut verifier_bundle = authority.bundle_pem();
    let mut published = Some(now);
    let mut steps = Vec::new();
    for _ in 0..(700 * 24) {
        now += SignedDuration::from_hours(1);
        assert!(
            verifies(&verifier_bundle, &leaf, NAME, now),
            "before the step at {now}"
        );
        let step = authority.due(published, now);
        if step != Step::Keep {
            authority = authority.advance(step, now).unwrap();
            steps.push(step);
            published = None;
            // The verifier still has the bundle of the step before.
            let fresh = authority.sign_leaf(&names(), now).unwrap();
            assert!(
                verifies(&verifier_bundle, &fresh, NAME, now),
                "{step:?} at {now}"
            );
            assert!(
                verifies(&verifier_bundle, &leaf, NAME, now),
                "{step:?} at {now}"
            );
        } else if published.is_none() {
            verifier_bundle = authority.bundle_pem();
            published = Some(now);
        } else if authority.leaf_is_due(&leaf, now) {
            leaf = authority.sign_leaf(&names(), now).unwrap();
        }
    }
    let once = [Step::Introduce, Step::Promote, Step::Retire];
    assert_eq!(steps, [once, once].concat());
}

#[test]
fn the_next_authority_signs_only_after_it_was_published_long_enough() {
    let late = start() + CA_LIFETIME - SignedDuration::from_hours(24 * 30);
    let authority = Authority::generate(start()).unwrap();
    assert_eq!(authority.due(Some(start()), start()), Step::Keep);
    assert_eq!(authority.due(Some(start()), late), Step::Introduce);
    let introduced = authority.advance(Step::Introduce, late).unwrap();
    assert_eq!(introduced.due(None, late + PUBLISH_WAIT), Step::Keep);
    assert_eq!(introduced.due(Some(late), late), Step::Keep);
    assert_eq!(
        introduced.due(Some(late), late + PUBLISH_WAIT),
        Step::Promote
    );
    let promoted = introduced.advance(Step::Promote, late).unwrap();
    assert_eq!(promoted.due(Some(late), late), Step::Keep);
    assert_eq!(promoted.due(Some(late), late + LEAF_LIFETIME), Step::Retire);
    assert_eq!(
        promoted
            .advance(Step::Retire, late)
            .unwrap()
            .bundle_pem()
            .matches("BEGIN")
            .count(),
        1
    );
}

#[test]
fn an_expired_authority_is_replaced_at_once() {
    let expired = start() + CA_LIFETIME + SignedDuration::from_secs(1);
    let authority = Authority::generate(start()).unwrap();
    assert_eq!(authority.due(None, expired), Step::Replace);
    let replaced = authority.advance(Step::Replace, expired).unwrap();
    let leaf = replaced.sign_leaf(&names(), expired).unwrap();
    assert!(verifies(&replaced.bundle_pem(), &leaf, NAME, expired));
    let introduced = authority
        .advance(Step::Introduce, start() + LEAF_LIFETIME)
        .unwrap();
    let replaced = introduced.advance(Step::Replace, expired).unwrap();
    let known = introduced.bundle_pem();
    let leaf = replaced.sign_leaf(&names(), expired).unwrap();
    assert!(
        verifies(&known, &leaf, NAME, expired),
        "the published next one is used"
    );
}

#[test]
fn a_leaf_is_due_at_two_thirds_on_a_new_issuer_and_on_a_wrong_clock() {
    let authority = Authority::generate(start()).unwrap();
    let leaf = authority.sign_leaf(&names(), start()).unwrap();
    let hours = SignedDuration::from_hours;
    assert!(!authority.leaf_is_due(&leaf, start() + hours(7 * 16 - 1)));
    assert!(authority.leaf_is_due(&leaf, start() + hours(7 * 16)));
    assert!(authority.leaf_is_due(&leaf, start() - hours(1)));
    let other = Authority::generate(start()).unwrap();
    assert!(other.leaf_is_due(&leaf, start()));
}

#[test]
fn every_state_survives_the_secret() {
    let late = start() + LEAF_LIFETIME;
    let mut authority = Authority::generate(start()).unwrap();
    for step in [Step::Keep, Step::Introduce, Step::Promote, Step::Retire] {
        authority = authority.advance(step, late).unwrap();
        let read = Authority::from_secret(&authority.to_secret()).unwrap();
        assert_eq!(read.to_secret(), authority.to_secret(), "{step:?}");
        assert_eq!(read.due(None, late), authority.due(None, late));
        let leaf = read.sign_leaf(&names(), late).unwrap();
        assert!(verifies(&authority.bundle_pem(), &leaf, NAME, late));
    }
}

#[test]
fn a_broken_secret_is_named_but_never_quoted() {
    let mut data = Authority::generate(start()).unwrap().to_secret();
    let key = data.insert(
        "ca.key".to_owned(),
        zeroize::Zeroizing::new(b"hunter2".to_vec()),
    );
    let error = Authority::from_secret(&data).unwrap_err().to_string();
    assert!(
        error.contains("\"ca.key\"") && !error.contains("hunter2"),
        "{error}"
    );
    data.remove("ca.key");
    assert!(matches!(
        Authority::from_secret(&data),
        Err(CertError::EntryMissing("ca.key"))
    ));
    let other = Authority::generate(start()).unwrap().to_secret();
    data.insert("ca.key".to_owned(), key.unwrap());
    data.insert("ca.crt".to_owned(), other["ca.crt"].clone());
    let error = Authority::from_secret(&data).unwrap_err().to_string();
    assert!(
        error.contains("the key of the certificate beside it"),
        "{error}"
    );
}

#[test]
fn debug_prints_no_key() {
    let authority = Authority::generate(start()).unwrap();
    let leaf = authority.sign_leaf(&names(), start()).unwrap();
    let text = format!("{authority:?} {leaf:?} {:?}", authority.current.key());
    assert!(
        !text.contains("BEGIN") && text.contains("redacted"),
        "{text}"
    );
}

/// A handshake over memory: what the client verified is the newest leaf.
#[test]
fn a_reloaded_leaf_is_served_to_the_next_handshake() {
    let now = Timestamp::now();
    let resolver = Arc::new(Resolver::new());
    let authority = Authority::generate(now).unwrap();
    assert!(
        handshake(&resolver, &authority).is_err(),
        "no leaf, no handshake"
    );
    resolver.serve(authority.sign_leaf(&names(), now).unwrap());
    assert_eq!(
        handshake(&resolver, &authority).unwrap(),
        Some(b"h2".to_vec())
    );
    let other = Authority::generate(now).unwrap();
    assert!(
        handshake(&resolver, &other).is_err(),
        "signed by another authority"
    );
    resolver.serve(other.sign_leaf(&names(), now).unwrap());
    assert!(handshake(&resolver, &other).is_ok());
}

fn handshake(
    resolver: &Arc<Resolver>,
    authority: &Authority,
) -> Result<Option<Vec<u8>>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(&authority.bundle_pem()))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from(NAME).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let config = server_config(Arc::clone(resolver)).unwrap();
    let mut server = ServerConnection::new(Arc::new(config)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut Cursor::new(&wire)).unwrap();
        server.process_new_packets()?;
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut Cursor::new(&wire)).unwrap();
        client.process_new_packets()?;
    }
    Ok(client.alpn_protocol().map(<[u8]>::to_vec))
}
