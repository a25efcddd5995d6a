//! Aliases that repeat each other. Lists whose schema names a key are checked
//! with the schema; the model map has none, as its order matters.

use std::collections::BTreeMap;

use agentkube_crds::Reason;

use super::Subject;
use crate::findings::Findings;

/// An exact repetition of `from` can never be reached.
pub(super) fn aliases(subject: &Subject<'_>, out: &mut Findings) {
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for item in subject.spec().get("routing").get("modelMap").items() {
        let node = item.get("from");
        let Some(text) = node.text().filter(|text| !text.is_empty()) else {
            continue;
        };
        if let Some(first) = seen.get(text) {
            let message = format!("{text:?} is already mapped by {first}, and the first one wins");
            out.error(&node, Reason::Duplicate, message);
        } else {
            seen.insert(text, item.path().to_owned());
        }
    }
}
