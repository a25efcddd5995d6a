//! One operator process: stores, webhook server, admin server, and the writers
//! while it leads.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agentkube_certs::Resolver;
use agentkube_webhooks::server::{Webhooks, router, serve};
use agentkube_webhooks::{Install, Mode};
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::events::{Recorder, Reporter};
use kube::{Api, Client, Config};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::admin::{self, Readiness};
use crate::leader::{Elector, Timing, lead};
use crate::listen::bind;
use crate::metrics::Metrics;
use crate::reconcile::{Context, writers};
use crate::render::Settings;
use crate::stores::{LiveReads, Stores};
use crate::webhook::{CaSecret, Leaves, Registrar, keep_leaf, keep_registered, names};
use crate::{Error, Options, WebhookEndpoint};

/// Name of the Lease.
const LEASE: &str = "agentkube-operator";
/// Endpoints are taken out of a Service while the replica that ends still serves.
const SETTLE: Duration = Duration::from_secs(5);

/// The parts of the process; each says what it was when it ends.
type Tasks = JoinSet<Result<&'static str, Error>>;

/// Runs the operator until `shutdown`.
///
/// # Errors
/// When there is no cluster, a listener cannot be bound, or a part ends that
/// never should.
pub async fn run(options: Options, shutdown: CancellationToken) -> Result<(), Error> {
    let mut config = Config::infer().await?;
    // Retries are ours: the client's own go on for minutes, which is a lost
    // Lease and a stuck admission request.
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(5));
    let watches = Client::try_from(config.clone())?;
    config.read_timeout = Some(Duration::from_secs(15));
    let calls = Client::try_from(config)?;
    run_with(calls, watches, options, shutdown).await
}

/// [`run`] with given clients: one for calls, one for watches.
pub(crate) async fn run_with(
    client: Client,
    watches: Client,
    options: Options,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let mut registry = Registry::default();
    let admission = agentkube_webhooks::server::Metrics::register(&mut registry);
    let metrics = Metrics::new(registry);
    let readiness = Arc::new(Readiness::default());
    let admin = listen("admin", options.admin_listen)?;
    let hooks = listen("webhooks", options.webhook_listen)?
        .into_std()
        .map_err(Error::Webhook)?;
    let (stores, watchers) = Stores::start(&watches);
    let leaves = Arc::new(Leaves {
        resolver: Arc::new(Resolver::new()),
        names: names(&options),
        serving: Arc::clone(&readiness),
        metrics: metrics.clone(),
    });
    let ca = CaSecret::new(&client, &options.namespace);

    // Servers outlive the writers and the announcement that we are going.
    let stop = CancellationToken::new();
    let mut tasks = Tasks::new();
    for watcher in watchers {
        tasks.spawn(async move {
            watcher.await;
            Ok("a watch")
        });
    }
    tasks.spawn(ended(
        "the admin server",
        admin::serve(admin, Arc::clone(&readiness), metrics.clone(), stop.clone()),
    ));
    tasks.spawn(synced(
        Arc::clone(&stores),
        Arc::clone(&readiness),
        stop.clone(),
    ));
    let tls = Arc::new(agentkube_certs::server_config(Arc::clone(
        &leaves.resolver,
    ))?);
    let webhooks = webhooks(&client, &stores, &readiness, admission, &options);
    tasks.spawn(ended(
        "the webhook server",
        serve(hooks, tls, router(webhooks), stop.clone().cancelled_owned()),
    ));
    tasks.spawn(keeping(
        keep_leaf(ca.clone(), Arc::clone(&leaves), stop.clone()),
        "the certificate keeper",
    ));
    tasks.spawn(leading(
        client,
        options.clone(),
        stores,
        ca,
        leaves,
        metrics,
        shutdown.clone(),
    ));

    let settle = matches!(options.webhook_endpoint, WebhookEndpoint::Service { .. });
    let result = until_end(&mut tasks, &shutdown).await;
    readiness.ending.store(true, Ordering::Relaxed);
    info!("shutting down");
    if result.is_ok() && settle {
        tokio::time::sleep(SETTLE).await;
    }
    drain(tasks, &stop).await;
    result
}

/// Waits for the shutdown, or for a part to end, which none should before it.
async fn until_end(tasks: &mut Tasks, shutdown: &CancellationToken) -> Result<(), Error> {
    tokio::select! {
        // First, or a part that ends because of it would look like a failure.
        biased;
        () = shutdown.cancelled() => Ok(()),
        Some(done) = tasks.join_next() => Err(match done {
            Ok(Ok(what)) => Error::TaskEnded(what),
            Ok(Err(error)) => error,
            Err(_) => Error::TaskEnded("a task (it panicked)"),
        }),
    }
}

