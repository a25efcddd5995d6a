//! The stream of a legacy session: what upstreams tell and ask when no request
//! is under way (2025-11-25, Transports, "Listening for Messages from the
//! Server").

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;

use agentkube_mcp::method::ListKind;
use agentkube_mcp::{Era, Kind, MAX_DEPTH, Message, Version, header, message, meta, sse, task};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{SelectAll, Stream, StreamExt, unfold};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Body as HttpBody;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::calls::Call;
use super::over::{Over, changed_lists, over};
use super::pauses::Pauses;
use super::pieces::{Piece, pieces_body};
use super::place::{Mark, Place};
use super::proxy::State;
use super::question::Questions;
use super::relay::KEEP_ALIVE;
use super::reply;
use super::route::ProxyError;
use super::serving::Serving;
use super::sessions::Live;
use super::tasks::Names;
use super::telling::Teller;
use super::upstream::{Events, Lane, Upstream, UpstreamError, Wanted, is_ours};
use crate::edge::{Body, BoxError};

/// After how many milliseconds a client is to come back to a stream.
const RETRY: u64 = 1_000;

/// The id of an event that only says that the stream is open. A client that
/// reads on from it missed nothing that could be told again.
const OPEN: &str = "open";

/// Opens the stream of a session, in place of the one before, or goes on with an
/// answer where the client lost one.
///
/// # Errors
/// When there are so many streams already.
pub(super) fn open(
    state: &Arc<State>,
    serving: &Arc<Serving>,
    client: &str,
    live: &Arc<Live>,
    headers: &HeaderMap,
) -> Result<Response<Body>, ProxyError> {
    let mark = headers.get(header::LAST_EVENT_ID).and_then(Mark::parse);
    let ears = ears(serving, live, mark.as_ref());
    // Older clients take an event without a message for a broken one.
    let is_answer = mark.is_some_and(|mark| !mark.is_own_stream);
    let begin = || state.streams.begin(serving.loaded.plan.limits.sessions);
    let (replaced, place) = if is_answer {
        let place = begin().ok_or(ProxyError::ManyStreams)?;
        (CancellationToken::new(), Arc::new(place))
    } else {
        let taken = live.take_stream(begin).ok_or(ProxyError::ManyStreams)?;
        if let Some(teller) = Teller::of(state, serving, client, headers) {
            teller.learn_soon(live, taken.at);
        }
        (taken.replaced, taken.place)
    };
    let greets = !is_answer && live.version >= Version::V2025_11_25;
    let first = greets.then(|| sse::frame_with("", Some(OPEN), None));
    let over: BoxFuture<'static, Over> = if is_answer {
        // A call that is under way ends under the plan under which it began.
        let closing = state.closing.clone();
        Box::pin(async move {
            closing.cancelled().await;
            Over::Closing
        })
    } else {
        let (state, serving) = (Arc::clone(state), Arc::clone(serving));
        Box::pin(over(state, serving, client.to_owned()))
    };
    let ending = Ending {
        live: Arc::clone(live),
        over,
        replaced,
        _place: place,
    };
    Ok(reply::stream(Body::stream(body(ears, first, ending))))
}

/// What ends a stream, and the place that it takes.
struct Ending {
    live: Arc<Live>,
    over: BoxFuture<'static, Over>,
    replaced: CancellationToken,
    _place: Arc<Call>,
}

impl Ending {
    /// Waits for it; answers with the last frames.
    async fn comes(&mut self) -> String {
        tokio::select! {
            () = self.live.over() => String::new(),
            over = &mut self.over => farewell(over),
            () = self.replaced.cancelled() => String::new(),
        }
    }
}

/// The last frames of a stream. Under another plan the lists are others, and the
/// client is to come back soon.
fn farewell(over: Over) -> String {
    match over {
        Over::Closing => String::new(),
        Over::Superseded => changed_lists()
            .map(|text| sse::frame_with(&text, None, Some(RETRY)))
            .concat(),
    }
}

