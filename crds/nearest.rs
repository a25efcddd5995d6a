//! "Did you mean": the nearest of several names.

/// The known name that is nearest to what was written, when it is near enough to be what was
/// meant: a slip or two, another case, a plural, or `snake_case` for `camelCase`.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = plain(written);
    // One slip in three letters is a slip; two are another word.
    let limit = (plain.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .filter(|name| *name != written)
        .map(|name| {
            (
                strsim::damerau_levenshtein(&plain, &self::plain(name)),
                name,
            )
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_case_and_separators_are_forgiven() {
        let known = ["endpoint", "secretRef", "models", "claude-opus-4-7"];
        for (written, meant) in [
            ("endpont", "endpoint"),
            ("secret_ref", "secretRef"),
            ("SecretRef", "secretRef"),
            ("model", "models"),
            ("claude-opus-4.7", "claude-opus-4-7"),
        ] {
            assert_eq!(nearest(written, known), Some(meant), "{written}");
        }
    }

    #[test]
    fn another_word_is_not_suggested() {
        assert_eq!(nearest("timeout", ["endpoint", "models"]), None);
        assert_eq!(nearest("ab", ["xy"]), None);
        assert_eq!(nearest("same", ["same"]), None);
    }
}
