//! The proxy over scripted tool servers of both eras.

mod access;
mod bridge;
mod cancel;
mod credentials;
mod edge;
mod failures;
mod fidelity;
mod filter;
mod kit;
mod listen;
mod lists;
mod metrics;
mod oauth;
mod old_clients;
mod old_server;
mod old_upstreams;
mod pins;
mod pods;
mod programs;
mod resume;
mod sealed;
mod server;
mod sessions;
mod streams;
mod tasks;
mod through;
