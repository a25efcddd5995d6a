//! What can go wrong with certificates. No variant carries key material.

/// Why a certificate could not be made, read or served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertError {
    /// The certificate library refused to make or to sign.
    #[error("certificate could not be signed: {0}")]
    Sign(#[from] rcgen::Error),
    /// The TLS library refused the certificate or the key.
    #[error("certificate could not be served: {0}")]
    Serve(#[from] rustls::Error),
    /// The Secret lacks an entry.
    #[error("the CA Secret has no entry {0:?}")]
    EntryMissing(&'static str),
    /// An entry is not what its name says.
    #[error("the entry {entry:?} of the CA Secret is not {expected}")]
    EntryInvalid {
        /// Name of the entry.
        entry: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A step was taken whose conditions do not hold.
    #[error("rotation step {0:?} needs a CA that is not there")]
    StepImpossible(crate::Step),
}