/// Waits for what ends by itself: the leader gives its Lease back, the servers
/// finish their calls. Watches do not end; they are dropped.
async fn drain(mut tasks: Tasks, stop: &CancellationToken) {
    stop.cancel();
    let all = async {
        while let Some(done) = tasks.join_next().await {
            if matches!(done, Ok(Ok("the leader"))) {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(8), all).await;
    tasks.shutdown().await;
}

fn webhooks(
    client: &Client,
    stores: &Arc<Stores>,
    readiness: &Arc<Readiness>,
    metrics: agentkube_webhooks::server::Metrics,
    options: &Options,
) -> Webhooks {
    let mut install = Install::of(Mode::Cluster);
    let runtimes = options.runtime_images.keys();
    install.runtime_images = Some(runtimes.map(|runtime| format!("{runtime:?}")).collect());
    let ready = Arc::clone(readiness);
    Webhooks {
        lookup: Arc::clone(stores) as Arc<dyn agentkube_webhooks::Lookup>,
        confirm: Arc::new(LiveReads {
            client: client.clone(),
        }),
        rights: Arc::new(LiveReads {
            client: client.clone(),
        }),
        install: Arc::new(install),
        metrics,
        ready: Arc::new(move || ready.synced.load(Ordering::Relaxed)),
    }
}

/// Competes for the Lease and writes while holding it.
async fn leading(
    client: Client,
    options: Options,
    stores: Arc<Stores>,
    ca: CaSecret,
    leaves: Arc<Leaves>,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> Result<&'static str, Error> {
    let reporter = Reporter {
        controller: "agentkube".to_owned(),
        instance: Some(options.identity.clone()),
    };
    let settings = Settings::from(&options);
    let work = |stop: CancellationToken| {
        let recorder = Recorder::new(client.clone(), reporter.clone());
        let (stores, settings, metrics) = (Arc::clone(&stores), settings.clone(), metrics.clone());
        let context = Context::new(
            client.clone(),
            Arc::clone(&stores),
            settings,
            recorder,
            metrics.clone(),
        );
        let registrar = Registrar::new(&client, &options, metrics.clone());
        let registering = keep_registered(ca.clone(), registrar, Arc::clone(&leaves), stop.clone());
        async move {
            let _leading = Leading::now(metrics);
            let reconciling = async {
                tokio::select! {
                    () = stores.synced() => writers(Arc::new(context), stop.clone()).await,
                    () = stop.cancelled() => {}
                }
            };
            futures::join!(registering, reconciling);
        }
    };
    if options.leader_election {
        let api = Api::<Lease>::namespaced(client.clone(), &options.namespace);
        let identity = format!("{}_{}", options.identity, nonce());
        let elector = Elector::new(api, LEASE, &identity, Timing::default());
        Box::pin(lead(elector, shutdown, work)).await;
    } else {
        Box::pin(work(shutdown)).await;
    }
    Ok("the leader")
}

/// The metric says so while this lives, however the writers end.
struct Leading(Metrics);

impl Leading {
    fn now(metrics: Metrics) -> Self {
        metrics.leading.set(1);
        Self(metrics)
    }
}

impl Drop for Leading {
    fn drop(&mut self) {
        self.0.leading.set(0);
    }
}

/// Two processes of one host name are two candidates.
fn nonce() -> String {
    let mut bytes = [0_u8; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => hex::encode(bytes),
        Err(_) => std::process::id().to_string(),
    }
}

async fn synced(
    stores: Arc<Stores>,
    readiness: Arc<Readiness>,
    stop: CancellationToken,
) -> Result<&'static str, Error> {
    stores.fill().await;
    info!("caches synced");
    readiness.synced.store(true, Ordering::Relaxed);
    stop.cancelled().await;
    Ok("the cache watcher")
}

async fn keeping(
    work: impl Future<Output = ()>,
    what: &'static str,
) -> Result<&'static str, Error> {
    work.await;
    Ok(what)
}

async fn ended(
    what: &'static str,
    server: impl Future<Output = std::io::Result<()>>,
) -> Result<&'static str, Error> {
    server.await.map_err(Error::Webhook)?;
    Ok(what)
}

fn listen(what: &'static str, addr: std::net::SocketAddr) -> Result<TcpListener, Error> {
    bind(addr).map_err(|source| Error::Listen { what, addr, source })
}
