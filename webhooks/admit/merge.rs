//! One list out of what several judges found: nothing twice, in a fixed order.

use agentkube_crds::FieldError;

use crate::findings::Findings;

/// Puts together what the schema, the checks, CEL and the table of unsupported
/// fields found.
///
/// The judges overlap: where two speak about one field, the one that knows most
/// about it is heard. A check knows more than the schema's bounds, both know more
/// than CEL, whose rules may also stumble over what the schema refuses.
pub(super) fn merge(
    schema: Findings,
    checked: Findings,
    cel: Vec<FieldError>,
    refused: Vec<FieldError>,
    announced: Vec<FieldError>,
) -> Findings {
    let mut errors: Vec<FieldError> = Vec::new();
    for error in checked.errors {
        let same =
            |known: &FieldError| known.field == error.field && known.message == error.message;
        if !errors.iter().any(same) {
            errors.push(error);
        }
    }
    for error in schema
        .errors
        .into_iter()
        .chain(cel.into_iter().map(named))
        .chain(refused)
    {
        if !errors
            .iter()
            .any(|known| covers(&known.field, &error.field))
        {
            errors.push(error);
        }
    }

    let mut warnings: Vec<FieldError> = Vec::new();
    for warning in checked
        .warnings
        .into_iter()
        .chain(schema.warnings)
        .chain(announced)
    {
        let denied = errors.iter().any(|error| error.field == warning.field);
        if !denied && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    Findings { errors, warnings }
}

/// By field path, indices as numbers: the order of the spec as far as one can
/// tell from a path.
pub(super) fn order(found: &mut Findings) {
    found
        .errors
        .sort_by_cached_key(|finding| sort_key(&finding.field));
    found
        .warnings
        .sort_by_cached_key(|finding| sort_key(&finding.field));
}

/// A rule at the root of an object can only be about its name.
fn named(mut error: FieldError) -> FieldError {
    if error.field.is_empty() {
        "metadata.name".clone_into(&mut error.field);
    }
    error
}

/// True when what was said about one field makes it idle to speak about another:
/// it is the same one, or lies in it.
fn covers(said: &str, field: &str) -> bool {
    let rest = field.strip_prefix(said);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Splits `a[10].b` so that 10 sorts after 9.
fn sort_key(field: &str) -> Vec<(u64, String)> {
    let parts = field
        .split(['.', '['])
        .map(|part| part.trim_end_matches(']'));
    parts
        .map(|part| {
            part.parse()
                .map_or((0, part.to_owned()), |index| (index, String::new()))
        })
        .collect()
}
