//! An object and its structural schema, walked side by side.

use serde_json::Value;

/// A value, the schema of its place, and the path as Kubernetes prints it.
#[derive(Clone)]
pub(crate) struct Place<'v> {
    pub(crate) schema: &'v Value,
    pub(crate) value: Option<&'v Value>,
    pub(crate) path: String,
}

impl<'v> Place<'v> {
    pub(crate) fn root(schema: &'v Value, value: &'v Value) -> Self {
        Self {
            schema,
            value: Some(value),
            path: String::new(),
        }
    }

    /// A field, or an entry of a map: the schema knows which.
    pub(crate) fn key(&self, key: &str) -> Self {
        let value = self.value.and_then(|value| value.get(key));
        match child(self.schema, key) {
            Some(Child::Entry(schema)) => Self {
                schema,
                value,
                path: format!("{}[{key}]", self.path),
            },
            Some(Child::Field(schema)) => Self {
                schema,
                value,
                path: self.dotted(key),
            },
            None => Self {
                schema: &Value::Null,
                value,
                path: self.dotted(key),
            },
        }
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        Self {
            schema: self.schema.get("items").unwrap_or(&Value::Null),
            value: self.value.and_then(|value| value.get(index)),
            path: format!("{}[{index}]", self.path),
        }
    }

    /// What lies directly below.
    pub(crate) fn children(&self) -> Vec<Self> {
        match self.value {
            Some(Value::Object(entries)) => entries.keys().map(|key| self.key(key)).collect(),
            Some(Value::Array(items)) => (0..items.len()).map(|index| self.index(index)).collect(),
            _ => Vec::new(),
        }
    }

    fn dotted(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// Schema of something with a name.
enum Child<'v> {
    /// A described field.
    Field(&'v Value),
    /// An entry of a map.
    Entry(&'v Value),
}

/// The schema below a name, if the name has one.
fn child<'v>(schema: &'v Value, key: &str) -> Option<Child<'v>> {
    if let Some(field) = schema
        .get("properties")
        .and_then(|properties| properties.get(key))
    {
        return Some(Child::Field(field));
    }
    schema
        .get("additionalProperties")
        .filter(|entry| entry.is_object())
        .map(Child::Entry)
}
