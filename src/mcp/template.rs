//! Recognises URIs that came from a URI template (RFC 6570).

/// A URI template, as far as routing needs it: which URIs can come from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriTemplate {
    head: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// The expression may expand to text with a slash (`{+x}`, `{/x}`, `{#x}`).
    crosses: bool,
    literal: String,
}

impl UriTemplate {
    /// Reads a template; an unclosed brace is taken as text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut pieces = text.split('{');
        let head = pieces.next().unwrap_or_default().to_owned();
        let mut parts: Vec<Part> = Vec::new();
        for piece in pieces {
            let part = match piece.split_once('}') {
                Some((expression, literal)) => Part {
                    crosses: expression.starts_with(['+', '#', '/', '?', '&', '.', ';'])
                        || expression.contains('*'),
                    literal: literal.to_owned(),
                },
                None => Part {
                    crosses: false,
                    literal: format!("{{{piece}"),
                },
            };
            match parts.last_mut() {
                // Expressions side by side act as one: nothing tells where one
                // ends, and trying every place would take exponential time.
                Some(last) if last.literal.is_empty() => {
                    last.crosses |= part.crosses;
                    last.literal = part.literal;
                }
                _ => parts.push(part),
            }
        }
        Self { head, parts }
    }

    /// True when the URI can be an expansion of the template.
    #[must_use]
    pub fn matches(&self, uri: &str) -> bool {
        uri.strip_prefix(self.head.as_str())
            .is_some_and(|rest| fits(&self.parts, rest))
    }
}

fn fits(parts: &[Part], rest: &str) -> bool {
    let Some((part, later)) = parts.split_first() else {
        return rest.is_empty();
    };
    if later.is_empty() {
        return rest
            .strip_suffix(part.literal.as_str())
            .is_some_and(|value| part.crosses || !value.contains('/'));
    }
    rest.find(part.literal.as_str()).is_some_and(|at| {
        let value = rest.get(..at).unwrap_or_default();
        let after = rest.get(at + part.literal.len()..).unwrap_or_default();
        (part.crosses || !value.contains('/')) && fits(later, after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simple_expression_stays_within_one_segment() {
        let template = UriTemplate::parse("test://template/{id}/data");
        assert!(template.matches("test://template/123/data"));
        assert!(!template.matches("test://template/1/2/data"));
        assert!(!template.matches("test://other/123/data"));
    }

    #[test]
    fn a_reserved_expression_crosses_segments() {
        assert!(UriTemplate::parse("file:///{+path}").matches("file:///etc/hosts"));
        assert!(!UriTemplate::parse("file:///{path}").matches("file:///etc/hosts"));
    }

    #[test]
    fn text_without_expressions_matches_itself_only() {
        let template = UriTemplate::parse("demo://a");
        assert!(template.matches("demo://a"));
        assert!(!template.matches("demo://ab"));
    }
}
