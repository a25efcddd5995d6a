//! `subscriptions/listen`: a modern client's stream of changes
//! (2026-07-28, Server, "Subscriptions").

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use agentkube_mcp::bridge::{self, Route};
use agentkube_mcp::method::Method;
use agentkube_mcp::{
    Era, ErrorObject, Id, Kind, MAX_DEPTH, Message, capability, error, json, message, meta, sse,
};
use futures::future::join_all;
use http::StatusCode;
use tokio::sync::mpsc;
use tracing::debug;

use super::calls::Call;
use super::dispatch::{Caller, failure};
use super::locate;
use super::over::{Over, changed_lists, over};
use super::pauses::Pauses;
use super::pieces::{Driven, Piece, kept_alive};
use super::reply::Reply;
use super::tasks;
use super::upstream::{Side, Upstream, Wanted, Withheld};

/// Frames that wait for a slow reader.
const MAX_WAITING: usize = 16;

/// Resources that one client may follow with one request.
const MAX_FOLLOWED: usize = 1_000;

/// Opens the stream: first what is granted of what was asked for, then the
/// changes, and a result when the server goes.
pub(super) async fn open(caller: &Caller<'_>, message: &Message<'_>, id: &Id<'_>) -> Reply {
    let wanted = message
        .params()
        .and_then(|params| params.object("notifications"));
    let Some(wanted) = wanted else {
        let text = "params.notifications must be an object";
        return failure(caller, id, &ErrorObject::new(error::INVALID_PARAMS, text));
    };
    // As many as there may be sessions: a client that listens is there for as long.
    let limit = caller.serving.loaded.plan.limits.sessions;
    let Some(slot) = caller.state.listeners.begin(limit) else {
        let text = "too many streams are open (spec.limits.sessions); try again later";
        let error = ErrorObject::new(error::INTERNAL_ERROR, text);
        caller.tally.set(error::fault(error.code));
        return Reply::failure(Some(id), StatusCode::SERVICE_UNAVAILABLE, &error);
    };
    let granted = grant(caller, &wanted).await;
    let subscription = Subscription {
        id: id.as_json().to_owned(),
        info: caller.serving.info.clone(),
    };
    let accepted = merged(&granted);
    let (out, pieces) = mpsc::channel(MAX_WAITING);
    let ears = caller.serving.upstreams.iter().zip(granted);
    let ears: Vec<_> = ears
        .map(|(upstream, wanted)| Ear {
            upstream: Arc::clone(upstream),
            wanted,
            subscription: subscription.clone(),
            out: out.clone(),
            withheld: caller.serving.withheld.clone(),
        })
        .collect();
    let (state, serving) = (Arc::clone(caller.state), Arc::clone(caller.serving));
    let over = over(state, serving, caller.client.to_owned());
    let stream = Stream {
        ears,
        subscription,
        accepted,
        out,
        _slot: slot,
    };
    let driven = Driven::new(stream.drive(over), pieces);
    Reply::Asking(Box::pin(kept_alive(driven)))
}

/// An open stream.
struct Stream {
    ears: Vec<Ear>,
    subscription: Subscription,
    accepted: Wanted,
    out: mpsc::Sender<Piece>,
    /// It counts for as long as it is open.
    _slot: Call,
}

impl Stream {
    async fn drive(self, over: impl Future<Output = Over>) {
        let accepted = self.accepted.to_json(Side::Client);
        self.say(&self.subscription.acknowledged(&accepted)).await;
        let over = tokio::select! {
            _ = join_all(self.ears.iter().map(Ear::hear)) => Over::Closing,
            over = over => over,
        };
        if over == Over::Superseded {
            self.tell_changed().await;
        }
        let last = sse::frame(&self.subscription.ended());
        drop(self.out.send(Piece::last(last)).await);
    }

    /// Under another plan the lists are others.
    async fn tell_changed(&self) {
        for text in changed_lists() {
            let message = Message::parse(&text).ok();
            let message = message.filter(|message| self.accepted.wants(message));
            let told = message.and_then(|message| self.subscription.notification(&message));
            if let Some(text) = told {
                self.say(&text).await;
            }
        }
    }

    async fn say(&self, text: &str) {
        drop(self.out.send(Piece::open(sse::frame(text))).await);
    }
}

/// What each upstream can tell of what is wanted, in the order of the plan. Tools
/// are looked at by the proxy itself.
async fn grant(caller: &Caller<'_>, wanted: &json::Object<'_>) -> Vec<Wanted> {
    let says = |key: &str| wanted.value(key) == Some("true");
    let upstreams = &caller.serving.upstreams;
    let lanes = join_all(
        upstreams
            .iter()
            .map(|upstream| upstream.greet(caller.party)),
    )
    .await;
    let mut uris = followed(caller, wanted).await;
    let ids = wanted.value("taskIds").unwrap_or("[]");
    let mut tasks = tasks::followed(caller, ids);
    tasks.truncate(MAX_FOLLOWED);
    let lanes = upstreams.iter().zip(lanes);
    lanes
        .map(|(upstream, lane)| {
            let lane = lane.ok();
            let offer = lane.as_ref().and_then(|lane| lane.offer());
            let promises = |name: &str, key: &str| {
                offer.is_some_and(|offer| capability::promises(&offer.capabilities, name, key))
            };
            // That one which is down came back is told by the proxy.
            let may_tell = |name: &str| lane.is_none() || promises(name, "listChanged");
            let own = uris.remove(upstream.name.as_str()).unwrap_or_default();
            let modern = lane.as_ref().is_some_and(|it| it.era() == Era::Modern);
            let of = tasks
                .iter()
                .filter(|(of, ..)| modern && *of == upstream.fingerprint);
            Wanted {
                tools: says("toolsListChanged"),
                prompts: says("promptsListChanged") && may_tell("prompts"),
                resources: says("resourcesListChanged") && may_tell("resources"),
                tasks: of
                    .map(|(_, told, own)| (told.clone(), own.clone()))
                    .collect(),
                uris: if promises("resources", "subscribe") {
                    own
                } else {
                    Vec::new()
                },
            }
        })
        .collect()
}

