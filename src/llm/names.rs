//! The nearest names to one that nobody knows.

use crate::{ApiError, ErrorKind};

/// How many names a message suggests.
const SUGGESTIONS: usize = 3;
/// Candidates looked at: bounds the work that a wrong name causes.
const CANDIDATES: usize = 2048;

/// The candidates nearest to `name`, best first, at most three. Near is what
/// differs by case or a few letters, contains the name, or is contained in
/// it.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = name.to_lowercase();
    let mut scored: Vec<(u32, &str)> = candidates
        .into_iter()
        .take(CANDIDATES)
        .filter_map(|candidate| Some((distance(&wanted, &candidate.to_lowercase())?, candidate)))
        .collect();
    scored.sort_unstable();
    scored.dedup_by_key(|(_, candidate)| *candidate);
    scored
        .into_iter()
        .take(SUGGESTIONS)
        .map(|(_, candidate)| candidate)
        .collect()
}

/// Smaller is nearer; none is too far.
fn distance(wanted: &str, candidate: &str) -> Option<u32> {
    // Too short a piece is contained in everything.
    const PIECE: usize = 3;
    let (short, long) = if wanted.len() < candidate.len() {
        (wanted, candidate)
    } else {
        (candidate, wanted)
    };
    let apart = long.len() - short.len();
    // Something must be left in common.
    let allowed = (1 + short.len() / 4).min(short.len().saturating_sub(1));
    if apart <= allowed {
        let edits = strsim::damerau_levenshtein(wanted, candidate);
        if edits <= allowed {
            return u32::try_from(edits).ok();
        }
    }
    let contained = short.len() >= PIECE && long.contains(short);
    contained.then(|| u32::try_from(100 + apart).unwrap_or(u32::MAX))
}

/// The 404 for a model that nothing serves, with the nearest of those that
/// are served, or a few of them when none is near.
#[must_use]
pub fn unknown_model<'a>(
    name: &str,
    served: impl IntoIterator<Item = &'a str> + Clone,
) -> ApiError {
    let near = nearest(name, served.clone());
    let hint = if near.is_empty() {
        let some: Vec<&str> = served.into_iter().take(SUGGESTIONS + 1).collect();
        let (shown, more) = some.split_at(some.len().min(SUGGESTIONS));
        match (shown, more) {
            ([], _) => String::from("this gateway serves no model"),
            (_, []) => format!("served: {}", join(shown, ", ")),
            (_, [_, ..]) => format!(
                "served are {} and others; see /v1/models",
                join(shown, ", ")
            ),
        }
    } else {
        format!("did you mean {}?", join(&near, " or "))
    };
    ApiError::new(
        ErrorKind::ModelNotFound,
        format!("no upstream serves the model `{name}`; {hint}"),
    )
    .param("model")
}

fn join(names: &[&str], glue: &str) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(glue)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVED: [&str; 4] = [
        "claude-haiku-4-5",
        "claude-opus-4-7",
        "claude-sonnet-4-6",
        "gpt-5.1",
    ];

    #[test]
    fn a_typo_finds_its_name() {
        assert_eq!(nearest("claude-opus-4-8", SERVED), ["claude-opus-4-7"]);
        assert_eq!(nearest("GPT-5.1", SERVED), ["gpt-5.1"]);
        assert_eq!(nearest("gtp-5.1", SERVED), ["gpt-5.1"]);
    }

    #[test]
    fn a_part_finds_the_whole_and_the_whole_its_part() {
        assert_eq!(nearest("opus", SERVED), ["claude-opus-4-7"]);
        assert_eq!(
            nearest("anthropic/claude-opus-4-7", SERVED),
            ["claude-opus-4-7"]
        );
    }

    #[test]
    fn nothing_near_gives_nothing() {
        assert!(nearest("mistral-large", SERVED).is_empty());
        assert!(nearest("", SERVED).is_empty());
    }

    #[test]
    fn equal_candidates_are_named_once() {
        assert_eq!(nearest("opu", ["opus", "opus"]), ["opus"]);
    }

    #[test]
    fn unknown_model_is_404_and_says_what_to_ask_for() {
        let error = unknown_model("claude-opus-4", SERVED);
        assert_eq!(error.kind(), ErrorKind::ModelNotFound);
        assert_eq!(
            error.message(),
            "no upstream serves the model `claude-opus-4`; did you mean `claude-opus-4-7`?"
        );
        assert!(
            unknown_model("x", SERVED)
                .message()
                .ends_with("and others; see /v1/models")
        );
        assert!(
            unknown_model("x", [])
                .message()
                .ends_with("serves no model")
        );
        assert!(unknown_model("x", ["a"]).message().ends_with("served: `a`"));
    }
}
