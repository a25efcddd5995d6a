//! How upstreams are reached: over the network, or as a test says.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower::Service;

use crate::edge::BoxError;
use crate::upstream::{SendError, TlsRoots, UpstreamClient};

/// The request that an upstream gets.
pub(super) type UpstreamRequest = Request<Full<Bytes>>;

/// Makes the client of an upstream.
pub trait Dial: Clone + Send + Sync + 'static {
    /// What calls one upstream. Clones share its connections.
    type Client: Service<
            Request<Full<Bytes>>,
            Response = Response<Self::Body>,
            Error = SendError,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static;
    /// The body of its answers. Dropping it cancels the request.
    type Body: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static;

    /// A client that connects within this time.
    fn client(&self, connect: Duration) -> Self::Client;

    /// A client for the one place that upstreams may not be at: the metadata server
    /// that gives the pod its own tokens.
    fn metadata_client(&self, connect: Duration) -> Self::Client {
        self.client(connect)
    }
}

impl Dial for TlsRoots {
    type Client = UpstreamClient;
    type Body = crate::upstream::UpstreamBody;

    fn client(&self, connect: Duration) -> UpstreamClient {
        UpstreamClient::new(self, connect)
    }

    fn metadata_client(&self, connect: Duration) -> UpstreamClient {
        UpstreamClient::to_metadata(self, connect)
    }
}
