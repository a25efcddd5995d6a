//! Where the replicas are: looked up when there is something to tell, never for a call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::lookup_host;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

/// For so long a name is not looked up again: nobody makes us ask the cluster's DNS more
/// often than that. A replica that is younger asks the others itself.
const KEPT: Duration = Duration::from_secs(1);

/// Replicas that are told.
const MOST: usize = 128;

/// What was found the last time.
#[derive(Default)]
pub(super) struct Found(Mutex<Option<Look>>);

struct Look {
    at: Instant,
    names: Vec<String>,
    addresses: Arc<[SocketAddr]>,
}

impl Found {
    /// The addresses behind these names, this replica's too; what is found until then.
    pub(super) async fn addresses(&self, names: &[String], until: Instant) -> Arc<[SocketAddr]> {
        // One looks, the others wait for what it finds.
        let Ok(mut found) = timeout_at(until, self.0.lock()).await else {
            return Arc::default();
        };
        if let Some(last) = &*found
            && last.names == names
            && last.at.elapsed() < KEPT
        {
            return Arc::clone(&last.addresses);
        }
        let each = join_all(names.iter().map(|name| look_up(name, until))).await;
        let mut addresses: Vec<_> = each.into_iter().flatten().collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(MOST);
        let look = found.insert(Look {
            at: Instant::now(),
            names: names.to_vec(),
            addresses: addresses.into(),
        });
        Arc::clone(&look.addresses)
    }
}

async fn look_up(name: &str, until: Instant) -> Vec<SocketAddr> {
    match timeout_at(until, lookup_host(name)).await {
        Ok(Ok(addresses)) => addresses.collect(),
        failed => {
            let why = failed.map(|failed| failed.err());
            debug!(name, ?why, "no replicas are found under this name");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[tokio::test]
    async fn addresses_are_found_once_each_and_anew_under_other_names() {
        let found = Found::default();
        let until = Instant::now() + Duration::from_secs(30);
        let two = names(&["127.0.0.2:9", "127.0.0.1:9", "127.0.0.2:9"]);
        let addresses = found.addresses(&two, until).await;
        assert_eq!(
            *addresses,
            ["127.0.0.1:9", "127.0.0.2:9"].map(|it| it.parse().unwrap())
        );
        let one = names(&["127.0.0.3:9"]);
        assert_eq!(found.addresses(&one, until).await.len(), 1);
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_hides_no_other() {
        let found = Found::default();
        let until = Instant::now() + Duration::from_secs(30);
        let some = names(&["no such name:9", "127.0.0.1:9"]);
        assert_eq!(found.addresses(&some, until).await.len(), 1);
    }
}
