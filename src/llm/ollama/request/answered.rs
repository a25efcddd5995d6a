//! Which call a tool's result belongs to: most clients say only the tool's name.

/// The calls that wait for their results, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<(String, String)>);

impl Waiting {
    /// The model called a tool.
    pub(super) fn call(&mut self, id: &str, name: &str) {
        self.0.push((id.to_owned(), name.to_owned()));
    }

    /// The id of the call that a result answers: the one of this id, else the first
    /// of this tool, else the first of all where neither is said.
    pub(super) fn answer(&mut self, id: Option<&str>, name: Option<&str>) -> Option<String> {
        let at = match (id, name) {
            (Some(id), _) => self.0.iter().position(|(known, _)| known == id),
            (None, Some(name)) => self.0.iter().position(|(_, known)| known == name),
            (None, None) => (!self.0.is_empty()).then_some(0),
        }?;
        Some(self.0.remove(at).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_find_their_calls_by_id_by_name_and_by_order() {
        let mut waiting = Waiting::default();
        for (id, name) in [("1", "a"), ("2", "b"), ("3", "a"), ("4", "c")] {
            waiting.call(id, name);
        }
        assert_eq!(waiting.answer(None, Some("b")).as_deref(), Some("2"));
        assert_eq!(waiting.answer(Some("4"), None).as_deref(), Some("4"));
        assert_eq!(waiting.answer(None, Some("a")).as_deref(), Some("1"));
        assert_eq!(waiting.answer(None, None).as_deref(), Some("3"));
        assert_eq!(waiting.answer(None, None), None);
        assert_eq!(waiting.answer(Some("1"), Some("a")), None);
    }
}
