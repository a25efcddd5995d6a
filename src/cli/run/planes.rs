//! The objects that are being served, each with its listener.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use agentkube_crds::Kind;
use agentkube_dataplane::admin::{Admin, PlaneStatus};
use agentkube_dataplane::edge::{Drain, serve};
use agentkube_dataplane::llm_gateway::{Capabilities, Gateway};
use agentkube_dataplane::mcp_proxy::Proxy;
use agentkube_dataplane::source::MemorySource;
use agentkube_plan::{GatewayPlan, Provider, ProxyPlan};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::desired::{Desired, Identity, Plan};
use super::parts::Parts;
use super::ports;
use super::report::Reporter;

/// Everything that this process serves.
pub(super) struct Planes {
    listen: IpAddr,
    drain: Drain,
    /// Stops the admin server, after traffic has drained.
    stop_admin: Drain,
    admin: Admin,
    admin_url: String,
    parts: Parts,
    traffic: TaskTracker,
    admin_server: TaskTracker,
    running: BTreeMap<Identity, Running>,
}

/// One object being served.
struct Running {
    desired: Desired,
    served: Served,
    drain: Drain,
    source: Source,
    status: Arc<dyn PlaneStatus>,
    /// Why pins could not be kept, as it was told.
    pins_failed: Option<String>,
}

enum Source {
    Gateway(MemorySource<GatewayPlan>),
    Proxy(MemorySource<ProxyPlan>),
}

/// What is printed of an object.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) address: SocketAddr,
    /// Base URL of a gateway, endpoint of an MCP.
    pub(super) url: String,
    /// Key of the first client by name; none with `auth.mode: none`.
    pub(super) key: Option<String>,
    /// The wanted port, when another one had to do.
    pub(super) instead_of: Option<u16>,
    pub(super) ignored_keys: Vec<String>,
    pub(super) sample_model: Option<String>,
    pub(super) speaks_anthropic: bool,
}

/// What [`Planes::replace`] did about an object.
pub(super) enum Change {
    Started(Served),
    Replaced(Served),
    Kept(Served),
    Stopped(Served),
}

impl Change {
    /// The object, unless it was stopped.
    pub(super) fn now_served(&self) -> Option<&Served> {
        match self {
            Self::Started(served) | Self::Replaced(served) | Self::Kept(served) => Some(served),
            Self::Stopped(_) => None,
        }
    }
}

impl Planes {
    /// Starts the admin server, and nothing else yet. `capabilities`: what models
    /// take.
    ///
    /// # Errors
    /// When no admin port can be bound, or TLS cannot be set up.
    pub(super) fn start(
        admin: SocketAddr,
        listen: IpAddr,
        capabilities: Capabilities,
        drain: Drain,
    ) -> Result<Self, String> {
        let (parts, registry) = Parts::new(capabilities)?;
        let bound = ports::bind(admin.ip(), admin.port())
            .map_err(|error| format!("cannot listen on {admin}: {error}"))?;
        let listener = bound.listener;
        let server = Admin::on_loopback(registry);
        let stop_admin = Drain::new(drain.grace());
        let admin_server = TaskTracker::new();
        admin_server.spawn(
            server
                .clone()
                .serve(listener, drain.clone(), stop_admin.clone()),
        );
        Ok(Self {
            listen,
            drain,
            stop_admin,
            admin: server,
            admin_url: format!("http://{}", bound.address),
            parts,
            traffic: TaskTracker::new(),
            admin_server,
            running: BTreeMap::new(),
        })
    }

    /// Base URL of the admin server.
    pub(super) fn admin(&self) -> &str {
        &self.admin_url
    }

    /// Serves these objects and no others from now on. An object whose port
    /// stays keeps its listener and its connections.
    ///
    /// # Errors
    /// When a port cannot be bound or a plan cannot be served. What was served
    /// before goes on.
    pub(super) async fn replace(&mut self, desired: Vec<Desired>) -> Result<Vec<Change>, String> {
        let mut changes = Vec::new();
        let wanted: Vec<Identity> = desired.iter().map(|it| it.identity.clone()).collect();
        for object in desired {
            let same_port = self
                .running
                .get(&object.identity)
                .is_some_and(|running| running.desired.port == object.port);
            let change = match self.running.get_mut(&object.identity).filter(|_| same_port) {
                Some(running) if running.desired == object => Change::Kept(running.served.clone()),
                Some(running) => Change::Replaced(running.replace(object)?),
                None => Change::Started(self.begin(object).await?),
            };
            changes.push(change);
        }
        let gone: Vec<Identity> = self
            .running
            .keys()
            .filter(|known| !wanted.contains(known))
            .cloned()
            .collect();
        for identity in gone {
            if let Some(running) = self.running.remove(&identity) {
                running.drain.start();
                changes.push(Change::Stopped(running.served));
            }
        }
        let statuses = self
            .running
            .values()
            .map(|running| Arc::clone(&running.status));
        self.admin.set_planes(statuses.collect());
        Ok(changes)
    }

