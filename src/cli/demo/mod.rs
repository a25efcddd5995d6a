//! The demo: model providers and an MCP server that answer without a key and
//! without a network, so that a first try of agentkube needs neither.
//!
//! Every address serves everything: `/v1/chat/completions`, `/v1/responses`,
//! `/v1/embeddings` and `/v1/models` as OpenAI does, `/v1/messages` as Anthropic does, `/mcp` as a tool server of
//! both eras. `agentkube run --demo` starts it in-process; `agentkube
//! demo-upstream` is the same as a program of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

mod answer;
mod anthropic;
mod mcp;
mod openai;
mod reply;
mod responses;
mod server;
mod tools;

use server::{Server, State};

/// Where examples/quickstart expects the demo providers.
pub(crate) const UPSTREAM_ADDR: SocketAddr = loopback(18080);
/// Where examples/quickstart expects the demo MCP server.
pub(crate) const MCP_ADDR: SocketAddr = loopback(18081);

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

/// Arguments of `agentkube demo-upstream`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  agentkube demo-upstream --listen 127.0.0.1:18080
  curl -s http://127.0.0.1:18080/v1/models -H 'authorization: Bearer sk-demo'")]
pub(crate) struct DemoArgs {
    /// Address of the demo providers and of the demo MCP server at /mcp.
    #[arg(long, env = "AGENTKUBE_DEMO_LISTEN", value_name = "ADDR", default_value_t = UPSTREAM_ADDR)]
    listen: SocketAddr,
}

impl DemoArgs {
    /// Serves until `stop` resolves, then drains.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let server = Server::start(self.listen, Arc::new(State::default())).await?;
        let addr = server.addr();
        println!("demo providers   http://{addr}/v1");
        println!("demo MCP server  http://{addr}/mcp");
        stop.await;
        server.shutdown().await;
        Ok(())
    }
}

/// The demo, running in this process.
#[derive(Debug)]
pub(crate) struct Demo {
    upstream: Server,
    mcp: Server,
}

impl Demo {
    /// Binds both addresses and serves until [`Demo::shutdown`] (or drop, which
    /// does not drain). Port 0 means any free port.
    ///
    /// # Errors
    /// When one of the addresses cannot be bound; nothing is served then.
    pub(crate) async fn start(upstream: SocketAddr, mcp: SocketAddr) -> Result<Self, Error> {
        let state = Arc::new(State::default());
        Ok(Self {
            upstream: Server::start(upstream, Arc::clone(&state)).await?,
            mcp: Server::start(mcp, state).await?,
        })
    }

    /// Where the providers listen.
    #[cfg(test)]
    pub(crate) fn upstream_addr(&self) -> SocketAddr {
        self.upstream.addr()
    }

    /// Where the MCP server listens.
    #[cfg(test)]
    pub(crate) fn mcp_addr(&self) -> SocketAddr {
        self.mcp.addr()
    }

    /// Accepts nothing more and lets what is under way end.
    pub(crate) async fn shutdown(self) {
        tokio::join!(self.upstream.shutdown(), self.mcp.shutdown());
    }
}

/// Why the demo does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An address is taken, or not ours.
    #[error("the demo cannot listen on {addr}; stop what uses the port, or leave out --demo")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

#[cfg(test)]
mod tests;
