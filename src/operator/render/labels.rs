//! Names and labels of children.

use agentkube_crds::{Kind, names};
use serde_json::{Value, json};

use super::{Child, ChildKind, DataPlane};

impl DataPlane<'_> {
    /// Name of the children: `x-llm` or `x-mcp`.
    pub(crate) fn child_name(&self) -> String {
        names::child(self.kind, self.object)
    }

    /// Name of the Secret with the client table.
    pub(crate) fn clients_name(&self) -> String {
        names::clients_secret(self.kind, self.object)
    }

    /// Subcommand of our binary, and name of the container.
    pub(super) fn command(&self) -> &'static str {
        if self.kind == Kind::MCP {
            "mcp-proxy"
        } else {
            "gateway"
        }
    }

    /// The labels that select its Pods; they never change.
    pub(super) fn selector(&self) -> Value {
        json!(names::selector(self.kind, self.object))
    }

    /// A child of this data plane from the fields below its metadata.
    pub(super) fn child(&self, kind: ChildKind, name: String, fields: Value) -> Child {
        self.annotated(kind, name, json!({}), fields)
    }

    pub(super) fn annotated(
        &self,
        kind: ChildKind,
        name: String,
        annotations: Value,
        fields: Value,
    ) -> Child {
        let labels = json!(names::labels(self.kind, self.object));
        let metadata = json!({
            "name": name,
            "namespace": self.namespace,
            "labels": labels,
            "annotations": annotations,
        });
        Child::new(kind, self.namespace, name, metadata, fields)
    }
}
