//! What is said on a stream: answers to what is posted, and what upstreams say
//! unasked.

use std::sync::Arc;
use std::time::Duration;

use agentkube_mcp::inbound::Session;
use agentkube_mcp::{Body as Messages, ErrorObject, Kind, MAX_DEPTH, Message, error, message, sse};
use futures::future::{BoxFuture, pending};
use futures::stream::{FuturesUnordered, Stream as Pieces, StreamExt};
use http::{HeaderMap, HeaderValue};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::open_streams::{Job, Place, Stream};
use crate::edge::Tally;
use crate::mcp_proxy::calls::Call;
use crate::mcp_proxy::dispatch::{Caller, dispatch};
use crate::mcp_proxy::over::{changed_lists, superseded};
use crate::mcp_proxy::pieces::{Driven, Piece, kept_alive};
use crate::mcp_proxy::proxy::State;
use crate::mcp_proxy::relay::Step;
use crate::mcp_proxy::reply::Reply;
use crate::mcp_proxy::serving::Serving;
use crate::mcp_proxy::sessions::{self, Live};
use crate::mcp_proxy::stream;

/// Frames that wait for a slow reader.
const MAX_WAITING: usize = 16;

/// How long a stream stays open on which nobody says hello.
const GREETING: Duration = Duration::from_secs(60);

/// The pieces of a stream, beginning with this one.
pub(super) fn pieces(
    place: Place,
    first: String,
    closing: CancellationToken,
) -> impl Pieces<Item = Piece> + Send {
    let (out, pieces) = mpsc::channel(MAX_WAITING);
    kept_alive(Driven::new(drive(place, first, closing, out), pieces))
}

async fn drive(
    mut place: Place,
    first: String,
    closing: CancellationToken,
    out: mpsc::Sender<Piece>,
) {
    let Some(mut jobs) = place.jobs.take() else {
        return;
    };
    let out = Out(out);
    out.say(first).await;
    // Nothing here waits for the reader but what is in here: else the loop could wait
    // for a place that was given to work which only the loop goes on with.
    let mut work: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
    let mut listens = false;
    let greet_by = Instant::now() + GREETING;
    loop {
        let live = place.stream.live();
        if !listens && let (Some(live), Some(serving)) = (live, place.state.serving()) {
            work.push(Box::pin(hear(&place, serving, live, out.clone())));
            listens = true;
        }
        let over = async {
            match live {
                Some(live) => live.over().await,
                None => sleep_until(greet_by).await,
            }
        };
        tokio::select! {
            Some(job) = jobs.recv() => work.push(Box::pin(run(&place, job, out.clone()))),
            Some(()) = work.next() => {}
            () = over => return,
            () = closing.cancelled() => return,
        }
    }
}

/// Says what upstreams say, those of one plan after those of the other, until the
/// client is not known any more.
async fn hear(place: &Place, serving: Arc<Serving>, live: &Arc<Live>, out: Out) {
    let mut serving = serving;
    loop {
        let mut ears = stream::ears(&serving, live, None);
        let pass_on = async {
            while let Some(frame) = ears.next().await {
                out.say(frame).await;
            }
            pending::<()>().await;
        };
        tokio::select! {
            () = pass_on => {}
            () = superseded(&place.state, Arc::clone(&serving), &place.client) => {}
        }
        let next = place.state.serving();
        let next = next.filter(|next| place.is_admitted(&serving, next));
        let Some(next) = next else {
            return place.state.sessions.end(live);
        };
        for text in changed_lists() {
            out.message(&text).await;
        }
        serving = next;
    }
}

/// The way to the client.
#[derive(Clone)]
struct Out(mpsc::Sender<Piece>);

impl Out {
    /// A reader that is gone hears nothing more, and ends all this.
    async fn say(&self, frame: impl Into<String>) {
        drop(self.0.send(Piece::open(frame.into())).await);
    }

    /// More of an answer, which ends before this stream does.
    async fn pieces(&self, mut pieces: impl Pieces<Item = Piece> + Send + Unpin) {
        while let Some(piece) = pieces.next().await {
            drop(self.0.send(piece.and_more()).await);
        }
    }

    async fn message(&self, text: &str) {
        self.say(sse::frame(text)).await;
    }
}

/// Works on what was posted until there is nothing more to say to it.
async fn run(place: &Place, job: Job, out: Out) {
    let Job {
        serving,
        body,
        call,
    } = job;
    let speaker = Speaker {
        state: &place.state,
        stream: &place.stream,
        client: &place.client,
        serving: &serving,
    };
    // It was looked at before it was taken.
    match Messages::decode(&body, MAX_DEPTH) {
        Ok(Messages::One(message)) => speaker.answer(&message, Some(call), &out).await,
        Ok(Messages::Batch(messages)) => {
            for message in messages.into_iter().flatten() {
                speaker.answer(&message, None, &out).await;
            }
        }
        Err(malformed) => debug!(%malformed, "not a message"),
    }
}

/// Who says something, and what serves it.
struct Speaker<'a> {
    state: &'a Arc<State>,
    stream: &'a Stream,
    client: &'a str,
    serving: &'a Arc<Serving>,
}

impl Speaker<'_> {
    async fn answer(&self, message: &Message<'_>, call: Option<Call>, out: &Out) {
        let Kind::Request { id, method } = message.kind() else {
            // Nobody waits for what there is to say to it.
            drop(self.dispatch(message, call).await);
            return;
        };
        let greets = method == "initialize";
        if greets && !self.stream.begins_greeting() {
            let text = "this stream's session was initialized before; open another stream";
            let error = ErrorObject::new(error::INVALID_REQUEST, text);
            return out.message(&message::failure(Some(id), &error)).await;
        }
        let reply = self.dispatch(message, call).await;
        if greets {
            self.stream.greeted(match &reply {
                Reply::Opened { session, .. } => self.opened(session),
                _ => None,
            });
        }
        match reply {
            Reply::Accepted | Reply::Cancelled => {}
            Reply::Opened { text, untold, .. } => {
                // The stream has it now, and ends it.
                untold.told();
                out.message(&text).await;
            }
            Reply::Whole { text, .. } => out.message(&text).await,
            Reply::Stream(mut relay) => loop {
                match relay.step().await {
                    Step::Event(frame) => out.say(frame).await,
                    Step::Last { text, .. } => return out.message(&text).await,
                    // A stream that cannot be resumed has no other end.
                    Step::Cancelled | Step::End => return,
                }
            },
            Reply::Asking(pieces) => out.pieces(pieces).await,
            Reply::MayAsk(answer) => out.pieces(answer.pieces()).await,
        }
    }

    async fn dispatch(&self, message: &Message<'_>, call: Option<Call>) -> Reply {
        let (party, tally) = (self.stream.party(), Tally::default());
        let caller = Caller {
            state: self.state,
            serving: self.serving,
            granted: &self.serving.access.of(self.client),
            client: self.client,
            party: &party,
            tally: &tally,
            session: Session {
                version: self.stream.version(),
            },
            headers: &HeaderMap::new(),
        };
        dispatch(&caller, message, call).await
    }

    /// The session that a greeting opened.
    fn opened(&self, id: &HeaderValue) -> Option<Arc<Live>> {
        let plan = &self.serving.loaded.plan;
        let owner = sessions::owner(&plan.object, self.client);
        let sessions = &self.state.sessions;
        let token = sessions.open(&self.serving.sealer, &owner, id.to_str().ok()?)?;
        Some(sessions.find(&token, &owner, plan.limits.sessions))
    }
}
