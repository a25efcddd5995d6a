//! What the operator knows of the cluster: reflector stores, fed by watches.

mod dirty;
mod lookup;
mod referrers;
mod triggers;
mod watch;

pub(crate) use dirty::Dirty;
pub(crate) use lookup::LiveReads;
pub(crate) use referrers::targets as targets_of_mcp;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use agentkube_crds::{Agent, Kind, LLMGateway, MCP, keys};
use kube::core::DynamicObject;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;

use crate::apply::Children;
use crate::render::ChildKind;
use crate::shapes::{NOT_HELM, NamespaceShape, PodShape, SecretShape};

/// An object of ours that is reconciled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// Everything that is watched.
pub(crate) struct Stores {
    pub(crate) gateways: Store<LLMGateway>,
    pub(crate) mcps: Store<MCP>,
    pub(crate) agents: Store<Agent>,
    pub(crate) namespaces: Store<NamespaceShape>,
    pub(crate) secrets: Store<SecretShape>,
    pub(crate) pods: Store<PodShape>,
    children: BTreeMap<ChildKind, Store<DynamicObject>>,
    /// Objects to be looked at again.
    pub(crate) dirty: Queues,
    /// Cancelled once every store was filled.
    filled: CancellationToken,
}

/// The three work queues.
#[derive(Clone, Default)]
pub(crate) struct Queues {
    pub(crate) gateways: Arc<Dirty<Key>>,
    pub(crate) mcps: Arc<Dirty<Key>>,
    pub(crate) agents: Arc<Dirty<Key>>,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Kinds of children that are watched; Secrets have a store of their own.
const WATCHED: [ChildKind; 7] = [
    ChildKind::ConfigMap,
    ChildKind::ServiceAccount,
    ChildKind::Service,
    ChildKind::NetworkPolicy,
    ChildKind::PodDisruptionBudget,
    ChildKind::Deployment,
    ChildKind::StatefulSet,
];

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl Queues {
    /// Wants an object of ours to be looked at.
    pub(crate) fn mark(&self, kind: Kind, namespace: &str, name: &str) {
        let key = Key::new(namespace, name);
        match kind {
            Kind::LLMGateway => self.gateways.mark(key),
            Kind::MCP => self.mcps.mark(key),
            Kind::Agent => self.agents.mark(key),
            Kind::AgentPolicy => {}
        }
    }
}

impl Stores {
    /// The stores, empty, and the watches that fill them.
    pub(crate) fn start(client: &Client) -> (Arc<Self>, Vec<Task>) {
        let (gateways, mcps, agents) = (Writer::default(), Writer::default(), Writer::default());
        let (namespaces, secrets, pods) = (Writer::default(), Writer::default(), Writer::default());
        let children: Vec<(ChildKind, Writer<DynamicObject>)> = WATCHED
            .iter()
            .map(|kind| (*kind, Writer::new(kind.resource())))
            .collect();
        let stores = Arc::new(Self {
            gateways: gateways.as_reader(),
            mcps: mcps.as_reader(),
            agents: agents.as_reader(),
            namespaces: namespaces.as_reader(),
            secrets: secrets.as_reader(),
            pods: pods.as_reader(),
            children: children
                .iter()
                .map(|(kind, writer)| (*kind, writer.as_reader()))
                .collect(),
            dirty: Queues::default(),
            filled: CancellationToken::new(),
        });
        let all = watcher::Config::default;
        let mut tasks: Vec<Task> = vec![
            stores.task(
                watch::guarded_events(Api::all(client.clone())),
                gateways,
                Self::gateway_changed,
            ),
            stores.task(
                watch::guarded_events(Api::all(client.clone())),
                mcps,
                Self::mcp_changed,
            ),
            stores.task(
                watch::guarded_events(Api::all(client.clone())),
                agents,
                Self::agent_changed,
            ),
            stores.task(
                watch::events(Api::all(client.clone()), all()),
                namespaces,
                Self::namespace_changed,
            ),
            stores.task(
                watch::events(Api::all(client.clone()), all().fields(NOT_HELM)),
                secrets,
                Self::secret_changed,
            ),
            stores.task(
                watch::events(Api::all(client.clone()), all()),
                pods,
                Self::pod_changed,
            ),
        ];
        for (kind, writer) in children {
            tasks.push(stores.child_task(client, kind, writer));
        }
        (stores, tasks)
    }

    /// Waits until every store was filled once.
    pub(crate) async fn synced(&self) {
        self.filled.cancelled().await;
    }

    /// Notices when every store was filled once. For one task only: of several
    /// waiters on one kube store, the store wakes the last.
    pub(crate) async fn fill(&self) {
        let children = self.children.values().map(|store| store.wait_until_ready());
        // A dropped writer means that the process ends.
        let _ = futures::join!(
            self.gateways.wait_until_ready(),
            self.mcps.wait_until_ready(),
            self.agents.wait_until_ready(),
            self.namespaces.wait_until_ready(),
            self.secrets.wait_until_ready(),
            self.pods.wait_until_ready(),
            futures::future::join_all(children),
        );
        self.filled.cancel();
    }

    /// Wants every object of ours to be looked at.
    pub(crate) fn mark_all(&self) {
        for object in self.gateways.state() {
            self.mark_meta(Kind::LLMGateway, &object.metadata);
        }
        for object in self.mcps.state() {
            self.mark_meta(Kind::MCP, &object.metadata);
        }
        for object in self.agents.state() {
            self.mark_meta(Kind::Agent, &object.metadata);
        }
    }

    fn task<K>(
        self: &Arc<Self>,
        events: impl futures::Stream<Item = watcher::Event<K>> + Send + 'static,
        writer: Writer<K>,
        changed: fn(&Self, watch::Change<'_, K>),
    ) -> Task
    where
        K: kube::Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
    {
        let stores = Arc::clone(self);
        Box::pin(watch::feed(events, writer, (), move |change| {
            changed(&stores, change)
        }))
    }

    fn child_task(
        self: &Arc<Self>,
        client: &Client,
        kind: ChildKind,
        writer: Writer<DynamicObject>,
    ) -> Task {
        let resource = kind.resource();
        let (label, us) = keys::MANAGED_BY;
        let config = watcher::Config::default().labels(&format!("{label}={us}"));
        let events = watch::events(Api::all_with(client.clone(), &resource), config);
        let stores = Arc::clone(self);
        Box::pin(watch::feed(events, writer, resource, move |change| {
            stores.child_changed(&change)
        }))
    }
}

impl Children for Stores {
    fn child(&self, kind: ChildKind, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        let store = self.children.get(&kind)?;
        store.get(&ObjectRef::new_with(name, kind.resource()).within(namespace))
    }
}
