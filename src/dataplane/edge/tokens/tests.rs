use agentkube_plan::{ClientAuth, ClientEntry, ClientTable, Namespaces};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, HeaderMap};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use super::*;
use crate::edge::{ClientRegistry, Unauthenticated};

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const AUDIENCE: &str = "llmgateway.agentkube.io/platform/shared";

/// A cluster that signs tokens.
struct Issuer {
    key: EncodingKey,
    public: TokenKey,
}

impl Issuer {
    fn named(kid: &str) -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
        let point = pair.public_key().as_ref();
        let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Self {
            key: EncodingKey::from_ec_der(pkcs8.as_ref()),
            public: TokenKey::Ec {
                kid: kid.to_owned(),
                crv: "P-256".to_owned(),
                x: coordinate(&point[1..33]),
                y: coordinate(&point[33..]),
            },
        }
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.public.kid().to_owned());
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }

    fn tokens(&self, namespaces: Namespaces) -> Tokens {
        Tokens::new(self.trust(namespaces))
    }

    fn trust(&self, namespaces: Namespaces) -> TokenTrust {
        TokenTrust {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            namespaces,
            keys: vec![self.public.clone()],
        }
    }
}

fn claims() -> Value {
    let now = jsonwebtoken::get_current_timestamp();
    json!({
        "iss": ISSUER,
        "aud": [AUDIENCE],
        "sub": "system:serviceaccount:team-a:reviewer",
        "nbf": now - 60,
        "exp": now + 3600,
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[field] = value;
    claims
}

#[test]
fn a_token_of_the_cluster_names_its_service_account() {
    let issuer = Issuer::named("k1");
    let tokens = issuer.tokens(Namespaces::Only(["team-a".to_owned()].into()));
    let token = issuer.sign(&claims());
    for round in ["verified", "remembered"] {
        let caller = tokens.verify(token.as_bytes()).unwrap();
        assert_eq!(&*caller.name, "team-a/reviewer", "{round}");
        assert!(caller.admitted, "{round}");
    }
    assert_eq!(tokens.known.lock().unwrap().len(), 1);
}

#[test]
fn a_token_that_is_wrong_in_one_thing_is_refused_with_that_thing() {
    let issuer = Issuer::named("k1");
    let tokens = issuer.tokens(Namespaces::All);
    let now = jsonwebtoken::get_current_timestamp();
    let cases = [
        (
            with("aud", json!(["https://kubernetes.default.svc"])),
            "for another audience",
        ),
        (with("aud", json!([])), "for another audience"),
        (with("iss", json!("https://other")), "of another issuer"),
        (with("exp", json!(now - 3600)), "has expired"),
        (with("nbf", json!(now + 3600)), "not valid yet"),
        (
            with("sub", json!("system:node:one")),
            "no service account token",
        ),
        (
            with("sub", json!("system:serviceaccount:team-a:")),
            "no service account token",
        ),
    ];
    for (claims, verdict) in cases {
        let error = tokens.verify(issuer.sign(&claims).as_bytes()).unwrap_err();
        assert!(error.to_string().contains(verdict), "{error}: {claims}");
    }
    for absent in ["exp", "iss", "aud", "sub"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(absent);
        assert!(
            tokens.verify(issuer.sign(&claims).as_bytes()).is_err(),
            "{absent}"
        );
    }
    assert!(tokens.known.lock().unwrap().is_empty());
}

#[test]
fn a_signature_of_somebody_else_is_not_the_clusters() {
    let issuer = Issuer::named("k1");
    let tokens = issuer.tokens(Namespaces::All);
    let (same_name, other_name) = (Issuer::named("k1"), Issuer::named("k2"));
    for other in [same_name, other_name] {
        let token = other.sign(&claims());
        assert_eq!(tokens.verify(token.as_bytes()), Err(BadToken::Signature));
    }
    // "none", and a MAC keyed with the public key, are the classics.
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!(
        "{}.{}.",
        part(json!({"alg": "none", "kid": "k1"})),
        part(claims())
    );
    assert!(tokens.verify(unsigned.as_bytes()).is_err());
    let TokenKey::Ec { x, .. } = &issuer.public else {
        panic!("an EC key");
    };
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("k1".to_owned());
    let keyed = EncodingKey::from_secret(x.as_bytes());
    let forged = jsonwebtoken::encode(&header, &claims(), &keyed).unwrap();
    assert_eq!(tokens.verify(forged.as_bytes()), Err(BadToken::Signature));
    for junk in ["", "a", "a.b.c", "..", "agentkube-key"] {
        assert_eq!(tokens.verify(junk.as_bytes()), Err(BadToken::Malformed));
    }
}

#[test]
fn only_admitted_namespaces_come_in_and_the_others_hear_403() {
    let issuer = Issuer::named("k1");
    let registry = |namespaces| {
        let table = ClientTable {
            tokens: Some(issuer.trust(namespaces)),
            ..ClientTable::default()
        };
        ClientRegistry::new(ClientAuth::ServiceAccount, &table)
    };
    let bearer = format!("Bearer {}", issuer.sign(&claims()));
    let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer.parse().unwrap())]);
    let named = registry(Namespaces::All).authenticate(&headers).unwrap();
    assert_eq!(named.name(), "team-a/reviewer");
    let refused = registry(Namespaces::Only(["platform".to_owned()].into()));
    let refused = refused.authenticate(&headers).unwrap_err();
    assert_eq!(refused, Unauthenticated::NotAdmitted);
    assert!(refused.is_forbidden());
    let nothing = registry(Namespaces::All).authenticate(&HeaderMap::new());
    assert_eq!(nothing, Err(Unauthenticated::NoToken));
}

#[test]
fn without_what_verifies_tokens_nobody_is_let_in() {
    let issuer = Issuer::named("k1");
    // Keys of the mode before, which are still mounted, open nothing.
    let table = ClientTable {
        clients: vec![ClientEntry {
            name: "team-a/reviewer".to_owned(),
            keys: vec![KeyHash::of(b"a-key-of-the-mode-before")],
        }],
        tokens: None,
    };
    let registry = ClientRegistry::new(ClientAuth::ServiceAccount, &table);
    for secret in [
        issuer.sign(&claims()),
        "a-key-of-the-mode-before".to_owned(),
    ] {
        let bearer = format!("Bearer {secret}");
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer.parse().unwrap())]);
        assert!(registry.authenticate(&headers).is_err());
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let issuer = Issuer::named("k1");
    let tokens = issuer.tokens(Namespaces::All);
    let caller = Caller {
        name: "team-a/reviewer".into(),
        admitted: true,
    };
    for index in 0..=REMEMBERED {
        let hash = KeyHash::of(&index.to_be_bytes());
        tokens.remember(hash, &caller, 200, 100);
    }
    assert_eq!(tokens.known.lock().unwrap().len(), 1);
    assert_eq!(
        tokens.recall(&KeyHash::of(&REMEMBERED.to_be_bytes()), 200),
        None
    );
}
