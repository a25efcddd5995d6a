//! The webhook server of this replica and its registration with the API server.
//!
//! Every replica serves, with a certificate that it signs itself from the CA in
//! one Secret; only the leader writes that Secret and the configurations.

mod authority;
mod registration;
#[cfg(test)]
mod tests;

pub(crate) use authority::{CaSecret, Leaves, names};
pub(crate) use registration::Registrar;

use std::sync::Arc;
use std::time::Duration;

use agentkube_certs::{Authority, Step};
use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How often the CA Secret, the clock and the configurations are looked at.
const PERIOD: Duration = Duration::from_secs(10);
/// The same until a first certificate is served.
const EAGER: Duration = Duration::from_millis(500);

/// Keeps a valid leaf in the resolver, on every replica, until `stop`.
pub(crate) async fn keep_leaf(secret: CaSecret, leaves: Arc<Leaves>, stop: CancellationToken) {
    loop {
        let served = match secret.read().await {
            Ok(Some(authority)) => leaves.refresh(&authority, Timestamp::now()),
            Ok(None) => leaves.is_serving(),
            Err(error) => {
                warn!(%error, "cannot read the CA");
                leaves.is_serving()
            }
        };
        tokio::select! {
            () = sleep(if served { PERIOD } else { EAGER }) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Keeps the CA and the configurations, on the leader, until `stop`.
pub(crate) async fn keep_registered(
    secret: CaSecret,
    registrar: Registrar,
    leaves: Arc<Leaves>,
    stop: CancellationToken,
) {
    let mut published: Option<(String, Timestamp)> = None;
    loop {
        if let Err(error) = round(&secret, &registrar, &leaves, &mut published).await {
            warn!(%error, "webhook registration is not current");
        }
        tokio::select! {
            () = sleep(PERIOD) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn round(
    secret: &CaSecret,
    registrar: &Registrar,
    leaves: &Leaves,
    published: &mut Option<(String, Timestamp)>,
) -> Result<(), crate::Error> {
    let now = Timestamp::now();
    let authority = current(secret, published.as_ref(), now).await?;
    leaves.refresh(&authority, now);
    let bundle = authority.bundle_pem();
    registrar.register(&bundle).await?;
    if published.as_ref().is_none_or(|(known, _)| *known != bundle) {
        *published = Some((bundle, now));
    }
    Ok(())
}

/// The authority after whatever step is due.
async fn current(
    secret: &CaSecret,
    published: Option<&(String, Timestamp)>,
    now: Timestamp,
) -> Result<Authority, crate::Error> {
    let authority = match secret.read().await {
        Ok(Some(authority)) => authority,
        Ok(None) => return secret.create(&Authority::generate(now)?).await,
        // Nobody can serve with it, so nothing is lost; without a new one the
        // webhooks would be out of service until a person came.
        Err(crate::Error::Certificate(error)) => {
            error!(%error, "the CA Secret is broken and is made anew");
            return secret.replace(&Authority::generate(now)?).await;
        }
        Err(error) => return Err(error),
    };
    let bundle = authority.bundle_pem();
    let since = published
        .filter(|(known, _)| *known == bundle)
        .map(|(_, since)| *since);
    let step = authority.due(since, now);
    if step == Step::Keep {
        return Ok(authority);
    }
    let after = authority.advance(step, now)?;
    info!(?step, "rotating the webhook CA");
    secret.replace(&after).await
}
