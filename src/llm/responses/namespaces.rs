//! Tools that a client groups under a namespace (Codex does so with its agents and
//! with MCP servers): other wires know flat names only, and the client wants
//! `namespace` and `name` apart in the calls.

use std::sync::Arc;

use crate::ir::{Namespaced, Namespaces};

/// Gives flat names, each to one tool only.
#[derive(Debug, Default)]
pub(super) struct Flattener {
    taken: Vec<String>,
    all: Vec<Namespaced>,
}

impl Flattener {
    /// Notes a name that a tool without a namespace has.
    pub(super) fn take(&mut self, name: &str) {
        self.taken.push(name.to_owned());
    }

    /// The flat name of a tool: the same for the same pair, and of no other.
    pub(super) fn flat(&mut self, namespace: &str, name: &str) -> String {
        if namespace.is_empty() {
            return name.to_owned();
        }
        let known = |it: &&Namespaced| it.namespace == namespace && it.name == name;
        if let Some(known) = self.all.iter().find(known) {
            return known.flat.clone();
        }
        let joint = match namespace.ends_with("__") {
            true => format!("{namespace}{name}"),
            false => format!("{namespace}__{name}"),
        };
        let mut flat = joint.clone();
        let mut nth = 2_usize;
        while self.taken.contains(&flat) {
            flat = format!("{joint}_{nth}");
            nth += 1;
        }
        self.taken.push(flat.clone());
        self.all.push(Namespaced {
            flat: flat.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            custom: false,
        });
        flat
    }

    /// Notes that a tool takes plain text.
    pub(super) fn custom(&mut self, flat: &str) {
        if let Some(known) = self.all.iter_mut().find(|it| it.flat == flat) {
            known.custom = true;
            return;
        }
        self.all.push(Namespaced {
            flat: flat.to_owned(),
            namespace: String::new(),
            name: flat.to_owned(),
            custom: true,
        });
    }

    pub(super) fn into_namespaces(self) -> Namespaces {
        Namespaces(Arc::from(self.all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_name_belongs_to_one_tool_and_finds_its_way_back() {
        let mut flattener = Flattener::default();
        flattener.take("a__b__c");
        let first = flattener.flat("a", "b__c");
        assert_eq!(first, "a__b__c_2");
        let second = flattener.flat("a__b", "c");
        assert_eq!(second, "a__b__c_3");
        assert_eq!(flattener.flat("a", "b__c"), first, "said again");
        assert_eq!(flattener.flat("mcp__x__", "get"), "mcp__x__get");
        assert_eq!(flattener.flat("", "plain"), "plain");
        let namespaces = flattener.into_namespaces();
        assert_eq!(namespaces.split(&second), Some(("a__b", "c")));
        assert_eq!(namespaces.split("a__b__c"), None, "that one has none");
    }
}