/// What upstreams say in a session, from this mark on.
pub(super) fn ears(
    serving: &Arc<Serving>,
    live: &Arc<Live>,
    mark: Option<&Mark>,
) -> SelectAll<Frames> {
    let mut ears = SelectAll::new();
    let of_answer = mark.filter(|mark| !mark.is_own_stream);
    for upstream in &serving.upstreams {
        let marked = mark.filter(|mark| mark.upstream == upstream.fingerprint);
        if of_answer.is_some() && marked.is_none() {
            continue;
        }
        ears.push(Box::pin(Ear::new(serving, live, upstream, marked).frames()) as Frames);
        if of_answer.is_none() {
            ears.push(Box::pin(seen(upstream)));
        }
    }
    ears
}

/// What the proxy saw of an upstream.
fn seen(upstream: &Upstream) -> impl Stream<Item = String> + Send + use<> {
    unfold(upstream.seen(), |mut seen| async move {
        loop {
            match seen.recv().await {
                Ok(text) => return Some((sse::frame(&text), seen)),
                // The next change says again that something changed.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    })
}

pub(super) type Frames = Pin<Box<dyn Stream<Item = String> + Send>>;

fn body(
    ears: SelectAll<Frames>,
    first: Option<String>,
    ending: Ending,
) -> impl HttpBody<Data = Bytes, Error = BoxError> + Send {
    let state = Some((ears, first, ending));
    pieces_body(unfold(state, |state| async move {
        let (mut ears, first, mut ending) = state?;
        if let Some(first) = first {
            return Some((Piece::open(first), Some((ears, None, ending))));
        }
        let frame = tokio::select! {
            biased;
            last = ending.comes() => return Some((Piece::last(last), None)),
            frame = timeout(KEEP_ALIVE, ears.next()) => frame,
        };
        match frame {
            Ok(None) => Some((Piece::last(Bytes::new()), None)),
            Ok(Some(frame)) => Some((Piece::open(frame), Some((ears, None, ending)))),
            Err(_) => {
                let alive = Piece::open(sse::KEEP_ALIVE);
                Some((alive, Some((ears, None, ending))))
            }
        }
    }))
}

/// One upstream's stream on its way to the client.
struct Ear {
    serving: Arc<Serving>,
    live: Arc<Live>,
    upstream: Arc<Upstream>,
    after: Option<HeaderValue>,
    /// It goes on an answer: its end is the end.
    is_answer: bool,
    open: Option<(Lane, Events)>,
    /// What a modern upstream was asked to tell.
    wanted: Wanted,
    /// Tells when the client follows other resources.
    followed: watch::Receiver<()>,
    pauses: Pauses,
}

impl Ear {
    fn new(
        serving: &Arc<Serving>,
        live: &Arc<Live>,
        upstream: &Arc<Upstream>,
        mark: Option<&Mark>,
    ) -> Self {
        Self {
            serving: Arc::clone(serving),
            live: Arc::clone(live),
            upstream: Arc::clone(upstream),
            after: mark.map(|mark| mark.id.clone()),
            is_answer: mark.is_some_and(|mark| !mark.is_own_stream),
            open: None,
            wanted: Wanted::default(),
            followed: live.link(upstream.fingerprint).changes(),
            pauses: Pauses::default(),
        }
    }

    fn frames(self) -> impl Stream<Item = String> + Send {
        unfold(self, |mut ear| async move {
            loop {
                let Some((lane, events)) = &mut ear.open else {
                    ear.listen().await?;
                    continue;
                };
                let lane = lane.clone();
                let event = if lane.era() == Era::Modern {
                    tokio::select! {
                        event = events.event() => event,
                        // It is asked anew, for what is followed now.
                        Ok(()) = ear.followed.changed() => {
                            ear.open = None;
                            continue;
                        }
                    }
                } else {
                    events.event().await
                };
                match event {
                    Ok(Some(event)) => {
                        let frame = ear.frame(&lane, &event);
                        if let Some(id) = event.id {
                            ear.after = HeaderValue::try_from(id).ok();
                        }
                        if let Some(frame) = frame {
                            return Some((frame, ear));
                        }
                    }
                    Ok(None) | Err(_) if ear.is_answer => return None,
                    ended => {
                        debug!(upstream = %ear.upstream.name, ?ended, "stream ended");
                        ear.open = None;
                        ear.pauses.pause().await;
                    }
                }
            }
        })
    }

    /// Waits for the upstream's stream; `None` when there is none to wait for.
    async fn listen(&mut self) -> Option<()> {
        match self.upstream.stream(&self.live, self.after.as_ref()).await {
            Ok(Some(open)) => self.opened(open),
            Ok(None) | Err(_) if self.is_answer => return None,
            // A modern upstream opens a stream for whoever listens.
            Ok(None) => self.listen_modern().await,
            Err(error) => {
                debug!(upstream = %self.upstream.name, %error, "no stream");
                self.pauses.pause().await;
            }
        }
        Some(())
    }

    fn opened(&mut self, open: (Lane, Events)) {
        self.open = Some(open);
        self.pauses.opened();
    }

    async fn listen_modern(&mut self) {
        self.followed.mark_unchanged();
        self.wanted = Wanted {
            tools: true,
            prompts: true,
            resources: true,
            uris: self.live.link(self.upstream.fingerprint).subscriptions(),
            ..Wanted::default()
        };
        match self.upstream.listen(&self.wanted).await {
            Ok(Some(events)) => self.opened((Lane::Probe, events)),
            // It has nothing to tell; others may, and the client may follow more.
            Ok(None) | Err(UpstreamError::UnknownMethod) => match self.followed.changed().await {
                Ok(()) => {}
                Err(_) => std::future::pending().await,
            },
            Err(_) => self.pauses.pause().await,
        }
    }

    fn frame(&self, lane: &Lane, event: &sse::Event) -> Option<String> {
        let place = if self.live.is_on_stream() {
            Place::default()
        } else if self.is_answer {
            Place::answer(self.upstream.fingerprint, event)
        } else {
            Place::stream(self.upstream.fingerprint, event)
        };
        if event.data.is_empty() {
            return place.is_told().then(|| place.frame(""));
        }
        let message = Message::decode(&event.data, MAX_DEPTH).ok()?;
        if lane.is_shared() && names_a_task(&message) {
            // It may be another client's, who would be told of it as well.
            self.upstream.refuse_soon(lane, &message);
            return None;
        }
        let questions = Questions {
            upstream: &self.upstream,
            lane,
            live: &self.live,
            sealer: &self.serving.sealer,
        };
        let text = match message.kind() {
            Kind::Request { .. } => questions.request(&message)?,
            Kind::Notification { method } => {
                if lane.era() == Era::Modern {
                    let wanted = self.wanted.wants(&message);
                    let change = wanted.then(|| legacy_change(&message)).flatten()?;
                    return Some(sse::frame(&self.serving.redact(change.into())));
                }
                if method == "notifications/tools/list_changed" {
                    self.upstream.read_again_soon(ListKind::Tools);
                }
                questions.notification(&message)
            }
            // The answer whose stream was lost: its id is the client's own. What answers
            // a question of ours is nothing to it.
            Kind::Result { id, .. } | Kind::Error { id: Some(id), .. } if is_ours(id) => {
                return place.is_told().then(|| place.frame(""));
            }
            Kind::Result { .. } | Kind::Error { .. } => message.object().edit().finish(),
        };
        let names = Names {
            sealer: &self.serving.sealer,
            owner: self.live.owner(),
            upstream: self.upstream.fingerprint,
        };
        let text = names.message(text);
        Some(place.frame(&self.serving.redact(Cow::Owned(text))))
    }
}

/// True for a message about a task.
fn names_a_task(message: &Message<'_>) -> bool {
    message
        .object()
        .value("params")
        .is_some_and(task::are_mentioned)
}

/// A modern upstream's notice of a change, without what is of its stream.
fn legacy_change(message: &Message<'_>) -> Option<String> {
    let method = message.method()?;
    if method.ends_with("/list_changed") {
        return Some(message::notification(method, None));
    }
    let params = message.params()?;
    let mut edit = params.edit();
    if let Some(inner) = params.object("_meta") {
        let inner = inner.edit().remove(meta::SUBSCRIPTION_ID).finish();
        edit.set("_meta", inner);
    }
    Some(
        message
            .object()
            .edit()
            .set("params", edit.finish())
            .finish(),
    )
}
