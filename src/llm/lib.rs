//! LLM wire dialects, sans-IO.
//!
//! What a gateway must know of the wires that clients and providers speak,
//! and nothing of sockets, clocks or tasks. In the order in which a request
//! meets them:
//!
//! ```text
//! route(method, path, headers)      Route { dialect, operation }
//! peek(body)                        Peeked { model, stream, … } with byte spans
//! names::unknown_model(…)           404 with the nearest names
//! Profile::of(provider)             the dialects, paths and key header of a provider
//! rewrite(body, peeked, model, …)   the body for the upstream, spliced, not re-serialised
//! classify(status, headers, body)   Failure { kind, retry_after, … } of a refusal
//! Tap                               a stream passing by: head, usage, outcome, in-band error
//! answer::read(body)                the same for an answer in one piece
//! ApiError                          an error in the client's own dialect
//! ```
//!
//! When the upstream speaks another dialect than the client, a [`Translator`]
//! stands in for `rewrite`, `answer::read` and `Tap`:
//!
//! ```text
//! CapabilityTable::of(…)            what the model takes, once per upstream and model
//! translator.request(body, target)  Translated { body, dropped, context }
//! dropped                           the header; dropped.refusal() under `strict`
//! translator.response(body, ctx)    an answer in one piece, and its usage
//! translator.stream(ctx, options)   TranslatingTap: the surface of Tap
//! failure.to_error()                a refusal in the client's dialect
//! custody::unwrap_ids(body)         on the bypass, before the upstream
//! ```
//!
//! `ir` tells how a dialect is added.
//!
//! # Guarantees
//! - No input panics, overflows the stack, or makes memory grow past a stated
//!   bound.
//! - Any split of the upstream's bytes gives the same bytes to the client, the
//!   same outcome and the same usage.
//! - A stream that did not end as its dialect says it must is never given a
//!   terminator.
//! - `Debug` of no type prints a prompt, an answer or a credential.

#![warn(clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]
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

pub mod answer;
mod anthropic;
mod bedrock;
pub mod capabilities;
mod classify;
mod codec;
pub mod count;
pub mod custody;
mod dialect;
mod dropped;
pub mod embed;
mod error;
pub mod eventstream;
mod failure;
#[cfg(test)]
mod fixtures;
mod gemini;
pub mod ir;
mod json;
mod media;
pub mod models;
pub mod names;
pub mod ndjson;
mod object;
mod ollama;
mod openai;
mod overflow;
mod path;
mod peek;
mod profile;
mod progress;
mod responses;
mod rewrite;
mod route;
mod scan;
mod served;
mod skim;
pub mod sse;
mod stream;
mod subset;
mod tap;
mod translate;
mod usage;

pub use classify::{classify, retry_after};
pub use codec::{FrameError, Framing};
pub use dialect::Dialect;
pub use dropped::{Dropped, FieldPath};
pub use error::{ApiError, ErrorKind};
pub use failure::{Failure, FailureKind, ProviderMessage};
pub use gemini::JsonList;
pub use path::InvalidSegment;
pub use peek::{MODEL_NAME_LIMIT, PeekError, Peeked, peek};
pub use profile::{Action, InvalidKey, KeyHeader, ModelIn, Profile, Service};
pub use responses::refuse_kept;
pub use rewrite::{Rewritten, StreamUsage, model_in_path, rewrite, with_member};
pub use route::{Call, Operation, Route, RouteError, dialect_of, route};
pub use served::{Served, ServedName};
pub use stream::{End, Head, Outcome};
pub use tap::{Tap, TapOptions};
pub use translate::{Context, Target, Translated, TranslatedAnswer, TranslatingTap, Translator};
pub use usage::{Usage, UsageReport};
