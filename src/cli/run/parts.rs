//! What the planes of one process share: metrics, and how upstreams are reached.

use agentkube_dataplane::edge::EdgeMetrics;
use agentkube_dataplane::llm_gateway::{Capabilities, GatewayLimits, GatewayMetrics, GatewayParts};
use agentkube_dataplane::mcp_proxy::{ProxyMetrics, ProxyParts};
use agentkube_dataplane::stdio::Programs;
use agentkube_dataplane::upstream::TlsRoots;
use prometheus_client::registry::Registry;

/// Made once a process.
pub(super) struct Parts {
    pub(super) gateway: GatewayParts,
    pub(super) proxy: ProxyParts,
}

impl Parts {
    /// The parts, and the registry of their metrics. `capabilities`: what models
    /// take.
    ///
    /// # Errors
    /// When the roots of trust cannot be loaded.
    pub(super) fn new(capabilities: Capabilities) -> Result<(Self, Registry), String> {
        let mut registry = Registry::default();
        let dial = TlsRoots::load().map_err(|error| format!("TLS towards upstreams: {error}"))?;
        let edge = EdgeMetrics::register(&mut registry);
        let gateway = GatewayParts {
            dial: dial.clone(),
            edge: edge.clone(),
            metrics: GatewayMetrics::register(&mut registry),
            limits: GatewayLimits::default(),
            capabilities,
        };
        let proxy = ProxyParts {
            roots: dial,
            programs: Programs::default(),
            edge,
            metrics: ProxyMetrics::register(&mut registry),
        };
        Ok((Self { gateway, proxy }, registry))
    }
}
