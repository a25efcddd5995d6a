//! CA, leaf certificates, rotation and a hot-reloading TLS resolver.
//!
//! Every function takes the time as an argument and nothing here does IO: the
//! operator keeps an [`Authority`] in a Secret, asks it what is [due](Step), and
//! each replica signs its own short-lived [`Leaf`] in memory.
//!
//! ```text
//! Introduce   next CA made           bundle: current + next     leaves by current
//! Promote     next becomes current   bundle: current + retired  leaves by the new current
//! Retire      retired is dropped     bundle: current            leaves by current
//! ```
//!
//! A verifier that holds any of these bundles, or the one before it, accepts
//! every leaf that is served at that moment.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests"
    )
)]

mod authority;
mod ca;
mod error;
mod leaf;
mod resolver;
mod rotation;
#[cfg(test)]
mod tests;

pub use authority::{Authority, SecretData};
pub use ca::{Ca, PrivateKeyPem};
pub use error::CertError;
pub use leaf::Leaf;
pub use resolver::{Resolver, server_config};
pub use rotation::{CA_LIFETIME, LEAF_LIFETIME, PUBLISH_WAIT, Step};
