//! A place in a raw object: the value, if there is one, and its field path.
//!
//! Checks walk nodes and not typed objects, so that one malformed field never
//! hides what is wrong with the others.

use serde_json::Value;

/// A place in a raw object. An explicit `null` reads as absent, as the API
/// server drops it.
#[derive(Clone, Debug)]
pub(crate) struct Node<'v> {
    value: Option<&'v Value>,
    path: String,
}

impl<'v> Node<'v> {
    pub(crate) fn root(object: &'v Value) -> Self {
        Self {
            value: Some(object),
            path: String::new(),
        }
    }

    /// A field of the object that this node is.
    pub(crate) fn get(&self, field: &str) -> Self {
        let path = if self.path.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.path)
        };
        Self {
            value: self.value.and_then(|value| value.get(field)),
            path,
        }
    }

    /// An entry of the map that this node is: `spec.prices[gpt-5.1]`.
    pub(crate) fn entry(&self, key: &str) -> Self {
        Self {
            value: self.value.and_then(|value| value.get(key)),
            path: format!("{}[{key}]", self.path),
        }
    }

    /// The items of the list that this node is; none when it is no list.
    pub(crate) fn items(&self) -> impl Iterator<Item = Node<'v>> + use<'v> {
        let items = self
            .value
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let path = self.path.clone();
        items.iter().enumerate().map(move |(index, value)| Node {
            value: Some(value),
            path: format!("{path}[{index}]"),
        })
    }

    /// The entries of the map that this node is; none when it is no map.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'v str, Node<'v>)> + use<'v> {
        let entries = self.value.and_then(Value::as_object).into_iter().flatten();
        let path = self.path.clone();
        entries.map(move |(key, value)| {
            (
                key.as_str(),
                Node {
                    value: Some(value),
                    path: format!("{path}[{key}]"),
                },
            )
        })
    }

    /// True when something other than null is written here.
    pub(crate) fn is_set(&self) -> bool {
        self.value.is_some_and(|value| !value.is_null())
    }

    /// True for a list, map or string with nothing in it, and for nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        match self.value {
            None | Some(Value::Null) => true,
            Some(Value::Array(items)) => items.is_empty(),
            Some(Value::Object(entries)) => entries.is_empty(),
            Some(Value::String(text)) => text.is_empty(),
            Some(Value::Bool(_) | Value::Number(_)) => false,
        }
    }

    pub(crate) fn text(&self) -> Option<&'v str> {
        self.value.and_then(Value::as_str)
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        self.value.and_then(Value::as_bool)
    }

    pub(crate) fn number(&self) -> Option<i64> {
        self.value.and_then(Value::as_i64)
    }

    pub(crate) fn value(&self) -> Option<&'v Value> {
        self.value.filter(|value| !value.is_null())
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_read_as_kubernetes_prints_them() {
        let object = json!({"spec": {"upstreams": [{"name": "a"}], "prices": {"gpt-5.1": {}}}});
        let spec = Node::root(&object).get("spec");
        let first = spec.get("upstreams").items().next().unwrap();
        assert_eq!(first.get("name").path(), "spec.upstreams[0].name");
        assert_eq!(first.get("name").text(), Some("a"));
        assert_eq!(
            spec.get("prices").entry("gpt-5.1").path(),
            "spec.prices[gpt-5.1]"
        );
    }

    #[test]
    fn a_malformed_part_reads_as_empty_and_not_as_an_error() {
        let object = json!({"spec": {"upstreams": "none", "port": null}});
        let spec = Node::root(&object).get("spec");
        assert_eq!(spec.get("upstreams").items().count(), 0);
        assert!(spec.get("upstreams").is_set());
        assert!(!spec.get("port").is_set());
        assert!(spec.get("a").get("b").get("c").text().is_none());
    }
}
