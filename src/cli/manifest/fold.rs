//! Node tree → JSON value and the positions of its fields.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Position;
use super::yaml::{Node, NodeKind};

/// Positions by field path, spelled as Kubernetes' `field.Path` prints it.
pub(super) type Positions = HashMap<String, Position>;

/// The JSON value of a node, and where each of its fields stands.
pub(super) fn fold(node: Node) -> (Value, Positions) {
    let mut positions = Positions::new();
    positions.insert(String::new(), node.at);
    let value = value(node, "", &mut positions);
    (value, positions)
}

fn value(node: Node, path: &str, positions: &mut Positions) -> Value {
    match node.kind {
        NodeKind::Scalar(scalar) => scalar.into_value(),
        NodeKind::Sequence(items) => items
            .into_iter()
            .enumerate()
            .map(|(index, item)| {
                let path = format!("{path}[{index}]");
                positions.insert(path.clone(), item.at);
                value(item, &path, positions)
            })
            .collect(),
        NodeKind::Mapping(entries) => {
            let mut object = Map::new();
            for entry in entries {
                // A map's entry may be asked for as `a.b` or as `a[b]`.
                let keyed = format!("{path}[{}]", entry.key);
                let dotted = match path {
                    "" => entry.key.clone(),
                    _ => format!("{path}.{}", entry.key),
                };
                positions.insert(keyed, entry.at);
                positions.insert(dotted.clone(), entry.at);
                object.insert(entry.key, value(entry.value, &dotted, positions));
            }
            Value::Object(object)
        }
    }
}