    /// Compares the tools of every MCP with their pins, tells what drifted, and says
    /// whether other pins are to be served.
    pub(super) fn look_at_pins(&mut self, report: &Reporter) -> bool {
        let mut changed = false;
        for running in self.running.values_mut() {
            let Some(pinning) = &running.desired.pinning else {
                continue;
            };
            let Some(digest) = running.status.digest() else {
                continue;
            };
            match pinning.look(&digest) {
                Ok(look) => {
                    look.notes.iter().for_each(|note| report.note(note));
                    changed |= look.changed;
                    running.pins_failed = None;
                }
                Err(error) if running.pins_failed.as_ref() == Some(&error) => {}
                Err(error) => {
                    report.note(&format!("Warning: {error}"));
                    running.pins_failed = Some(error);
                }
            }
        }
        changed
    }

    /// Waits until everything has ended; the drain was started before.
    pub(super) async fn drained(self) {
        let Self {
            running,
            traffic,
            admin_server,
            stop_admin,
            parts,
            ..
        } = self;
        drop(running);
        traffic.close();
        traffic.wait().await;
        parts.proxy.programs.stopped().await;
        // The admin server answers until the traffic is gone.
        stop_admin.start();
        admin_server.close();
        admin_server.wait().await;
    }

    /// Binds the port and serves. An object that moves to another port drains
    /// at the old one.
    async fn begin(&mut self, desired: Desired) -> Result<Served, String> {
        let bound = ports::bind(self.listen, desired.port)
            .map_err(|error| format!("{}: port {}: {error}", desired.identity, desired.port))?;
        let served = Served::of(&desired, bound.address, bound.instead_of);
        let listener = bound.listener;
        let drain = self.drain.child();
        let (source, status) = match &desired.plan {
            Plan::Gateway(plan) => self.gateway(plan, &desired, listener, &drain).await?,
            Plan::Proxy(plan) => self.proxy(plan, &desired, listener, &drain).await?,
        };
        let identity = desired.identity.clone();
        let running = Running {
            desired,
            served: served.clone(),
            drain,
            source,
            status,
            pins_failed: None,
        };
        if let Some(moved) = self.running.insert(identity, running) {
            moved.drain.start();
        }
        Ok(served)
    }

    async fn gateway(
        &self,
        plan: &GatewayPlan,
        desired: &Desired,
        listener: TcpListener,
        drain: &Drain,
    ) -> Result<(Source, Arc<dyn PlaneStatus>), String> {
        let (clients, secrets) = (&desired.clients.table, desired.secrets.clone());
        let source = MemorySource::new(plan.clone(), clients, secrets)?;
        let started = Gateway::start(source.watch(), self.parts.gateway.clone()).await;
        let gateway = started.ok_or("the source of the plan is gone")?;
        let status = gateway.status();
        self.traffic
            .spawn(serve(listener, gateway.service(), drain.clone()));
        self.traffic.spawn(gateway.follow(drain.clone()));
        Ok((Source::Gateway(source), status))
    }

    async fn proxy(
        &self,
        plan: &ProxyPlan,
        desired: &Desired,
        listener: TcpListener,
        drain: &Drain,
    ) -> Result<(Source, Arc<dyn PlaneStatus>), String> {
        let (clients, secrets) = (&desired.clients.table, desired.secrets.clone());
        let source = MemorySource::new(plan.clone(), clients, secrets)?;
        let started = Proxy::start(source.watch(), self.parts.proxy.clone()).await;
        let proxy = started.ok_or("the source of the plan is gone")?;
        if let Ok(address) = listener.local_addr() {
            proxy.listens_on(address);
        }
        let status = proxy.status();
        self.traffic
            .spawn(serve(listener, proxy.service(), drain.clone()));
        self.traffic.spawn(proxy.follow(drain.clone()));
        Ok((Source::Proxy(source), status))
    }
}

impl Running {
    fn replace(&mut self, desired: Desired) -> Result<Served, String> {
        let (clients, secrets) = (&desired.clients.table, desired.secrets.clone());
        match (&self.source, &desired.plan) {
            (Source::Gateway(source), Plan::Gateway(plan)) => {
                source.replace(plan.clone(), clients, secrets)?;
            }
            (Source::Proxy(source), Plan::Proxy(plan)) => {
                source.replace(plan.clone(), clients, secrets)?;
            }
            // The kind is part of the identity.
            _ => return Err(format!("{}: its kind changed", desired.identity)),
        }
        self.served = Served::of(&desired, self.served.address, self.served.instead_of);
        self.desired = desired;
        Ok(self.served.clone())
    }
}

impl Served {
    fn of(desired: &Desired, address: SocketAddr, instead_of: Option<u16>) -> Self {
        let Identity {
            kind,
            namespace,
            name,
        } = desired.identity.clone();
        let (path, sample_model, speaks_anthropic) = match &desired.plan {
            Plan::Gateway(plan) => {
                let first = plan.upstreams.first();
                let anthropic = first.is_some_and(|it| it.provider == Provider::Anthropic);
                let listed = first
                    .and_then(|it| it.models.first().cloned())
                    .map(String::from);
                ("", plan.routing.default_model.clone().or(listed), anthropic)
            }
            Plan::Proxy(_) => ("/mcp", None, false),
        };
        Self {
            kind,
            namespace,
            name,
            address,
            url: format!("http://{address}{path}"),
            key: desired.clients.shown.clone(),
            instead_of,
            ignored_keys: desired.clients.ignored.clone(),
            sample_model,
            speaks_anthropic,
        }
    }
}
