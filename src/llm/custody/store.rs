//! Where seals are kept that are too long for an id.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Keeps bytes under a key for a while. Shared by all requests.
pub trait SignatureStore: Send + Sync {
    /// Keeps these bytes. They may be forgotten at any time.
    fn put(&self, key: &str, sealed: Vec<u8>);

    /// What was kept, if it still is.
    fn get(&self, key: &str) -> Option<Vec<u8>>;
}

/// A store in memory: bounded, the oldest goes first.
pub struct MemoryStore {
    limit: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_key: HashMap<String, Vec<u8>>,
    order: VecDeque<String>,
    bytes: usize,
}

/// What an entry costs beside its bytes, roughly.
const OVERHEAD: usize = 128;

impl MemoryStore {
    /// A store that holds at most so many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: Mutex::new(Kept::default()),
        }
    }
}

impl Default for MemoryStore {
    /// 32 MiB: some ten thousand turns with thoughts.
    fn default() -> Self {
        Self::new(32 * 1024 * 1024)
    }
}

impl SignatureStore for MemoryStore {
    fn put(&self, key: &str, sealed: Vec<u8>) {
        let cost = cost(key, &sealed);
        if cost > self.limit {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += cost;
        match kept.by_key.insert(key.to_owned(), sealed) {
            Some(old) => kept.bytes = kept.bytes.saturating_sub(self::cost(key, &old)),
            None => kept.order.push_back(key.to_owned()),
        }
        while kept.bytes > self.limit {
            let Some(oldest) = kept.order.pop_front() else {
                return;
            };
            if let Some(old) = kept.by_key.remove(&oldest) {
                kept.bytes = kept.bytes.saturating_sub(self::cost(&oldest, &old));
            }
        }
    }

    fn get(&self, key: &str) -> Option<Vec<u8>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_key.get(key).cloned()
    }
}

fn cost(key: &str, sealed: &[u8]) -> usize {
    // The key is there twice.
    sealed.len() + key.len() * 2 + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let store = MemoryStore::default();
        store.put("a", b"1".to_vec());
        store.put("a", b"2".to_vec());
        assert_eq!(store.get("a"), Some(b"2".to_vec()));
        assert_eq!(store.get("b"), None);
    }

    #[test]
    fn the_oldest_goes_when_it_is_full_and_nothing_is_too_large() {
        let store = MemoryStore::new(1000);
        for key in ["a", "b", "c"] {
            store.put(key, vec![0; 300]);
        }
        assert_eq!(store.get("a"), None);
        assert!(store.get("b").is_some() && store.get("c").is_some());
        store.put("d", vec![0; 2000]);
        assert_eq!(store.get("d"), None);
        assert!(store.get("c").is_some());
        assert!(store.kept.lock().unwrap().bytes <= 1000);
    }
}
