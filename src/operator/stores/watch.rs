//! One watch that feeds one store and tells what changed.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{Lookup as _, ObjectRef};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as start_watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::shapes::slim;

/// A change as a hook sees it: the object before and after. One of them is there.
pub(crate) struct Change<'a, K> {
    pub(crate) before: Option<&'a K>,
    pub(crate) after: Option<&'a K>,
}

impl<K> Change<'_, K> {
    /// The states of the object that the change knows of.
    pub(crate) fn states(&self) -> impl Iterator<Item = &K> {
        self.before.into_iter().chain(self.after)
    }
}

/// Events of a foreign kind. Errors were logged and backed off from.
pub(crate) fn events<K>(api: Api<K>, config: watcher::Config) -> impl Stream<Item = Event<K>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let what = api.resource_url().to_owned();
    logged(start_watcher(api, config).default_backoff(), what)
        .map(|event| event.modify(|object| slim(object.meta_mut())))
}

/// Events of one of our kinds. An object that does not decode (it may be older
/// than a field that we now require) is passed over: it must not stop the others.
pub(crate) fn guarded_events<K>(
    api: Api<DeserializeGuard<K>>,
) -> impl Stream<Item = Event<K>> + Send
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let what = api.resource_url().to_owned();
    logged(
        start_watcher(api, watcher::Config::default()).default_backoff(),
        what,
    )
    .filter_map(|event| async move { decoded(event) })
    .map(|event| event.modify(|object| slim(object.meta_mut())))
}

fn logged<K: Send>(
    stream: impl Stream<Item = Result<Event<K>, watcher::Error>> + Send,
    what: String,
) -> impl Stream<Item = Event<K>> + Send {
    let mut said = Said::default();
    stream.filter_map(move |event| {
        let event = match event {
            Ok(event) => {
                said = Said::default();
                Some(event)
            }
            Err(error) => {
                let text = error.to_string();
                if said.is_new(&text) {
                    warn!(error = %text, watch = %what, "watch failed, retrying");
                }
                None
            }
        };
        std::future::ready(event)
    })
}

/// What was said of a watch that fails: the same again, every few seconds, would
/// bury what else there is to say (CRDs that are not installed yet).
#[derive(Default)]
struct Said(Option<String>);

impl Said {
    fn is_new(&mut self, text: &str) -> bool {
        let new = self.0.as_deref() != Some(text);
        if new {
            self.0 = Some(text.to_owned());
        }
        new
    }
}

fn decoded<K: Resource<DynamicType = ()>>(event: Event<DeserializeGuard<K>>) -> Option<Event<K>> {
    let good = |guard: DeserializeGuard<K>| match guard.0 {
        Ok(object) => Some(object),
        Err(invalid) => {
            let (namespace, name) = (invalid.metadata.namespace, invalid.metadata.name);
            warn!(kind = %K::kind(&()), ?namespace, ?name, error = %invalid.error, "undecodable object");
            None
        }
    };
    match event {
        Event::Apply(guard) => good(guard).map(Event::Apply),
        Event::Delete(guard) => good(guard).map(Event::Delete),
        Event::InitApply(guard) => good(guard).map(Event::InitApply),
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
    }
}

/// Feeds `writer` and calls `hook` after each change of the store. Never ends
/// while the watch goes on.
pub(crate) async fn feed<K>(
    events: impl Stream<Item = Event<K>>,
    mut writer: Writer<K>,
    dyntype: K::DynamicType,
    hook: impl Fn(Change<'_, K>),
) where
    K: Resource + Clone + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    let store = writer.as_reader();
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match &event {
            Event::Apply(object) | Event::Delete(object) => {
                let before = store.get(&key(object, &dyntype));
                let gone = matches!(event, Event::Delete(_));
                writer.apply_watcher_event(&event);
                let after = (!gone).then_some(object);
                hook(Change {
                    before: before.as_deref(),
                    after,
                });
            }
            Event::InitDone => {
                let before = store.state();
                writer.apply_watcher_event(&event);
                relisted(&before, &store.state(), &dyntype, &hook);
            }
            Event::Init | Event::InitApply(_) => writer.apply_watcher_event(&event),
        }
    }
}

/// A relist tells of no deletions: they are what is no longer there.
fn relisted<K>(
    before: &[Arc<K>],
    after: &[Arc<K>],
    dyntype: &K::DynamicType,
    hook: &impl Fn(Change<'_, K>),
) where
    K: Resource + Clone + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    let mut old: std::collections::HashMap<ObjectRef<K>, &Arc<K>> = before
        .iter()
        .map(|object| (key(object.as_ref(), dyntype), object))
        .collect();
    for object in after {
        let before = old
            .remove(&key(object.as_ref(), dyntype))
            .map(AsRef::as_ref);
        let version = |object: &K| object.meta().resource_version.clone();
        if before.map(version) != Some(version(object)) {
            hook(Change {
                before,
                after: Some(object),
            });
        }
    }
    for object in old.into_values() {
        hook(Change {
            before: Some(object),
            after: None,
        });
    }
}

fn key<K>(object: &K, dyntype: &K::DynamicType) -> ObjectRef<K>
where
    K: Resource,
    K::DynamicType: Clone,
{
    object.to_object_ref(dyntype.clone())
}
