//! Why a reconciliation is tried again. What trying again does not mend is a
//! condition and no error.

use crate::apply::ApplyError;

/// A reconciliation that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// The API server failed or refused.
    #[error("Kubernetes API: {0}")]
    Api(#[source] Box<kube::Error>),
    /// A child could not be written.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// What verifies service account tokens cannot be read.
    #[error("the cluster's signing keys of service account tokens ({path}): {source}")]
    Signers {
        /// Where they are published.
        path: &'static str,
        /// Why not.
        source: Box<kube::Error>,
    },
    /// No published key is of a kind that is known here.
    #[error("the API server publishes no RSA or EC key for service account tokens")]
    NoSigners,
    /// No randomness for a key.
    #[error("no randomness: {0}")]
    Random(getrandom::Error),
    /// Something of ours could not be written as JSON.
    #[error("not representable as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It took too long.
    #[error("no end within {0} s")]
    TooSlow(u64),
}

impl From<kube::Error> for ReconcileError {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}

impl From<getrandom::Error> for ReconcileError {
    fn from(error: getrandom::Error) -> Self {
        Self::Random(error)
    }
}
