//! The children of one program: who has which, how many, how long.
//!
//! Each holds a slot until its process is gone. Whoever needs one while there is
//! none has an idle child stopped, and waits in line.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::child::Child;
use super::opening::Orphan;
use super::{Launch, MOST_CHILDREN};

/// How often idle children are looked for.
const SWEEP: Duration = Duration::from_secs(15);

/// The pauses after starts that failed double from the first to the last.
const START_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// A child that ends sooner, by its own fault, is as good as one that did not start.
const STEADY: Duration = Duration::from_secs(5);

/// For a child to become idle and to end: less than a proxy waits for a greeting,
/// so that what is wrong is said.
const IN_LINE: Duration = Duration::from_secs(8);

/// Between two looks for an idle child, should nobody say that there is one.
const LOOK: Duration = Duration::from_millis(250);

/// The place of a process, until that is gone.
pub(super) type Slot = OwnedSemaphorePermit;

/// Why there is no child.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoChild {
    /// All children are busy.
    #[error("all {MOST_CHILDREN} processes of the program are busy; try again later")]
    Busy,
    /// It ended before it answered anything.
    #[error("the program ended before it answered")]
    Ended,
    /// It answered, and ended soon after that.
    #[error("the program ended soon after it was started")]
    Brief,
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
    slots: Arc<Semaphore>,
    /// Told when a child has answered, and so may be idle.
    idle: Arc<Notify>,
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
    /// Children that were told to end.
    ending: Vec<Arc<Child>>,
    /// How many wait for a slot.
    waiting: usize,
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
            slots: Arc::new(Semaphore::new(MOST_CHILDREN)),
            idle: Arc::default(),
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
        MOST_CHILDREN - self.slots.available_permits()
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
    pub(super) async fn stateless(&self) -> Result<Arc<Child>, NoChild> {
        let shared = || {
            let mut held = self.held();
            held.forget_ended();
            held.modern.as_ref().or(held.spare.as_ref()).map(Arc::clone)
        };
        if let Some(child) = shared() {
            return Ok(child);
        }
        self.may_start()?;
        let slot = self.slot().await?;
        // Another one may have started it meanwhile.
        if let Some(child) = shared() {
            return Ok(child);
        }
        let child = self.start(slot)?;
        let mut held = self.held();
        let spare = held.spare.get_or_insert_with(|| Arc::clone(&child));
        if !Arc::ptr_eq(spare, &child) {
            child.stop();
        }
        Ok(Arc::clone(spare))
    }

    /// A child that nobody has spoken to but for its era.
    ///
    /// # Errors
    /// [`NoChild`].
    pub(super) async fn fresh(&self) -> Result<Arc<Child>, NoChild> {
        let spare = {
            let mut held = self.held();
            held.forget_ended();
            held.spare.take_if(|child| !child.inbox.is_busy())
        };
        match spare {
            Some(child) => Ok(child),
            None => {
                self.may_start()?;
                self.start(self.slot().await?)
            }
        }
    }

    /// An error while a start that failed is not tried again.
    fn may_start(&self) -> Result<(), NoChild> {
        match &self.held().failed {
            Some((until, why)) if *until > Instant::now() => Err(NoChild::Later(why.clone())),
            _ => Ok(()),
        }
    }

    fn start(&self, slot: Slot) -> Result<Arc<Child>, NoChild> {
        let idle = Arc::clone(&self.idle);
        let started = Child::start(&self.launch, &self.tasks, &self.stop, idle, slot);
        started.map_err(|error| {
            let error = NoChild::Start(error.to_string());
            self.held().fail(&error);
            error
        })
    }

    /// Room for one more process, in the order in which it was asked for.
    async fn slot(&self) -> Result<Slot, NoChild> {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(slot);
        }
        let _waiting = Waiting::new(self);
        let mut slot = pin!(Arc::clone(&self.slots).acquire_owned());
        let mut over = pin!(sleep(IN_LINE));
        loop {
            self.held().make_room();
            tokio::select! {
                biased;
                slot = &mut slot => return slot.map_err(|_| NoChild::Ended),
                () = &mut over => return Err(NoChild::Busy),
                () = self.idle.notified() => {}
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Makes sure that there is a child to speak to, or may be one.
    ///
    /// # Errors
    /// [`NoChild`], in words for whoever connects.
    pub(super) async fn ready(&self) -> Result<(), NoChild> {
        if self.children() == 0 {
            self.stateless().await?;
        }
        Ok(())
    }

    /// A child answered, or ended before it did.
    pub(super) fn note(&self, answered: bool) {
        let mut held = self.held();
        match answered {
            // Not for good: it may end at once.
            true => held.failed = None,
            false => held.fail(&NoChild::Ended),
        }
    }

    /// Watches a child that answered: whether it stays shows that the program works.
    pub(super) fn watch(self: &Arc<Self>, child: &Arc<Child>) {
        let (pool, child) = (Arc::clone(self), Arc::clone(child));
        let until = Instant::now() + STEADY;
        self.tasks.spawn(async move {
            let stayed = timeout_at(until, child.gone()).await.is_err();
            if stayed {
                pool.held().failures = 0;
            } else if child.fails() && !pool.stop.is_cancelled() {
                pool.held().fail(&NoChild::Brief);
            }
        });
    }
}

/// One who waits for a slot.
struct Waiting<'p>(&'p Pool);

impl<'p> Waiting<'p> {
    fn new(pool: &'p Pool) -> Self {
        pool.held().waiting += 1;
        Self(pool)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut held = self.0.held();
        held.waiting = held.waiting.saturating_sub(1);
    }
}

impl Held {
    /// True while nothing is started, since that failed.
    #[cfg(test)]
    pub(super) fn is_waiting(&self) -> bool {
        let until = self.failed.as_ref().map(|(until, _)| *until);
        until.is_some_and(|until| until > Instant::now())
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
        self.ending.retain(|child| !child.is_gone());
        self.modern.take_if(|child| child.is_over());
        self.spare.take_if(|child| child.is_over());
    }

    /// Stops the children that were idle for longest, one for each who waits.
    fn make_room(&mut self) {
        self.forget_ended();
        while self.ending.len() < self.waiting {
            let Some(child) = self.take_idle() else {
                return;
            };
            child.stop();
            self.ending.push(child);
        }
    }

    fn take_idle(&mut self) -> Option<Arc<Child>> {
        if let Some(orphan) = self.orphans.pop() {
            return Some(orphan.child);
        }
        let sessions = self.sessions.iter();
        let longest = sessions
            .filter(|(_, child)| child.is_idle())
            .min_by_key(|(_, child)| child.used())
            .map(|(id, _)| id.clone());
        longest.and_then(|id| self.sessions.remove(&id))
    }

    /// Stops the children that nobody used for so long.
    pub(super) fn sweep(&mut self, idle: Duration) {
        self.forget_ended();
        let is_idle = |child: &Arc<Child>| child.is_unused_for(idle);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_start_that_keeps_failing_is_tried_after_longer_and_longer_pauses() {
        let mut held = Held::default();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            held.fail(&NoChild::Ended);
            let (until, why) = held.failed.clone().unwrap();
            assert_eq!(why, NoChild::Ended.to_string());
            pauses.push((until - Instant::now()).as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    }
}
