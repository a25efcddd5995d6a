//! Merge keys (`<<`): a mapping takes over what it does not say itself.
//!
//! <https://yaml.org/type/merge.html>, the YAML 1.1 feature that kubectl keeps.

use super::yaml::{Entry, Node, NodeKind, YamlError};

/// Resolves every merge key below this node.
pub(super) fn resolve_merges(node: &mut Node) -> Result<(), YamlError> {
    match &mut node.kind {
        NodeKind::Scalar(_) => Ok(()),
        NodeKind::Sequence(items) => items.iter_mut().try_for_each(resolve_merges),
        NodeKind::Mapping(entries) => {
            entries
                .iter_mut()
                .try_for_each(|entry| resolve_merges(&mut entry.value))?;
            if entries.iter().any(|entry| entry.merge) {
                *entries = merged(std::mem::take(entries))?;
            }
            Ok(())
        }
    }
}

fn merged(entries: Vec<Entry>) -> Result<Vec<Entry>, YamlError> {
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.merge);
    for merge in merges {
        for inherited in sources(merge)? {
            // What the mapping says itself, or an earlier source said, stays.
            if !own.iter().any(|entry| entry.key == inherited.key) {
                own.push(inherited);
            }
        }
    }
    Ok(own)
}

fn sources(merge: Entry) -> Result<Vec<Entry>, YamlError> {
    let wrong = YamlError {
        at: merge.value.at,
        message: "<< takes a mapping or a list of mappings".to_owned(),
    };
    match merge.value.kind {
        NodeKind::Mapping(entries) => Ok(entries),
        NodeKind::Sequence(items) => {
            let mut all = Vec::new();
            for item in items {
                let NodeKind::Mapping(entries) = item.kind else {
                    return Err(wrong);
                };
                all.extend(entries);
            }
            Ok(all)
        }
        NodeKind::Scalar(_) => Err(wrong),
    }
}
