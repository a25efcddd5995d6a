//! The children of one program: who has which, how many, how long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::child::Child;
use super::opening::Orphan;
use super::{Launch, MOST_CHILDREN};

/// How often idle children are looked for.
const SWEEP: Duration = Duration::from_secs(15);

/// The pauses after starts that failed double from the first to the last.
const START_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Why there is no child.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoChild {
    /// All children are busy.
    #[error("all {MOST_CHILDREN} processes of the program are busy")]
    Busy,
    /// It ended before it answered anything.
    #[error("the program ended before it answered")]
    Ended,
    /// It failed like this a moment ago, and is not tried again yet.
    #[error("{0}")]
    Later(String),
    /// The system does not start it.
    #[error("cannot start the program: {0}")]
    Start(String),
}

pub(super) struct Pool {
    pub(super) launch: Launch,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    held: Mutex<Held>,
}

#[derive(Default)]
pub(super) struct Held {
    /// The children of legacy sessions.
    pub(super) sessions: HashMap<String, Arc<Child>>,
    /// The child of stateless requests.
    pub(super) modern: Option<Arc<Child>>,
    /// A child that was asked for its era, and nothing else.
    pub(super) spare: Option<Arc<Child>>,
    /// Sessions that were opened after whoever asked had gone.
    pub(super) orphans: Vec<Orphan>,
    /// Sessions being opened.
    pub(super) opening: usize,
    failures: u32,
    /// Until when it is not tried again, and what was wrong.
    failed: Option<(Instant, String)>,
}

impl Pool {
    pub(super) fn new(launch: Launch, tasks: TaskTracker, stop: CancellationToken) -> Arc<Self> {
        let pool = Arc::new(Self {
            launch,
            tasks: tasks.clone(),
            stop: stop.clone(),
            held: Mutex::default(),
        });
        let weak = Arc::downgrade(&pool);
        tasks.spawn(async move {
            let mut sweeps = tokio::time::interval(SWEEP);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = sweeps.tick() => match weak.upgrade() {
                        Some(pool) => pool.held().sweep(pool.launch.idle),
                        None => return,
                    },
                }
            }
        });
        pool
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn children(&self) -> usize {
        let mut held = self.held();
        held.forget_ended();
        held.count()
    }

    /// The child of a session; `None` when it has none any more.
    pub(super) fn session(&self, id: &str) -> Option<Arc<Child>> {
        let mut held = self.held();
        let child = held.sessions.get(id)?;
        if child.is_over() {
            held.sessions.remove(id);
            return None;
        }
        child.touch();
        Some(Arc::clone(child))
    }

    /// The child for stateless requests and for the question of the era.
    ///
    /// # Errors
    /// [`NoChild`].
    pub(super) fn stateless(&self) -> Result<Arc<Child>, NoChild> {
        let mut held = self.held();
        held.forget_ended();
        if let Some(child) = held.modern.as_ref().or(held.spare.as_ref()) {
            return Ok(Arc::clone(child));
        }
        let child = self.start(&mut held)?;
        held.spare = Some(Arc::clone(&child));
        Ok(child)
    }

    /// A child that nobody has spoken to but for its era.
    ///
    /// # Errors
    /// [`NoChild`].
    pub(super) fn fresh(&self, held: &mut Held) -> Result<Arc<Child>, NoChild> {
        held.forget_ended();
        match held.spare.take_if(|child| !child.inbox.is_busy()) {
            Some(child) => Ok(child),
            None => self.start(held),
        }
    }

    fn start(&self, held: &mut Held) -> Result<Arc<Child>, NoChild> {
        if let Some((until, why)) = &held.failed
            && *until > Instant::now()
        {
            return Err(NoChild::Later(why.clone()));
        }
        if held.count() >= MOST_CHILDREN && !held.make_room() {
            return Err(NoChild::Busy);
        }
        Child::start(&self.launch, &self.tasks, &self.stop).map_err(|error| {
            let error = NoChild::Start(error.to_string());
            held.fail(&error);
            error
        })
    }

    /// Makes sure that there is a child to speak to, or may be one.
    ///
    /// # Errors
    /// [`NoChild`], in words for whoever connects.
    pub(super) fn ready(&self) -> Result<(), NoChild> {
        let nobody = {
            let mut held = self.held();
            held.forget_ended();
            held.count() == 0
        };
        if nobody {
            self.stateless()?;
        }
        Ok(())
    }

    /// A child answered, or ended before it did.
    pub(super) fn note(&self, answered: bool) {
        let mut held = self.held();
        if answered {
            (held.failures, held.failed) = (0, None);
        } else {
            held.fail(&NoChild::Ended);
        }
    }
}

impl Held {
    fn count(&self) -> usize {
        self.sessions.len()
            + self.orphans.len()
            + self.opening
            + usize::from(self.modern.is_some())
            + usize::from(self.spare.is_some())
    }

    fn fail(&mut self, why: &NoChild) {
        let (first, longest) = START_AGAIN;
        let pause = first.saturating_mul(1 << self.failures.min(8)).min(longest);
        self.failures = self.failures.saturating_add(1);
        self.failed = Some((Instant::now() + pause, why.to_string()));
    }

    pub(super) fn forget_ended(&mut self) {
        self.sessions.retain(|_, child| !child.is_over());
        self.orphans.retain(|orphan| !orphan.child.is_over());
        self.modern.take_if(|child| child.is_over());
        self.spare.take_if(|child| child.is_over());
    }

    /// Stops the child that was idle for longest; false when all are busy.
    fn make_room(&mut self) -> bool {
        if let Some(orphan) = self.orphans.pop() {
            orphan.child.stop();
            return true;
        }
        let idle = self
            .sessions
            .iter()
            .filter(|(_, child)| !child.inbox.is_busy());
        let longest = idle
            .min_by_key(|(_, child)| child.used())
            .map(|(id, _)| id.clone());
        match longest.and_then(|id| self.sessions.remove(&id)) {
            Some(child) => {
                child.stop();
                true
            }
            None => false,
        }
    }

    fn sweep(&mut self, idle: Duration) {
        self.forget_ended();
        let is_idle = |child: &Arc<Child>| child.used().elapsed() >= idle;
        for (_, child) in self.sessions.extract_if(|_, child| is_idle(child)) {
            child.stop();
        }
        let orphans = self.orphans.extract_if(.., |orphan| is_idle(&orphan.child));
        for orphan in orphans {
            orphan.child.stop();
        }
        for place in [&mut self.modern, &mut self.spare] {
            if let Some(child) = place.take_if(|child| is_idle(child)) {
                child.stop();
            }
        }
    }
}
