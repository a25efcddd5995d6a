//! Opening a session: a child of its own, greeted once.
//!
//! A program may take longer to start than whoever asked will wait (a package
//! runner that downloads first). So the greeting goes on without them, and the
//! next one who greets in the same words gets the session.

use std::mem;
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

/// A session on its way to who asked for it. Should they be gone, whenever that
/// was, it becomes an orphan: a child that nobody knows of would never end.
struct Greeted {
    pool: Arc<Pool>,
    orphan: Option<Orphan>,
}

impl Greeted {
    fn take(mut self) -> Option<Orphan> {
        mem::take(&mut self.orphan)
    }
}

impl Drop for Greeted {
    fn drop(&mut self) {
        if let Some(orphan) = mem::take(&mut self.orphan) {
            self.pool.held().orphans.push(orphan);
        }
    }
}

/// The answer to a greeting, under the id of our own, and the session that it
/// opened.
pub(super) struct Opened {
    pub(super) session: Option<String>,
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
        if let Some(orphan) = self.orphan(params) {
            return self.keep(orphan);
        }
        let child = self.fresh().await?;
        let (done, opened) = oneshot::channel();
        let (pool, params) = (Arc::clone(self), params.to_owned());
        self.tasks
            .spawn(async move { drop(done.send(pool.greet(child, params).await)) });
        let greeted = opened.await.map_err(|_| NoChild::Ended)??;
        self.keep(greeted.take().ok_or(NoChild::Ended)?)
    }

    /// A session that was opened in the same words, and that nobody has.
    fn orphan(&self, params: &str) -> Option<Orphan> {
        let mut held = self.held();
        held.forget_ended();
        let mut orphans = held.orphans.iter();
        let at = orphans.position(|orphan| orphan.params == params)?;
        Some(held.orphans.swap_remove(at))
    }

    async fn greet(self: Arc<Self>, child: Arc<Child>, params: String) -> Result<Greeted, NoChild> {
        let answer = timeout(PATIENCE, greeted(&child, &params)).await;
        let answer = answer.ok().flatten();
        self.note(answer.is_some());
        let Some(answer) = answer else {
            child.stop();
            return Err(NoChild::Ended);
        };
        self.watch(&child);
        let orphan = Orphan {
            params,
            child,
            answer,
        };
        Ok(Greeted {
            pool: self,
            orphan: Some(orphan),
        })
    }

    fn keep(&self, orphan: Orphan) -> Result<Opened, NoChild> {
        let Orphan { child, answer, .. } = orphan;
        // One that refused the greeting has no session.
        let accepted = matches!(
            Message::decode(&answer, MAX_DEPTH).map(|answer| answer.kind().clone()),
            Ok(Kind::Result { .. })
        );
        let mut random = [0; 16];
        let named = getrandom::fill(&mut random);
        if !accepted || named.is_err() {
            child.stop();
        }
        named.map_err(|error| NoChild::Start(error.to_string()))?;
        let session = accepted.then(|| hex::encode(random));
        if let Some(session) = &session {
            child.begin();
            self.held().sessions.insert(session.clone(), child);
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
