//! Who may call a data plane, and the keys by which they are known.
//!
//! ```text
//! grants    which clients a target has, from Pods, Agents and labelled Secrets     pure
//! ledger    keys that were minted and not handed out yet                          pure
//! keys      the Secrets: reads hashes, hands keys out, takes them back            IO
//! ```
//!
//! A new key goes into the target's table as a hash first. Its Secret appears
//! only when every ready replica holds that hash, so the first call of a client
//! never meets a 401; until then the kubelet holds the client's container.

mod grants;
mod keys;
mod ledger;
#[cfg(test)]
mod tests;

pub(crate) use grants::{
    ClientOwner, Grants, Sources, minted_for, secret_name, targets_of_agent, targets_of_pod,
};
pub(crate) use keys::{ClientKeys, HandOut, KeyCache, mint};
pub(crate) use ledger::Ledger;
