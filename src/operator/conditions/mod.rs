//! What is said in `status.conditions`: true only when it is true.

mod agent;
mod data_plane;
#[cfg(test)]
mod tests;

pub(crate) use agent::AgentFacts;
pub(crate) use data_plane::{Facts, Missing, NotApplied, Pinning, Rollout, data_plane};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Longest message that fits comfortably into status (the API allows 32768).
const MESSAGE_CHARS: usize = 1024;

/// One statement, before it is dated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) type_: &'static str,
    pub(crate) status: bool,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Statement {
    pub(crate) fn yes(
        type_: &'static str,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            type_,
            status: true,
            reason,
            message: message.into(),
        }
    }

    pub(crate) fn no(
        type_: &'static str,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            type_,
            status: false,
            reason,
            message: message.into(),
        }
    }
}

/// Dates the statements: `lastTransitionTime` moves only when the status does.
pub(crate) fn dated(
    statements: Vec<Statement>,
    previous: &[Condition],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    // Conditions carry whole seconds; a fraction would differ after a round trip.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    statements
        .into_iter()
        .map(|statement| {
            let status = if statement.status { "True" } else { "False" };
            let since = previous
                .iter()
                .find(|old| old.type_ == statement.type_ && old.status == status)
                .map_or(Time(now), |old| old.last_transition_time.clone());
            Condition {
                type_: statement.type_.to_owned(),
                status: status.to_owned(),
                reason: statement.reason.to_owned(),
                message: statement.message.chars().take(MESSAGE_CHARS).collect(),
                observed_generation: generation,
                last_transition_time: since,
            }
        })
        .collect()
}

/// The conditions that turned: their status differs, or they are new and say no, or
/// further tools drifted. These are worth an Event.
pub(crate) fn turned<'a>(previous: &[Condition], now: &'a [Condition]) -> Vec<&'a Condition> {
    now.iter()
        .filter(
            |new| match previous.iter().find(|old| old.type_ == new.type_) {
                Some(old) if new.type_ == "ToolsPinned" && new.status == "False" => {
                    old.message != new.message
                }
                Some(old) => old.status != new.status,
                None => {
                    new.status == "False"
                        && matches!(
                            new.type_.as_str(),
                            "Accepted" | "ResolvedRefs" | "ToolsPinned"
                        )
                }
            },
        )
        .collect()
}
