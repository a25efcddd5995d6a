//! What no client may read: the credentials of all upstreams of a plan. An upstream
//! may have those of its neighbours: they share a vault, a log, a machine.

use std::borrow::Cow;
use std::sync::Arc;

use super::Upstream;
use super::credential::Credential;

/// The values that are cut out of everything that upstreams say.
#[derive(Clone, Debug)]
pub(in crate::mcp_proxy) struct Withheld(Arc<[Credential]>);

impl Withheld {
    /// The values of these upstreams. It keeps none of the upstreams.
    pub(in crate::mcp_proxy) fn of(upstreams: &[Arc<Upstream>]) -> Self {
        let credentials = upstreams.iter();
        Self(
            credentials
                .map(|upstream| upstream.wire.credential.clone())
                .collect(),
        )
    }

    /// A message without any of them.
    pub(in crate::mcp_proxy) fn redact<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        let credentials = self.0.iter();
        credentials.fold(text, |text, credential| credential.redact(text))
    }
}
