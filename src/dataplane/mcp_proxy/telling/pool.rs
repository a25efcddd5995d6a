//! How much is on its way to the others at once: neither a client nor a session takes
//! all of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agentkube_mcp::session::SessionTag;

/// How many words are on their way at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    pub(super) all: usize,
    /// Of one client, in all its sessions. Clients without a credential are one.
    pub(super) client: usize,
    pub(super) session: usize,
}

/// The words of one sort that are on their way.
#[derive(Debug)]
pub(super) struct Pool {
    most: Most,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// What is not here has none.
    by: HashMap<Who, usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Client(String),
    Session(SessionTag),
}

/// The place of a word; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    pool: Arc<Pool>,
    who: [Who; 2],
}

impl Pool {
    pub(super) fn new(most: Most) -> Arc<Self> {
        Arc::new(Self {
            most,
            taken: Mutex::default(),
        })
    }

    /// A place for a word of this client in this session; `None` when there are as many
    /// as may be.
    pub(super) fn take(self: &Arc<Self>, client: &str, session: SessionTag) -> Option<Permit> {
        let who = [Who::Client(client.to_owned()), Who::Session(session)];
        let mut taken = self.taken();
        let has = |who: &Who| taken.by.get(who).copied().unwrap_or_default();
        let [of_client, of_session] = [has(&who[0]), has(&who[1])];
        let most = self.most;
        if taken.all >= most.all || of_client >= most.client || of_session >= most.session {
            return None;
        }
        taken.all += 1;
        for who in &who {
            *taken.by.entry(who.clone()).or_default() += 1;
        }
        drop(taken);
        Some(Permit {
            pool: Arc::clone(self),
            who,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.pool.taken();
        taken.all = taken.all.saturating_sub(1);
        for who in self.who.clone() {
            if let Entry::Occupied(mut has) = taken.by.entry(who) {
                *has.get_mut() -= 1;
                if *has.get() == 0 {
                    has.remove();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(number: u8) -> SessionTag {
        let mut tag = SessionTag::default();
        tag[0] = number;
        tag
    }

    #[test]
    fn neither_a_session_nor_a_client_takes_what_others_need() {
        let pool = Pool::new(Most {
            all: 4,
            client: 3,
            session: 2,
        });
        let take = |client: &str, session: u8| pool.take(client, tag(session));
        let mut held = vec![take("a", 1).unwrap(), take("a", 1).unwrap()];
        assert!(take("a", 1).is_none(), "as many as a session may have");
        held.push(take("a", 2).unwrap());
        assert!(take("a", 3).is_none(), "as many as a client may have");
        held.push(take("b", 4).unwrap());
        assert!(take("c", 5).is_none(), "as many as there may be");
        held.clear();
        assert!(take("a", 1).is_some());
        assert!(pool.taken().by.is_empty(), "nobody is remembered");
    }
}
