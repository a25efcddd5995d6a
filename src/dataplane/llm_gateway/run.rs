//! `agentkube gateway --plan DIR`: what a gateway pod runs.

use std::io;
use std::path::Path;

use agentkube_plan::GatewayPlan;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tracing::info;

use super::{
    CAPABILITIES_FILE, Capabilities, Gateway, GatewayLimits, GatewayMetrics, GatewayParts,
};
use crate::admin::Admin;
use crate::edge::{Drain, EdgeMetrics, serve};
use crate::source::DirSource;
use crate::upstream::TlsRoots;

/// Serves the gateway whose plan lies in `dir`, with its admin server, until the
/// drain. Without a plan it waits for one: alive, not ready.
///
/// # Errors
/// When TLS towards upstreams cannot be set up.
pub async fn run_gateway(
    dir: &Path,
    traffic: TcpListener,
    admin: TcpListener,
    drain: Drain,
) -> io::Result<()> {
    let mut registry = Registry::default();
    let parts = GatewayParts {
        dial: TlsRoots::load().map_err(io::Error::other)?,
        edge: EdgeMetrics::register(&mut registry),
        metrics: GatewayMetrics::register(&mut registry),
        limits: GatewayLimits::default(),
        capabilities: Capabilities::default(),
    };
    let admin_server = Admin::new(registry);
    // The admin server answers while traffic drains.
    let stop = Drain::new(drain.grace());
    let tasks = TaskTracker::new();
    tasks.spawn(
        admin_server
            .clone()
            .serve(admin, drain.clone(), stop.clone()),
    );

    let file = dir.join("capabilities").join(CAPABILITIES_FILE);
    let capabilities = parts.capabilities.clone();
    tasks.spawn(capabilities.follow(file, drain.clone()));

    let source = DirSource::<GatewayPlan>::open(dir);
    let watch = source.watch();
    tasks.spawn(source.run(drain.clone()));
    if let Some(gateway) = Gateway::start(watch, parts).await {
        admin_server.set_planes(vec![gateway.status()]);
        let service = gateway.service();
        tasks.spawn(gateway.follow(drain.clone()));
        serve(traffic, service, drain).await;
    }
    info!("drained");
    stop.start();
    tasks.close();
    tasks.wait().await;
    Ok(())
}
