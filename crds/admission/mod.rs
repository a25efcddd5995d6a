//! What the API server does with an object and a definition, done by us: for `lint` and `run`,
//! which have no API server, and for the mutating webhook, which comes before it.

mod cel;
mod defaults;
mod unsupported;

pub use cel::check_cel;
pub use defaults::defaults;
pub use unsupported::{NotEnforced, not_enforced, unsupported};
