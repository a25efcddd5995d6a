//! Waiting with a bound, in place of sleeping and hoping.

use std::time::Duration;

/// How long a test waits for something before it fails.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// Pause between two looks at something that cannot be awaited.
const INTERVAL: Duration = Duration::from_millis(10);

/// The output of `future`.
///
/// # Panics
/// When it is not there after [`DEADLINE`]; the message names `what`.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: not after {DEADLINE:?}"),
    }
}

/// Looks again and again until there is something.
///
/// # Panics
/// When there is nothing after [`DEADLINE`]; the message names `what`.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    within(what, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    })
    .await
}
