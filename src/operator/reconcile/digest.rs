//! Asks replicas what they serve, on their admin port.

use agentkube_plan::{ADMIN_PORT, DigestReport};
use futures::{StreamExt, stream};

use super::pod_port::PodPort;

/// Replicas that are asked at once.
const AT_ONCE: usize = 16;

/// Reads digest reports over HTTP.
#[derive(Clone)]
pub(crate) struct DigestReader(PodPort);

impl DigestReader {
    pub(crate) fn new(port: u16) -> Self {
        Self(PodPort::new(port))
    }

    /// The reports of some Pods, by name and address, in their order.
    pub(crate) async fn all(
        &self,
        pods: Vec<(String, String)>,
    ) -> Vec<(String, Result<DigestReport, String>)> {
        stream::iter(pods)
            .map(|(name, ip)| async move { (name, self.0.read(&ip, "/digest").await) })
            .buffered(AT_ONCE)
            .collect()
            .await
    }
}

impl Default for DigestReader {
    fn default() -> Self {
        Self::new(ADMIN_PORT)
    }
}
