//! Fallback and retry: which upstream gets a request, and which one next.
//!
//! An upstream that breaks or errs is tried again a little later; one that is
//! slow, full or refuses us is left for the next one at once, and tried again
//! only when there is none. One that does not know the model is left for the next
//! one as well. Nothing is retried once the first content of an
//! answer is on its way, nor what is the client's own fault; nor more than a fifth of all
//! requests, when an upstream is down.

use std::sync::Arc;
use std::time::Duration;

use agentkube_llm::capabilities::CapabilityTable;
use agentkube_llm::custody::SignatureStore;
use agentkube_llm::{Action, Dialect, Peeked};
use agentkube_plan::Translation;
use bytes::Bytes;
use http::{HeaderValue, Response};
use tokio::time::Instant;
use tracing::warn;

use super::attempt::{Outbound, attempt};
use super::budget::RetryBudget;
use super::credential::Key;
use super::dial::Dial;
use super::dice::Dice;
use super::error::{Exhausted, GatewayError, Provenance, Why};
use super::failed::{Failed, Kind};
use super::headers::ClientHeaders;
use super::order::order;
use super::table::{Candidate, ModelRoute, Table};
use super::wire::{Asked, Wire};
use crate::edge::{Body, Client, HeldBytes};

/// First pause before an upstream is tried again; doubled each time.
const BACKOFF: Duration = Duration::from_millis(50);

/// Longest such pause.
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Longest Retry-After that is waited for here; a longer one the client is told.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// A request for an answer of a model: all that the layers below need.
pub(super) struct ChatCall<'a, C> {
    pub(super) table: Arc<Table<C>>,
    pub(super) route: Arc<ModelRoute<C>>,
    pub(super) dialect: Dialect,
    pub(super) headers: ClientHeaders,
    /// The client's query, with its question mark.
    pub(super) query: String,
    pub(super) peeked: Peeked,
    pub(super) action: Action,
    pub(super) raw: Bytes,
    pub(super) client: Client,
    /// Where signatures are kept that no client carries.
    pub(super) store: &'a Arc<dyn SignatureStore>,
    pub(super) budget: &'a RetryBudget,
    /// The room that `raw` takes.
    pub(super) _held: HeldBytes,
    /// What models take.
    pub(super) capabilities: Arc<CapabilityTable>,
}

/// Serves a request from the first upstream that can.
pub(super) async fn dispatch<D: Dial>(
    call: &ChatCall<'_, D::Client>,
    dice: &dyn Dice,
) -> Result<Response<Body>, GatewayError> {
    call.budget.earn();
    let candidates = order(call.route.candidates(), dice, Instant::now);
    let asked = call.asked(dice.below(u64::MAX));
    let mut attempts = 0;
    let mut tried = Vec::new();
    let mut unsayable = None;
    let mut unknown = None;
    // One without credentials is nobody to go on to.
    let usable = |it: &&Candidate<D::Client>| !matches!(it.upstream.key, Key::Missing(..));
    let last = candidates.iter().rposition(usable).unwrap_or_default();
    for (place, candidate) in candidates.into_iter().enumerate() {
        // Another upstream may speak the client's own dialect.
        let mut wire = match Wire::prepare(&asked, candidate) {
            Ok(wire) => wire,
            Err(error) => {
                unsayable.get_or_insert(error);
                continue;
            }
        };
        let attempts = &mut attempts;
        let is_last = place == last;
        let why = match ready(candidate) {
            Err(why) => why,
            Ok(()) => {
                let mut served = serve::<D>(call, candidate, &wire, is_last, dice, attempts).await;
                if let Some(again) = forgetful(&asked, candidate, &wire, &served) {
                    wire = again;
                    // On the heap: it is rare, and a request would have room for both.
                    let anew = serve::<D>(call, candidate, &wire, is_last, dice, attempts);
                    served = Box::pin(anew).await;
                }
                let is_unknown = served.as_ref().err().is_some_and(Failed::is_of_model);
                match concluded(call, candidate, &wire, *attempts, served) {
                    Ok(Ok(response)) => return Ok(response),
                    Ok(Err(failed)) => Why::Failed(failed),
                    // Here nobody knows the model; elsewhere somebody may.
                    Err(refusal) if is_unknown => {
                        unknown.get_or_insert(refusal);
                        continue;
                    }
                    Err(refusal) => return Err(refusal),
                }
            }
        };
        let goes_on = match &why {
            Why::Failed(failed) => call.retries_on(failed.kind),
            Why::NoCredentials(_) | Why::Resting(_) => true,
        };
        let name = candidate.upstream.spec.name.clone();
        tried.push((name, why));
        if !goes_on {
            break;
        }
    }
    // Who knows it may be back later.
    let may_know = |(_, why): &(String, Why)| !matches!(why, Why::NoCredentials(_));
    let unknown = unknown.filter(|_| !tried.iter().any(may_know));
    let unsayable = unsayable.filter(|_| tried.is_empty());
    match unknown.or(unsayable.map(GatewayError::from)) {
        Some(error) => Err(error),
        None => Err(GatewayError::Exhausted(Exhausted {
            model: Arc::clone(&call.route.model),
            named: call.route.header.clone(),
            attempts,
            tried,
        })),
    }
}

/// The same request without thoughts, where the upstream refused those. A client of
/// another dialect does not know them, and could not mend it.
fn forgetful<C>(
    asked: &Asked<'_>,
    candidate: &Candidate<C>,
    wire: &Wire,
    served: &Result<Response<Body>, Failed>,
) -> Option<Wire> {
    let refused = served.as_ref().err().is_some_and(|it| it.refuses_thoughts);
    if !refused || !wire.is_translated() {
        return None;
    }
    let asked = Asked {
        without_thoughts: true,
        ..*asked
    };
    Wire::prepare(&asked, candidate).ok()
}

