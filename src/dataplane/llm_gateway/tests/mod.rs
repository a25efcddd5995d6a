//! The gateway against scripted upstreams on loopback, called in process.

mod balance;
mod bedrock;
mod errors;
mod failover;
mod gemini;
mod heads;
mod kit;
mod ollama;
mod passthrough;
mod providers;
mod refusals;
mod reload;
mod responses;
mod resting;
mod run;
mod streams;
mod translation;
mod wires;
