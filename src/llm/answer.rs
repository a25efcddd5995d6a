//! An answer in one piece: what it cost, and whether it is one at all.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Dialect, Failure, FailureKind, Usage, UsageReport, classify, codec};

/// What a whole answer with a 2xx status says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it cost.
    pub usage: UsageReport,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// Reads the body of a 2xx answer. The bytes pass to the client as they are.
///
/// # Errors
/// When the provider reports a failure under a 2xx status, or the body is no
/// JSON object: another upstream may still be tried.
pub fn read(dialect: Dialect, body: &[u8]) -> Result<Answer, Failure> {
    codec::provider(dialect).inspect(body)
}

/// Reads an answer whose members are `error` and `usage`.
pub(crate) fn inspect(
    body: &[u8],
    usage_of: impl FnOnce(&str) -> Option<Usage>,
) -> Result<Answer, Failure> {
    let fields: Body<'_> = serde_json::from_slice(body)
        .map_err(|_| Failure::new(FailureKind::ServerError, "unreadable_answer"))?;
    if fields.error.is_some() {
        return Err(classify::in_stream(body));
    }
    let Some(raw) = fields.usage else {
        return Ok(Answer {
            usage: UsageReport::Absent,
        });
    };
    Ok(Answer {
        usage: usage_of(raw.get()).map_or(UsageReport::Unreadable, UsageReport::Final),
    })
}

#[cfg(test)]
mod tests;
