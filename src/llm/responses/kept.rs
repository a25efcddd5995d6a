//! What OpenAI keeps for an account: responses, conversations, items. All clients of
//! a gateway share one account, so an id would lead to what another one said.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{ApiError, ErrorKind};

/// Words of bodies that ask for something kept: most have none of them.
const WORDS: [&[u8]; 4] = [
    b"previous_response_id",
    b"conversation",
    b"item_reference",
    b"background",
];

#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    previous_response_id: Option<&'a RawValue>,
    #[serde(borrow)]
    conversation: Option<&'a RawValue>,
    #[serde(borrow)]
    background: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item {
    r#type: Option<String>,
}

/// Refuses a Responses request that passes as it is and reads what was kept, where
/// several clients share what is kept; and one whose answer nobody could fetch.
///
/// # Errors
/// A 400 that names the field.
pub fn refuse_kept(body: &[u8], is_shared: bool) -> Result<(), ApiError> {
    if !WORDS.iter().any(|word| memmem::find(body, word).is_some()) {
        return Ok(());
    }
    // What is no such object the provider will refuse.
    let Ok(asked) = serde_json::from_slice::<Asked<'_>>(body) else {
        return Ok(());
    };
    if asked.background.is_some_and(|it| it.get() == "true") {
        let why = "cannot be true: nothing is kept here, and so nobody could fetch the response";
        return Err(refused("background", why));
    }
    if !is_shared {
        return Ok(());
    }
    let why = "cannot be used: the clients of this gateway share one account, and what it keeps \
               is kept for all of them; send the whole conversation in `input`";
    for (field, value) in [
        ("previous_response_id", asked.previous_response_id),
        ("conversation", asked.conversation),
    ] {
        if value.is_some() {
            return Err(refused(field, why));
        }
    }
    let items = asked
        .input
        .map(|input| serde_json::from_str::<Vec<Item>>(input.get()));
    let items = items.and_then(Result::ok).unwrap_or_default();
    let is_reference = |item: &Item| item.r#type.as_deref() == Some("item_reference");
    if items.iter().any(is_reference) {
        return Err(refused(
            "input",
            "holds an item_reference, which ".to_owned() + why,
        ));
    }
    Ok(())
}

fn refused(field: &'static str, why: impl AsRef<str>) -> ApiError {
    let message = format!("`{field}` {}", why.as_ref());
    ApiError::new(ErrorKind::InvalidRequest, message).param(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_client_may_have_said_is_not_read() {
        let fields = [
            (
                r#"{"previous_response_id":"resp_1"}"#,
                "previous_response_id",
            ),
            (r#"{"conversation":{"id":"conv_1"}}"#, "conversation"),
            (
                r#"{"input":[{"type":"item_reference","id":"rs_1"}]}"#,
                "input",
            ),
        ];
        for (body, field) in fields {
            let error = refuse_kept(body.as_bytes(), true).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(field), "{body}");
            assert!(refuse_kept(body.as_bytes(), false).is_ok(), "{body}");
        }
        let plain = r#"{"previous_response_id":null,"input":"my conversation in the background"}"#;
        assert!(refuse_kept(plain.as_bytes(), true).is_ok());
    }

    #[test]
    fn a_response_that_nobody_could_fetch_is_not_paid_for() {
        for is_shared in [true, false] {
            assert!(refuse_kept(br#"{"background":true}"#, is_shared).is_err());
            assert!(refuse_kept(br#"{"background":false}"#, is_shared).is_ok());
        }
    }
}
