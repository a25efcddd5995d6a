//! One certificate authority: a self-signed certificate and its key.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use zeroize::{Zeroize, Zeroizing};

use crate::{CA_LIFETIME, CertError};

/// How far a certificate is dated back, for verifiers whose clock is behind.
pub(crate) const BACKDATE: SignedDuration = SignedDuration::from_mins(5);

/// A private key in PEM; zeroized on drop, never printed.
#[derive(Clone)]
pub struct PrivateKeyPem(Zeroizing<String>);

/// A CA certificate with its private key.
#[derive(Clone)]
pub struct Ca {
    pub(crate) cert: CaCert,
    key: PrivateKeyPem,
}

/// A CA certificate alone: what verifiers hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CaCert {
    pem: String,
    der: CertificateDer<'static>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

impl PrivateKeyPem {
    /// The PEM text, to be written into the CA Secret and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKeyPem(redacted)")
    }
}

impl Ca {
    /// A new ECDSA P-256 authority, valid from `now` for [`CA_LIFETIME`].
    ///
    /// # Errors
    /// [`CertError::Sign`] when the crypto library has no randomness.
    pub fn generate(now: Timestamp) -> Result<Self, CertError> {
        let mut key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        // The second of creation keeps the subjects of two overlapping
        // authorities apart, so no verifier has to try both.
        let subject = format!("agentkube CA {}", now.as_second());
        params.distinguished_name.push(DnType::CommonName, subject);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        validity(&mut params, now, CA_LIFETIME);
        let cert = params.self_signed(&key)?;
        let pem = PrivateKeyPem(Zeroizing::new(key.serialize_pem()));
        key.zeroize();
        Ok(Self {
            cert: CaCert::parse(cert.pem(), "ca.crt")?,
            key: pem,
        })
    }

    /// Reads an authority back from its two PEM entries.
    ///
    /// # Errors
    /// [`CertError::EntryInvalid`] when either is not PEM of the right kind.
    pub(crate) fn from_pem(
        (cert_entry, cert): (&'static str, &[u8]),
        (key_entry, key): (&'static str, &[u8]),
    ) -> Result<Self, CertError> {
        let invalid = CertError::EntryInvalid {
            entry: key_entry,
            expected: "a private key in PEM",
        };
        let Ok(key) = std::str::from_utf8(key) else {
            return Err(invalid);
        };
        let Ok(mut pair) = KeyPair::from_pem(key) else {
            return Err(invalid);
        };
        let cert = CaCert::parse(text(cert_entry, cert)?, cert_entry)?;
        let matches = cert.has_public_key(pair.public_key_raw());
        pair.zeroize();
        if !matches {
            let expected = "the key of the certificate beside it";
            return Err(CertError::EntryInvalid {
                entry: key_entry,
                expected,
            });
        }
        Ok(Self {
            cert,
            key: PrivateKeyPem(Zeroizing::new(key.to_owned())),
        })
    }

    /// The certificate in PEM.
    #[must_use]
    pub fn cert_pem(&self) -> &str {
        self.cert.pem()
    }

    /// The private key.
    #[must_use]
    pub fn key(&self) -> &PrivateKeyPem {
        &self.key
    }

    /// Signs `params` for `subject`, the key of the new certificate.
    pub(crate) fn sign(
        &self,
        params: &CertificateParams,
        subject: &KeyPair,
    ) -> Result<CertificateDer<'static>, CertError> {
        let mut key = KeyPair::from_pem(self.key.expose())?;
        let signed = Issuer::from_ca_cert_der(&self.cert.der, &key)
            .and_then(|issuer| params.signed_by(subject, &issuer));
        key.zeroize();
        Ok(signed?.der().clone())
    }
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ca")
            .field("not_before", &self.cert.not_before)
            .field("not_after", &self.cert.not_after)
            .finish_non_exhaustive()
    }
}

impl CaCert {
    pub(crate) fn from_entry(entry: &'static str, pem: &[u8]) -> Result<Self, CertError> {
        Self::parse(text(entry, pem)?, entry)
    }

    fn parse(pem: String, entry: &'static str) -> Result<Self, CertError> {
        let invalid = || CertError::EntryInvalid {
            entry,
            expected: "a CA certificate in PEM",
        };
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| invalid())?;
        let (_, cert) = x509_parser::parse_x509_certificate(&der).map_err(|_| invalid())?;
        if !cert.is_ca() {
            return Err(invalid());
        }
        let at = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp());
        let not_before = at(cert.validity().not_before).map_err(|_| invalid())?;
        let not_after = at(cert.validity().not_after).map_err(|_| invalid())?;
        Ok(Self {
            pem,
            der,
            not_before,
            not_after,
        })
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    fn has_public_key(&self, raw: &[u8]) -> bool {
        x509_parser::parse_x509_certificate(&self.der)
            .is_ok_and(|(_, cert)| cert.public_key().subject_public_key.data.as_ref() == raw)
    }
}

/// Sets the validity, dated back by [`BACKDATE`].
pub(crate) fn validity(params: &mut CertificateParams, now: Timestamp, life: SignedDuration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let second = |time: Timestamp| Duration::from_secs(time.as_second().max(0).unsigned_abs());
    params.not_before = epoch + second(after(now, -BACKDATE));
    params.not_after = epoch + second(after(now, life));
}

/// `time + span`, at most the end of time.
pub(crate) fn after(time: Timestamp, span: SignedDuration) -> Timestamp {
    time.checked_add(span).unwrap_or(Timestamp::MAX)
}

fn text(entry: &'static str, pem: &[u8]) -> Result<String, CertError> {
    String::from_utf8(pem.to_vec()).map_err(|_| CertError::EntryInvalid {
        entry,
        expected: "a CA certificate in PEM",
    })
}