/// The resources to follow, by the upstream that owns them.
async fn followed(caller: &Caller<'_>, wanted: &json::Object<'_>) -> HashMap<String, Vec<String>> {
    let uris = wanted.value("resourceSubscriptions").and_then(json::array);
    let mut owned = HashMap::<_, Vec<_>>::new();
    for uri in uris.unwrap_or_default().into_iter().take(MAX_FOLLOWED) {
        let Some(uri) = json::string(uri) else {
            continue;
        };
        if let Ok(upstream) = locate::resource_owner(caller, &uri).await {
            let uris = owned.entry(upstream.name.clone()).or_default();
            uris.push(uri.into_owned());
        }
    }
    owned
}

fn merged(granted: &[Wanted]) -> Wanted {
    let mut all = Wanted::default();
    for wanted in granted {
        all.tools |= wanted.tools;
        all.prompts |= wanted.prompts;
        all.resources |= wanted.resources;
        all.uris.extend(wanted.uris.iter().cloned());
        all.tasks.extend(wanted.tasks.iter().cloned());
    }
    all
}

/// A stream as its client names it.
#[derive(Clone, Debug)]
struct Subscription {
    /// The id of the request, as JSON text.
    id: String,
    info: Arc<str>,
}

impl Subscription {
    fn tagged(&self, params: &json::Object<'_>) -> String {
        let meta = match params.object("_meta") {
            Some(meta) => meta.edit().set(meta::SUBSCRIPTION_ID, &*self.id).finish(),
            None => format!("{{\"{}\":{}}}", meta::SUBSCRIPTION_ID, self.id),
        };
        params.edit().set("_meta", meta).finish()
    }

    fn notification(&self, message: &Message<'_>) -> Option<String> {
        let empty = json::Object::parse("{}");
        let params = message.params().or(empty.as_ref())?;
        let params = self.tagged(params);
        Some(message.object().edit().set("params", params).finish())
    }

    fn acknowledged(&self, accepted: &str) -> String {
        let params = format!("{{\"notifications\":{accepted}}}");
        let params = json::Object::parse(&params).map(|params| self.tagged(&params));
        let method = "notifications/subscriptions/acknowledged";
        message::notification(method, params.as_deref())
    }

    fn ended(&self) -> String {
        let empty = json::Object::parse("{}").map(|params| self.tagged(&params));
        let route = Route {
            client: Era::Modern,
            upstream: Era::Modern,
            method: Method::Listen,
            server_info: &self.info,
        };
        let result = empty.unwrap_or_default();
        let result = bridge::result_for(&result, route);
        match Id::parse(&self.id) {
            Some(id) => message::result(&id, &result),
            None => String::new(),
        }
    }
}

/// One upstream's changes on their way to one client.
struct Ear {
    upstream: Arc<Upstream>,
    wanted: Wanted,
    subscription: Subscription,
    out: mpsc::Sender<Piece>,
    withheld: Withheld,
}

impl Ear {
    /// Passes changes on, for ever.
    async fn hear(&self) {
        let mut changes = self.upstream.changes();
        let everybody = async {
            loop {
                match changes.recv().await {
                    Ok(text) => self.pass_on(text.as_bytes()).await,
                    // The next change says again that something changed.
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                }
            }
        };
        tokio::join!(everybody, self.own());
    }

    /// The stream that the upstream opens for this client, or has for all.
    async fn own(&self) {
        let mut pauses = Pauses::default();
        loop {
            match self.upstream.listen(&self.wanted).await {
                Ok(Some(mut events)) => {
                    pauses.opened();
                    while let Ok(Some(bytes)) = events.next().await {
                        self.pass_on(&bytes).await;
                    }
                }
                Ok(None) => {
                    let _following = self.upstream.follow(self.wanted.uris.clone()).await;
                    self.upstream.read_changes().await;
                }
                Err(error) => {
                    debug!(upstream = %self.upstream.name, %error, "no stream of changes");
                }
            }
            pauses.pause().await;
        }
    }

    async fn pass_on(&self, bytes: &[u8]) {
        let Ok(message) = Message::decode(bytes, MAX_DEPTH) else {
            return;
        };
        if !matches!(message.kind(), Kind::Notification { .. }) || !self.wanted.wants(&message) {
            return;
        }
        let renamed = self.wanted.renamed(&message);
        let renamed = renamed
            .as_deref()
            .and_then(|text| Message::parse(text).ok());
        let message = renamed.as_ref().unwrap_or(&message);
        if let Some(text) = self.subscription.notification(message) {
            let text = self.withheld.redact(text.into());
            drop(self.out.send(Piece::open(sse::frame(&text))).await);
        }
    }
}
