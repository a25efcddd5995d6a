//! The first process of a container is given every orphan of it, and has to take
//! their ends from the system: else they stay as zombies for ever.
//!
//! Our own children are tokio's, which must not be robbed of their ends. It takes
//! them at once; so what is still there at the second look is an orphan.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, getpid, waitpid};
use tokio_util::sync::CancellationToken;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);

/// Reaps orphans until `stop`.
pub(super) async fn reap(stop: CancellationToken) {
    let us = getpid();
    let mut before = BTreeSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        before = look(us, &before);
    }
}

/// Takes the ends of those that were there before; answers those that are new.
fn look(us: Pid, before: &BTreeSet<i32>) -> BTreeSet<i32> {
    let now = zombies_of(us.as_raw_nonzero().get());
    for pid in now
        .intersection(before)
        .filter_map(|pid| Pid::from_raw(*pid))
    {
        // Gone meanwhile is as good.
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
    now.difference(before).copied().collect()
}

fn zombies_of(parent: i32) -> BTreeSet<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|it| it.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| is_zombie_of(*pid, parent)).collect()
}

/// `pid (name) state ppid …`; the name may hold anything.
fn is_zombie_of(pid: i32, parent: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace());
    let mut fields = after.into_iter().flatten();
    fields.next() == Some("Z") && fields.next().and_then(|it| it.parse().ok()) == Some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::zombie_processes, reason = "the zombie is what is tested")]
    fn what_nobody_waits_for_is_reaped_at_the_second_look() {
        let child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let us = getpid().as_raw_nonzero().get();
        while !is_zombie_of(pid, us) {
            std::thread::yield_now();
        }
        let first = look(getpid(), &BTreeSet::new());
        assert!(first.contains(&pid) && is_zombie_of(pid, us));
        // Others' tests in this process have children too.
        look(getpid(), &BTreeSet::from([pid]));
        assert!(!is_zombie_of(pid, us));
    }
}
