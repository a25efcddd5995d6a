//! The program as a process group, and the reaping that PID 1 owes.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, wait};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::outcome::Outcome;

/// A running program and all that it starts in its process group.
pub(super) struct Program {
    leader: Pid,
    children: Children,
}

/// Ends of child processes, one at a time.
///
/// tokio's own children are not used: a second `wait` for any child, which PID 1
/// needs for orphans, would take their status away.
struct Children(tokio::signal::unix::Signal);

impl Program {
    /// Starts it; an [`Outcome`] when that is not possible.
    pub(super) fn start(words: &[OsString]) -> Result<Self, Outcome> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(Outcome::not_started(126, "it was not named"));
        };
        // Before the first child: an end that comes at once is not missed.
        let children = Children::new().map_err(|error| Outcome::from(&error))?;
        adopt_orphans().map_err(|error| Outcome::from(&error))?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| Outcome::from(&error))?;
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let leader = leader.ok_or_else(|| Outcome::not_started(126, "it has no process id"))?;
        Ok(Self { leader, children })
    }

    /// Waits until it ended. Nothing that it left in its group outlives it.
    pub(super) async fn ended(&mut self) -> Outcome {
        loop {
            let (pid, status) = self.children.next().await;
            if pid != self.leader {
                continue;
            }
            if let Some(outcome) = Outcome::of(status, Timestamp::now()) {
                self.signal(Signal::KILL);
                return outcome;
            }
        }
    }

    /// Tells the group to stop, and ends it when `grace` is over.
    pub(super) async fn stop(&mut self, how: Signal, grace: Duration) -> Outcome {
        self.signal(how);
        if let Ok(outcome) = timeout(grace, self.ended()).await {
            return outcome;
        }
        self.signal(Signal::KILL);
        self.ended().await
    }

    /// A group that is gone needs no signal.
    fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.leader, signal);
    }
}

/// Reaps orphans; never returns.
pub(super) async fn reap_for_ever() {
    let Ok(mut children) = Children::new() else {
        return std::future::pending().await;
    };
    loop {
        children.next().await;
    }
}

impl Children {
    fn new() -> io::Result<Self> {
        signal(SignalKind::child()).map(Self)
    }

    /// The next child that ended. Safe to drop before it is ready.
    async fn next(&mut self) -> (Pid, WaitStatus) {
        loop {
            // One SIGCHLD may stand for many ends: ask until there is no more.
            if let Ok(Some(ended)) = wait(WaitOptions::NOHANG) {
                return ended;
            }
            self.0.recv().await;
        }
    }
}

/// PID 1 is given every orphan; elsewhere (a shared process namespace, a shell)
/// Linux has to be asked for that.
#[cfg(target_os = "linux")]
fn adopt_orphans() -> io::Result<()> {
    let us = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(us)).map_err(io::Error::from)
}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() -> io::Result<()> {
    Ok(())
}
