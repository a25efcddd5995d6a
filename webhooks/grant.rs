//! Whether an object admits callers of a namespace (`spec.allowedNamespaces`).
//!
//! One function for admission, for the wiring of Pods and for the operator, so
//! that nobody is let in by one and kept out by another.

use std::collections::BTreeMap;

use agentkube_crds::shared::{AllowedNamespaces, NamespacesFrom};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::lookup::NamespaceFacts;

/// The label that every Namespace carries.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Answer of [`admits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Callers of the namespace may use the object.
    Given,
    /// They may not.
    Refused,
    /// The labels of the namespace decide, and they are not known.
    Undecided,
}

/// Whether an object in `home` with these `allowedNamespaces` admits callers of
/// `namespace`. `facts` are what is known of that namespace; without them it
/// has only the label of its name.
#[must_use]
pub fn admits(
    allowed: &AllowedNamespaces,
    home: &str,
    namespace: &str,
    facts: Option<&NamespaceFacts>,
) -> Grant {
    match allowed.from {
        _ if home == namespace => Grant::Given,
        NamespacesFrom::All => Grant::Given,
        NamespacesFrom::Same => Grant::Refused,
        NamespacesFrom::Selector => {
            let mut labels = facts.map(|facts| facts.labels.clone()).unwrap_or_default();
            labels.insert(NAME_LABEL.to_owned(), namespace.to_owned());
            let selected = allowed
                .selector
                .as_ref()
                .is_some_and(|it| selects(it, &labels));
            match (selected, facts) {
                (true, _) => Grant::Given,
                (false, Some(_)) => Grant::Refused,
                (false, None) => Grant::Undecided,
            }
        }
    }
}

/// What the owner of the object has to write, for the message of a refusal.
#[must_use]
pub fn missing_grant(allowed: &AllowedNamespaces, namespace: &str) -> String {
    match allowed.from {
        NamespacesFrom::Selector => {
            format!("its spec.allowedNamespaces.selector must match the labels of {namespace:?}")
        }
        NamespacesFrom::Same | NamespacesFrom::All => format!(
            "it needs spec.allowedNamespaces {{from: Selector, selector: {{matchLabels: \
             {{{NAME_LABEL}: {namespace}}}}}}} or {{from: All}}"
        ),
    }
}

/// Kubernetes' label selector: all requirements hold; an empty one selects
/// everything.
fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    equal
        && selector
            .match_expressions
            .iter()
            .flatten()
            .all(|it| holds(it, labels))
}

fn holds(requirement: &LabelSelectorRequirement, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(&requirement.key);
    let listed = |value: &String| requirement.values.iter().flatten().any(|it| it == value);
    match requirement.operator.as_str() {
        "In" => value.is_some_and(listed),
        "NotIn" => !value.is_some_and(listed),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        // An operator that nobody knows must not let anybody in.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(key: &str, operator: &str, values: &[&str]) -> AllowedNamespaces {
        AllowedNamespaces {
            from: NamespacesFrom::Selector,
            selector: Some(LabelSelector {
                match_labels: None,
                match_expressions: Some(vec![LabelSelectorRequirement {
                    key: key.to_owned(),
                    operator: operator.to_owned(),
                    values: Some(values.iter().map(|value| (*value).to_owned()).collect()),
                }]),
            }),
        }
    }

    fn facts(key: &str, value: &str) -> NamespaceFacts {
        let labels = [(key.to_owned(), value.to_owned())].into();
        NamespaceFacts {
            labels,
            ..NamespaceFacts::default()
        }
    }

    #[test]
    fn only_the_own_namespace_is_admitted_by_default() {
        let allowed = AllowedNamespaces::default();
        assert_eq!(admits(&allowed, "platform", "platform", None), Grant::Given);
        assert_eq!(admits(&allowed, "platform", "team-a", None), Grant::Refused);
    }

    #[test]
    fn a_selector_reads_labels_and_the_name_even_when_nothing_else_is_known() {
        let by_name = selector(NAME_LABEL, "In", &["team-a"]);
        assert_eq!(admits(&by_name, "platform", "team-a", None), Grant::Given);
        let by_tier = selector("tier", "In", &["gold"]);
        assert_eq!(
            admits(&by_tier, "platform", "team-a", None),
            Grant::Undecided
        );
        let gold = facts("tier", "gold");
        assert_eq!(
            admits(&by_tier, "platform", "team-a", Some(&gold)),
            Grant::Given
        );
        let iron = facts("tier", "iron");
        assert_eq!(
            admits(&by_tier, "platform", "team-a", Some(&iron)),
            Grant::Refused
        );
    }

    #[test]
    fn an_unknown_operator_lets_nobody_in() {
        let odd = selector("tier", "Almost", &["gold"]);
        let gold = facts("tier", "gold");
        assert_eq!(
            admits(&odd, "platform", "team-a", Some(&gold)),
            Grant::Refused
        );
    }
}
