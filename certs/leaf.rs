//! The serving certificate of one replica. It lives in memory only.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroize;

use crate::ca::{Ca, after, validity};
use crate::rotation::{BACKWARD_TOLERANCE, LEAF_RENEW_AT};
use crate::{CertError, LEAF_LIFETIME};

/// A certificate with its key, signed by the authority that was current.
#[derive(Clone)]
pub struct Leaf {
    pub(crate) key: Arc<CertifiedKey>,
    issuer: String,
    issued: Timestamp,
    not_after: Timestamp,
}

impl Leaf {
    /// Signs a new leaf for `names` (DNS names or IP addresses).
    pub(crate) fn sign(ca: &Ca, names: &[String], now: Timestamp) -> Result<Self, CertError> {
        let mut key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "agentkube");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        validity(&mut params, now, LEAF_LIFETIME);
        let signed = ca.sign(&params, &key);
        let mut der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        key.zeroize();
        let signing_key = any_ecdsa_type(&der);
        der.zeroize();
        Ok(Self {
            key: Arc::new(CertifiedKey::new(vec![signed?], signing_key?)),
            issuer: ca.cert_pem().to_owned(),
            issued: now,
            not_after: after(now, LEAF_LIFETIME),
        })
    }

    /// End of validity.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// True when it is time to sign another one: two thirds of its life are
    /// over, `ca` is no longer its issuer, or the clock was turned back.
    #[must_use]
    pub(crate) fn is_due(&self, ca: &Ca, now: Timestamp) -> bool {
        self.issuer != ca.cert_pem()
            || now >= after(self.issued, LEAF_RENEW_AT)
            || now < after(self.issued, -BACKWARD_TOLERANCE)
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf")
            .field("issued", &self.issued)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}
