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
        push_new(&mut errors, error, |known, new| {
            known.field == new.field && known.message == new.message
        });
    }
    let checks = errors.len();
    for error in schema.errors {
        let same = |known: &FieldError, new: &FieldError| known.field == new.field;
        push_new(&mut errors, error, same);
    }
    for error in cel {
        push_new(&mut errors, error, |known, new| {
            related(&known.field, &new.field)
        });
    }
    for error in refused {
        push_new(&mut errors, error, |known, new| known.field == new.field);
    }
    debug_assert!(checks <= errors.len());

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

fn push_new(
    list: &mut Vec<FieldError>,
    new: FieldError,
    covers: impl Fn(&FieldError, &FieldError) -> bool,
) {
    if !list.iter().any(|known| covers(known, &new)) {
        list.push(new);
    }
}

/// True when one path is the other or lies below it.
fn related(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    match long.strip_prefix(short) {
        Some(rest) => rest.is_empty() || rest.starts_with(['.', '[']),
        None => false,
    }
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
