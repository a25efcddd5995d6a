//! Looks after connections that nobody drives: a peer that closes one is noticed,
//! and what is idle for too long is closed.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::Instant;

use super::Pool;

/// How long a closed connection may take up a file.
const EVERY: Duration = Duration::from_secs(5);

/// Runs as long as there is a pool.
pub(super) async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(EVERY).await;
        match pool.upgrade() {
            Some(pool) => pool.tidy(Instant::now()),
            None => return,
        }
    }
}
