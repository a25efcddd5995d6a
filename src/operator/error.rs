//! Why the operator ends. Failures of one object are conditions, not errors.

/// Why the operator could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No kubeconfig and no service account.
    #[error("no cluster to talk to: {0}")]
    NoCluster(#[from] kube::config::InferConfigError),
    /// The API server refused or could not be reached.
    #[error("Kubernetes API: {0}")]
    Api(#[from] Box<kube::Error>),
    /// A listener could not be bound.
    #[error("cannot listen on {addr} ({what}): {source}")]
    Listen {
        /// What was to listen there.
        what: &'static str,
        /// Where.
        addr: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A certificate could not be made or read.
    #[error(transparent)]
    Certificate(#[from] agentkube_certs::CertError),
    /// A task ended that never should.
    #[error("{0} ended")]
    TaskEnded(&'static str),
    /// The webhook server failed.
    #[error("webhook server: {0}")]
    Webhook(std::io::Error),
    /// Something of ours could not be written as JSON.
    #[error("not representable as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}
