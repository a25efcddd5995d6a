//! `requestState` of modern results, bound to who got it and for what.
//!
//! With one credential for all clients the upstream cannot tell them apart, so a
//! state that one client got would open another's door. It is sealed for the
//! client and for the very call (2026-07-28, "Multi Round-Trip Requests",
//! "Security Considerations").

use std::time::{SystemTime, UNIX_EPOCH};

use agentkube_mcp::seal::{Purpose, Sealer};
use agentkube_mcp::{Era, ErrorObject, Message, bridge, error, json, meta};
use sha2::{Digest, Sha256};

use super::dispatch::Caller;
use super::sessions;

/// The member of a result, and of the parameters of the call that follows.
const MEMBER: &str = "requestState";

/// Seconds in which the call must be made again: as long as a person may think.
const LIFETIME: u64 = 24 * 3600;

/// What binds the states of this call; `None` for a client that cannot be asked
/// anything, and so gets none.
pub(super) fn scope(caller: &Caller<'_>, message: &Message<'_>) -> Option<String> {
    if caller.era() == Era::Legacy {
        return None;
    }
    let declared = message.meta()?.value(meta::CLIENT_CAPABILITIES)?;
    let returns = message.params().and_then(|params| params.value(MEMBER));
    (declared != "{}" || returns.is_some()).then(|| binding(caller, message))
}

fn binding(caller: &Caller<'_>, message: &Message<'_>) -> String {
    let owner = sessions::owner(&caller.serving.loaded.plan.object, caller.client);
    let mut hash = Sha256::new();
    hash.update(message.method().unwrap_or_default());
    for key in ["name", "uri", "arguments"] {
        let value = message.params().and_then(|params| params.value(key));
        hash.update([0]);
        hash.update(value.map(canonical).unwrap_or_default());
    }
    format!("{owner}\0{}", hex::encode(hash.finalize()))
}

/// The same for values that mean the same: a client may spell its call another
/// way the second time.
fn canonical(text: &str) -> String {
    fn sorted(value: serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Object(members) => {
                let mut members: Vec<_> = members.into_iter().collect();
                members.sort_by(|a, b| a.0.cmp(&b.0));
                let members = members.into_iter();
                members.map(|(key, value)| (key, sorted(value))).collect()
            }
            serde_json::Value::Array(items) => items.into_iter().map(sorted).collect(),
            other => other,
        }
    }
    match serde_json::from_str(text) {
        Ok(value) => sorted(value).to_string(),
        Err(_) => text.to_owned(),
    }
}

/// A result whose state is sealed; `None` when there is nothing to seal.
pub(super) fn sealed(sealer: &Sealer, scope: &str, result: &str) -> Option<String> {
    let object = json::Object::parse(result)?;
    if !bridge::needs_input(&object) {
        return None;
    }
    let state = object.value(MEMBER)?;
    let mut plain = now().to_be_bytes().to_vec();
    plain.extend(state.bytes());
    let sealed = sealer.name(Purpose::State, scope, &plain)?;
    Some(object.edit().set(MEMBER, json::quote(&sealed)).finish())
}

/// The upstream's own state in this call, as JSON text; `None` without one.
///
/// # Errors
/// When it is not one that this client got for this call.
pub(super) fn opened(
    sealer: &Sealer,
    scope: Option<&str>,
    message: &Message<'_>,
) -> Result<Option<String>, ErrorObject> {
    let Some((params, scope)) = message.params().zip(scope) else {
        return Ok(None);
    };
    let Some(state) = params.value(MEMBER) else {
        return Ok(None);
    };
    json::string(state)
        .and_then(|state| sealer.open(Purpose::State, scope, &state))
        .and_then(|plain| {
            let (at, state) = plain.split_first_chunk()?;
            let age = now().saturating_sub(u64::from_be_bytes(*at));
            (age <= LIFETIME).then(|| String::from_utf8(state.to_vec()).ok())?
        })
        .map(Some)
        .ok_or_else(|| {
            let text = "requestState is none that was given to this client for this call";
            ErrorObject::new(error::INVALID_PARAMS, text)
        })
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_of_the_same_arguments_is_the_same() {
        let one = r#"{"b": [1, {"d":2,"c":3}], "a":"x"}"#;
        assert_eq!(
            canonical(one),
            canonical(r#"{"a":"\u0078","b":[1,{"c":3,"d":2}]}"#)
        );
        assert_ne!(
            canonical(one),
            canonical(r#"{"a":"y","b":[1,{"c":3,"d":2}]}"#)
        );
    }
}
