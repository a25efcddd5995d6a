//! Admission: an AdmissionReview comes in, a verdict goes out.
//!
//! ```text
//! review    bytes ↔ Review, Answer           what the API server speaks
//! admit     Admit × Lookup → Verdict         pure: defaults, schema, CEL, checks, ratcheting
//! wire      Pod × Lookup → Wired             pure: what an agent's Pod is given
//! lookup    what is known of the cluster     a trait; from files here, from watches in the operator
//! server    routes, layers, metrics, TLS     the only part that waits for anything
//! config    the two webhook configurations   plain values for the operator to apply
//! print     a verdict as kubectl prints it   for `run`
//! ```
//!
//! The same [`admit`] answers the API server, `agentkube lint` and
//! `agentkube run`.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests fail by panicking"
    )
)]

pub mod admit;
mod checks;
pub mod config;
pub mod cycle;
mod findings;
pub mod grant;
pub mod lookup;
mod node;
pub mod print;
pub mod review;
pub mod rights;
mod schema;
pub mod server;
mod target;
#[cfg(test)]
mod testing;
pub mod wire;

pub use admit::{Admit, Install, Mode, Verdict, admit};
pub use lookup::{FileIndex, Lookup, NamespaceFacts, SecretEntryState, SecretFacts};
pub use target::{Found, Target, TargetRef};
