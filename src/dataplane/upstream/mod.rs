//! The client that both planes call their upstreams with.
//!
//! HTTP/1.1, and HTTP/2 where TLS negotiates it; pooled; TCP_NODELAY; never
//! follows a redirect, so credentials go to the configured host and nowhere
//! else; ignores `HTTP_PROXY`; refuses to connect to link-local and metadata
//! addresses whatever name resolved to them.

mod address;
mod breaker;
mod client;
mod connect;
mod error;
mod http1;
mod local;
mod oauth;
mod pool;
mod token;

pub use address::{Forbidden, forbidden};
pub use client::{Sending, UpstreamClient};
pub use connect::TlsRoots;
pub use error::{BodyError, SendError};
pub use local::Local;
pub use pool::UpstreamBody;

pub(crate) use breaker::Breaker;
pub(crate) use oauth::{Issued, NoToken, form, form_encoded, read_token};
pub(crate) use pool::host;
pub(crate) use token::{Fetch, LONGEST, Token, Tokens};
