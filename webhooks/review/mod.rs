//! `AdmissionReview` in and out, as bytes.
//!
//! The object stays a [`serde_json::Value`]: the mutating side sees it before
//! the API server's schema, so it may be anything, and a bad object must become
//! a denial that carries its uid, never an HTTP error. The response is our own
//! struct, because a JSON array of numbers (what `Vec<u8>` serialises to) as the
//! patch is legal for Go and trips other readers.

mod request;
mod response;

pub use request::{MalformedReview, Operation, Review, decode};
pub(crate) use response::warnings;
pub use response::{Answer, MAX_WARNING, respond};
