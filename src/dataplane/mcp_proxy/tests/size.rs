//! The future of a request is moved to the heap with all that may be in it, so rare
//! branches must not lie in it in place.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::mcp_proxy::proxy::State;
use crate::mcp_proxy::service::{self, Way};
use crate::mcp_proxy::serving::Serving;

fn size_of_output<A, F>(_: impl Fn(A) -> F) -> usize {
    size_of::<F>()
}

type Parts = (
    &'static Arc<State>,
    &'static Arc<Serving>,
    Request<Full<Bytes>>,
);

#[test]
fn the_future_of_a_request_is_small() {
    let size = size_of_output(|(state, serving, request): Parts| {
        service::serve(state, serving, "", Way::Direct, request)
    });
    assert!(size <= 8_192, "{size} bytes");
}
