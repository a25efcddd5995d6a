//! The CRD's own schema, run here, so that its findings come together with all
//! others and in words.

mod convert;
mod explain;
mod lists;
mod walk;

use std::sync::LazyLock;

use agentkube_crds::Kind;
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::findings::Findings;

use walk::Place;

/// Adds what the schema of the kind says about the object.
pub(crate) fn check(kind: Kind, object: &Value, out: &mut Findings) {
    let schema = schema_of(kind);
    for error in schema.validator.iter_errors(object) {
        explain::explain(&schema.structural, &error, out);
    }
    lists::check(&Place::root(&schema.structural, object), out);
}

struct Schema {
    structural: Value,
    validator: Validator,
}

fn schema_of(kind: Kind) -> &'static Schema {
    static SCHEMAS: LazyLock<Vec<(Kind, Schema)>> = LazyLock::new(|| {
        Kind::ALL
            .iter()
            .map(|kind| (*kind, compile(*kind)))
            .collect()
    });
    let found = SCHEMAS.iter().find(|(known, _)| *known == kind);
    #[expect(clippy::expect_used, reason = "the list holds every kind there is")]
    &found.expect("every kind has a schema").1
}

fn compile(kind: Kind) -> Schema {
    let structural = convert::completed(agentkube_crds::schema(kind));
    let closed = convert::closed(&structural);
    #[expect(
        clippy::expect_used,
        reason = "a constant of this build, which the tests compile"
    )]
    let validator = jsonschema::options()
        .with_pattern_options(PatternOptions::regex())
        .build(&closed)
        .expect("the schemas of our own CRDs compile");
    Schema {
        structural,
        validator,
    }
}

#[cfg(test)]
mod tests;
