//! What the dialects have in common: the hub of all translation.
//!
//! A request goes client dialect → IR → provider dialect, its answer the other
//! way. Where both speak one dialect none of this is used: the bytes pass.
//!
//! # Rules
//! - Owned and small. Whatever a model or a person wrote stays text: tool
//!   arguments are model output and need not be JSON.
//! - Every part knows its [`At`], where it stood in the client's request, so that
//!   what a target cannot carry is named in the client's own words ([`Field`],
//!   `codec::Names`, `Dropped`).
//! - A reader (`…/request.rs`, `to_ir`) refuses what is wrong (400 naming the
//!   field) and never drops; a writer (`from_ir`) drops, and says so. What the IR
//!   has no room for is kept raw ([`Extra`], [`Content::Other`]) for a target of
//!   the same dialect, and is named as dropped by all others.
//! - Usage does not travel in the IR's events: the watcher of the provider's wire
//!   (`stream::StreamDecoder`) counts, in passthrough and in translation alike.
//!
//! # How a dialect is added
//! 1. A variant in `dialect.rs` (name, title, path), a route in `route.rs`, and a
//!    folder:
//!    - `request/read.rs`: a client's request → [`ChatRequest`]. Objects by the
//!      `object!` macro: unknown members are kept, errors name their path.
//!    - `request/write.rs`: [`ChatRequest`] → a provider's. What does not fit goes
//!      to `Encode::drop` (a field that the client could leave out) or
//!      `Encode::strip` (what it only replays); names and ids of tools through
//!      `Encode::tools` and `codec::fit`. Read `capabilities`, never model names.
//!    - `response.rs`: a provider's answer ⇄ [`ChatResponse`].
//!    - `stream.rs`: the watcher of the provider's wire, a
//!      `stream::StreamDecoder` over `progress::Progress`: how a stream ends and
//!      what it cost, for the bypass and for translation alike.
//!    - `reader.rs`: `codec::EventReader`, the wire's events → [`Event`]. Only sees
//!      what the watcher let pass; what it cannot read is an error, kinds that it
//!      does not know are passed over.
//!    - `writer.rs`: `codec::EventWriter`, [`Event`] → bytes for a client. Only
//!      `finish` writes a terminator.
//!    - `error.rs`, `usage.rs`, `names.rs` (what the dialect calls each [`Field`]).
//! 2. In its `mod.rs` the unit struct `Wire` that implements `codec::Names`,
//!    `codec::ClientWire` and `codec::ProviderWire` (see `openai/mod.rs`).
//! 3. Two lines in `codec/mod.rs`: `client` and `provider` are the only registry.
//!    (`models.rs` and `profile.rs` know dialects as well: the list of models, and
//!    the providers.)
//! 4. A framing other than SSE is a variant of `codec::Framing` and a
//!    `codec::Frames`; events without a name have the empty one.
//! 5. Clients that want blocks one after the other put `Sequence` before their
//!    writer, as `anthropic/writer.rs` does.
//! 6. Tests: transcripts in `tests/fixtures/<provider>/`, clients' requests in
//!    `tests/fixtures/translate/<dialect>/`, one entry in `SIDES` of
//!    `translate/tests.rs`. Then `AGENTKUBE_BLESS=1 cargo test -p agentkube-llm
//!    golden` writes the goldens of every pair, to be reviewed as a diff, and the
//!    properties (any split, any cut, any damage) run over all pairs by themselves.

mod echo;
mod event;
mod path;
mod request;
mod response;
mod sequence;
mod tool;

pub use echo::Echo;
pub use event::{BlockStart, Event};
pub use path::{At, Field, List};
pub use request::{
    Block, CacheControl, ChatRequest, Content, Effort, Extra, Logprobs, Media, MediaKind, Message,
    Reasoning, ResponseFormat, Role, Sampling, Signature, Source, Thinking, Unknown,
};
pub use response::{ChatResponse, Choice, FinishReason};
pub(crate) use sequence::Sequence;
pub use tool::{Namespaced, Namespaces, Tool, ToolChoice, ToolKind};