/// An answer or a final refusal ends the search; another failure does not.
fn concluded<C>(
    call: &ChatCall<'_, C>,
    candidate: &Candidate<C>,
    wire: &Wire,
    attempts: u32,
    served: Result<Response<Body>, Failed>,
) -> Result<Result<Response<Body>, Failed>, GatewayError> {
    let dropped = match &served {
        Ok(_) => wire.dropped(),
        Err(failed) => wire.dropped().filter(|_| failed.is_final()),
    };
    if let Some(dropped) = dropped {
        candidate.slot.metrics.dropped(dropped.len());
    }
    let provenance = Provenance {
        upstream: candidate.upstream.name.clone(),
        model: call.route.header.clone(),
        attempts,
        dropped: dropped.and_then(|it| HeaderValue::try_from(it.to_string()).ok()),
    };
    match served {
        Ok(mut response) => {
            provenance.mark(&mut response);
            Ok(Ok(response))
        }
        Err(failed) if failed.is_final() => {
            Err(GatewayError::Refused(Box::new((provenance, failed))))
        }
        Err(failed) => Ok(Err(failed)),
    }
}

/// Whether an upstream can be tried at all.
fn ready<C>(candidate: &Candidate<C>) -> Result<(), Why> {
    if let Key::Missing(entry, why) = &candidate.upstream.key {
        return Err(Why::NoCredentials(format!("{entry} {why}")));
    }
    let breaker = &candidate.slot.breaker;
    breaker.admit(Instant::now).map_err(Why::Resting)
}

/// Tries one upstream, again where that may help.
async fn serve<D: Dial>(
    call: &ChatCall<'_, D::Client>,
    candidate: &Candidate<D::Client>,
    wire: &Wire,
    is_last: bool,
    dice: &dyn Dice,
    attempts: &mut u32,
) -> Result<Response<Body>, Failed> {
    let retries = call.table.loaded.plan.routing.retries.attempts;
    let mut again = 0;
    loop {
        *attempts += 1;
        let outbound = Outbound {
            headers: &call.headers,
            wire,
        };
        let failed = match attempt::<D>(candidate, outbound).await {
            Ok(response) => return Ok(response),
            Err(failed) => failed,
        };
        let pause = pause(&failed, is_last, again, dice);
        let pause = pause
            .filter(|_| again < retries && call.retries_on(failed.kind))
            // One request finds out whether an upstream is back, and no more.
            .filter(|_| !candidate.slot.breaker.is_probing())
            .filter(|_| call.budget.spend(Instant::now()));
        let Some(pause) = pause else {
            note(candidate, &failed);
            return Err(failed);
        };
        tokio::time::sleep(pause).await;
        again += 1;
    }
}

/// How long to wait before the same upstream is tried again; none when that
/// would not help, or somebody else can serve sooner.
fn pause(failed: &Failed, is_last: bool, again: u32, dice: &dyn Dice) -> Option<Duration> {
    let same = match failed.kind {
        Kind::Connect | Kind::ServerError => true,
        Kind::Overloaded | Kind::RateLimited => is_last,
        Kind::BadRequest | Kind::NotFound | Kind::Timeout | Kind::Credentials | Kind::Quota => {
            false
        }
    };
    if !same {
        return None;
    }
    let backoff = BACKOFF.saturating_mul(1 << again.min(10)).min(MAX_BACKOFF);
    if let Some(asked) = failed.retry_after {
        return (is_last && asked <= MAX_WAIT).then_some(asked.max(backoff));
    }
    // Up to half of it as jitter, so that clients of one outage do not march.
    let half = u64::try_from(backoff.as_millis() / 2).unwrap_or(0);
    Some(backoff + Duration::from_millis(dice.below(half)))
}

/// What a failure teaches about an upstream.
fn note<C>(candidate: &Candidate<C>, failed: &Failed) {
    let upstream = &candidate.upstream;
    let name = upstream.spec.name.as_str();
    if failed.is_final() {
        candidate.slot.breaker.answered();
        upstream.health.well();
        return;
    }
    let now = Instant::now();
    if failed.trips_breaker() {
        candidate.slot.breaker.failed(now);
    } else {
        // No answer for us, but one: it is up.
        candidate.slot.breaker.answered();
    }
    let hold = match failed.kind {
        Kind::Quota => Some(Duration::MAX),
        _ => failed.retry_after,
    };
    if let Some(hold) = hold {
        candidate.slot.breaker.hold(now, hold);
    }
    upstream.health.failing(&failed.what);
    // As the plan names the model: what a client calls it may be any text.
    let model = String::from(candidate.slot.pattern.clone());
    warn!(upstream = name, %model, why = %failed.what, "upstream failed");
}

impl<C> ChatCall<'_, C> {
    fn asked(&self, nonce: u64) -> Asked<'_> {
        Asked {
            dialect: self.dialect,
            raw: &self.raw,
            peeked: &self.peeked,
            action: self.action,
            query: &self.query,
            served: &self.route.model,
            served_name: &self.route.name,
            nonce,
            tenant: match &self.client {
                Client::Anonymous => "",
                Client::Named(name) => name,
            },
            store: self.store,
            capabilities: &self.capabilities,
            strict: self.table.loaded.plan.translation == Translation::Strict,
            without_thoughts: false,
        }
    }

    fn retries_on(&self, kind: Kind) -> bool {
        let on = &self.table.loaded.plan.routing.retries.retry_on;
        kind.retry_on().is_some_and(|kind| on.contains(&kind))
    }
}
