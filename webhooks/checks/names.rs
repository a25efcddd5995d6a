//! Names of our objects: a Service must be able to carry them, and so must the
//! names of the children.

use agentkube_crds::names;

use super::Subject;
use crate::findings::Findings;

pub(super) fn check(subject: &Subject<'_>, out: &mut Findings) {
    let name = subject.root.get("metadata").get("name");
    // Without a name one is generated; the validating side sees it.
    let named = name.text().filter(|name| !name.is_empty());
    out.errors
        .extend(named.and_then(|name| names::check(subject.kind, name)));
}
