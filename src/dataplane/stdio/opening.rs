//! Opening a session: a child of its own, greeted once.
//!
//! A program may take longer to start than whoever asked will wait (a package
//! runner that downloads first). So the greeting goes on without them, and the
//! next one who greets in the same words gets the session.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::timeout;

use agentkube_mcp::{Id, Kind, MAX_DEPTH, Message, message};

use super::call::Call;
use super::child::Child;
use super::pool::{NoChild, Pool};

/// For a program to start and to answer the greeting.
const PATIENCE: Duration = Duration::from_secs(120);

/// A session that nobody waited for.
pub(super) struct Orphan {
    params: String,
    pub(super) child: Arc<Child>,
    answer: Bytes,
}

/// An open session and the answer to its greeting, under the id of our own.
pub(super) struct Opened {
    pub(super) session: String,
    pub(super) answer: Bytes,
}

/// The id of the greeting on stdio.
fn greeting_id() -> Id<'static> {
    Id::from(0)
}

impl Pool {
    /// Opens a session with these parameters of `initialize`, as JSON text.
    ///
    /// # Errors
    /// [`NoChild`].
    pub(super) async fn open(self: &Arc<Self>, params: &str) -> Result<Opened, NoChild> {
        let orphan = {
            let mut held = self.held();
            held.forget_ended();
            let at = held
                .orphans
                .iter()
                .position(|orphan| orphan.params == params);
            at.map(|at| held.orphans.swap_remove(at))
        };
        if let Some(orphan) = orphan {
            return self.keep(orphan);
        }
        let child = {
            let mut held = self.held();
            let child = self.fresh(&mut held)?;
            held.opening += 1;
            child
        };
        let (done, opened) = oneshot::channel();
        let (pool, params) = (Arc::clone(self), params.to_owned());
        self.tasks
            .spawn(async move { pool.greet(child, params, done).await });
        let orphan = opened.await.map_err(|_| NoChild::Ended)??;
        self.keep(orphan)
    }

    async fn greet(
        self: Arc<Self>,
        child: Arc<Child>,
        params: String,
        done: oneshot::Sender<Result<Orphan, NoChild>>,
    ) {
        let answer = timeout(PATIENCE, greeted(&child, &params))
            .await
            .ok()
            .flatten();
        self.note(answer.is_some());
        let mut held = self.held();
        held.opening = held.opening.saturating_sub(1);
        let outcome = match answer {
            Some(answer) => Ok(Orphan {
                params,
                child,
                answer,
            }),
            None => {
                child.stop();
                Err(NoChild::Ended)
            }
        };
        // `keep` takes it out of the orphans, whoever comes.
        if let Err(Ok(orphan)) = done.send(outcome) {
            held.orphans.push(orphan);
        }
    }

    fn keep(&self, orphan: Orphan) -> Result<Opened, NoChild> {
        let Orphan { child, answer, .. } = orphan;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| NoChild::Start(error.to_string()))?;
        let session = hex::encode(random);
        // One that refused the greeting has no session.
        let accepted = matches!(
            Message::decode(&answer, MAX_DEPTH).map(|answer| answer.kind().clone()),
            Ok(Kind::Result { .. })
        );
        if accepted {
            child.touch();
            self.held().sessions.insert(session.clone(), child);
        } else {
            child.stop();
        }
        Ok(Opened { session, answer })
    }
}

async fn greeted(child: &Arc<Child>, params: &str) -> Option<Bytes> {
    let text = message::request(&greeting_id(), "initialize", params);
    let request = Message::decode(text.as_bytes(), MAX_DEPTH).ok()?;
    let mut call = Call::begin(child, &request, text.as_bytes(), false).await?;
    loop {
        let bytes = call.next().await?;
        let message = Message::decode(&bytes, MAX_DEPTH).ok()?;
        if call.is_answered_by(&message) {
            return Some(bytes);
        }
    }
}
