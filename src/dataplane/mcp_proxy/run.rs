//! `agentkube mcp-proxy --plan DIR`: what a proxy pod runs.

use std::io;
use std::path::Path;

use agentkube_mcp::session::Home;
use agentkube_plan::ProxyPlan;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tracing::info;

use super::{Proxy, ProxyMetrics, ProxyParts};
use crate::admin::Admin;
use crate::edge::{Drain, EdgeMetrics, serve};
use crate::source::DirSource;
use crate::stdio::Programs;
use crate::upstream::TlsRoots;

/// Serves the proxy whose plan lies in `dir`, with its admin server, until the
/// drain. Without a plan it waits for one: alive, not ready. With a `relay` it has
/// replicas, which hand on to it there what lives in this Pod.
///
/// # Errors
/// When TLS towards upstreams cannot be set up.
pub async fn run_proxy(
    dir: &Path,
    traffic: TcpListener,
    admin: TcpListener,
    relay: Option<(TcpListener, Home)>,
    drain: Drain,
) -> io::Result<()> {
    let mut registry = Registry::default();
    let programs = Programs::default();
    let parts = ProxyParts {
        roots: TlsRoots::load().map_err(io::Error::other)?,
        programs: programs.clone(),
        edge: EdgeMetrics::register(&mut registry),
        metrics: ProxyMetrics::register(&mut registry),
    };
    let admin_server = Admin::new(registry);
    // The admin server answers while traffic drains.
    let stop = Drain::new(drain.grace());
    let tasks = TaskTracker::new();
    let served = admin_server
        .clone()
        .serve(admin, drain.clone(), stop.clone());
    tasks.spawn(served);

    let source = DirSource::<ProxyPlan>::open(dir);
    let watch = source.watch();
    tasks.spawn(source.run(drain.clone()));
    if let Some(proxy) = Proxy::start(watch, parts).await {
        admin_server.set_planes(vec![proxy.status()]);
        if let Ok(mut address) = traffic.local_addr() {
            if let Some((_, home)) = &relay
                && address.ip().is_unspecified()
            {
                address.set_ip(home.address.ip());
            }
            proxy.listens_on(address);
        }
        let service = proxy.service();
        // Calls under way are cancelled through other replicas while they drain.
        let worked = Drain::new(drain.grace());
        let replicas = TaskTracker::new();
        if let Some((listener, home)) = relay {
            proxy.lives_at(home);
            replicas.spawn(serve(listener, proxy.relayed(), worked.clone()));
        }
        replicas.close();
        tasks.spawn(proxy.follow(drain.clone()));
        serve(traffic, service, drain).await;
        worked.start();
        replicas.wait().await;
    }
    programs.stopped().await;
    info!("drained");
    stop.start();
    tasks.close();
    tasks.wait().await;
    Ok(())
}
