//! What the derive cannot say about the top of a schema: the name and the maps' keys.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, ValidationRule,
};

use crate::{Kind, names};

pub(super) fn finish(kind: Kind, root: &mut JSONSchemaProps) {
    if kind.namespaced() {
        name_rules(kind, root);
    }
}

/// A name must be one that the Service and the StatefulSet can carry.
fn name_rules(kind: Kind, root: &mut JSONSchemaProps) {
    let max = names::max_name(kind);
    root.x_kubernetes_validations
        .get_or_insert_default()
        .extend([
            ValidationRule {
                rule: format!("size(self.metadata.name) <= {max}"),
                message: Some(format!(
                    "the name of an {kind} may have {max} characters: what it becomes could not \
                     be named"
                )),
                ..ValidationRule::default()
            },
            ValidationRule {
                rule: "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')".to_owned(),
                message: Some(
                    "a Service must carry this name: lower-case letters, digits and '-', \
                     beginning with a letter and not ending with '-'"
                        .to_owned(),
                ),
                ..ValidationRule::default()
            },
        ]);
}
