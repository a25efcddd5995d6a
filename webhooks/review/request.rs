//! Decoding of the request.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::rights::User;

/// One admission request, with the object untouched.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    /// Repeated in the answer.
    pub uid: String,
    /// Kind of the object (`LLMGateway`, `Pod`).
    pub kind: String,
    /// API group of the object; empty for the core group.
    pub group: String,
    /// What is done to it.
    pub operation: Operation,
    /// Namespace of the request; Pods made by controllers carry none themselves.
    pub namespace: Option<String>,
    /// Empty when the API server is to generate one.
    pub name: String,
    /// `status`, `scale`, … when it is not the object itself.
    pub subresource: Option<String>,
    /// The object as it would be stored; absent on DELETE.
    pub object: Option<Value>,
    /// The object as it is stored; absent on CREATE.
    pub old_object: Option<Value>,
    /// True for `--dry-run=server`.
    pub dry_run: bool,
    /// Who asks for it.
    pub user: User,
}

/// What is done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// It is new.
    Create,
    /// It replaces an older one.
    Update,
    /// It goes.
    Delete,
    /// A connection to a subresource, such as `exec`.
    Connect,
}

impl Operation {
    /// The name the API server uses, in lower case: a metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Connect => "connect",
        }
    }
}

/// The body is not an AdmissionReview that can be answered.
#[derive(Debug, thiserror::Error)]
pub enum MalformedReview {
    /// Not JSON, or a field of the envelope has the wrong type. The text names
    /// the place, never the contents.
    #[error("the body is not an admission.k8s.io/v1 AdmissionReview ({at})")]
    NotAReview {
        /// Line and column.
        at: String,
    },
    /// Another version of the envelope.
    #[error("AdmissionReview of version {0:?}; only admission.k8s.io/v1 is spoken")]
    Version(String),
    /// Nothing was asked.
    #[error("the AdmissionReview has no request")]
    NoRequest,
}

/// Decodes the body of a call by the API server.
///
/// # Errors
/// When there is no request to answer: the only case that is an HTTP error.
pub fn decode(body: &[u8]) -> Result<Review, MalformedReview> {
    let envelope: Envelope = serde_json::from_slice(body).map_err(|error| {
        let at = format!("line {} column {}", error.line(), error.column());
        MalformedReview::NotAReview { at }
    })?;
    if envelope.api_version != "admission.k8s.io/v1" || envelope.kind != "AdmissionReview" {
        return Err(MalformedReview::Version(envelope.api_version));
    }
    let request = envelope.request.ok_or(MalformedReview::NoRequest)?;
    Ok(Review {
        uid: request.uid,
        kind: request.kind.kind,
        group: request.kind.group,
        operation: request.operation,
        namespace: request.namespace.filter(|namespace| !namespace.is_empty()),
        name: request.name.unwrap_or_default(),
        subresource: request.sub_resource.filter(|name| !name.is_empty()),
        object: request.object.filter(|object| !object.is_null()),
        old_object: request.old_object.filter(|object| !object.is_null()),
        dry_run: request.dry_run.unwrap_or_default(),
        user: User {
            name: request.user_info.username,
            uid: request.user_info.uid.filter(|uid| !uid.is_empty()),
            groups: request.user_info.groups,
            extra: request.user_info.extra,
        },
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    request: Option<Request>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    uid: String,
    kind: GroupVersionKind,
    operation: Operation,
    namespace: Option<String>,
    name: Option<String>,
    sub_resource: Option<String>,
    object: Option<Value>,
    old_object: Option<Value>,
    dry_run: Option<bool>,
    #[serde(default)]
    user_info: UserInfo,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UserInfo {
    username: String,
    uid: Option<String>,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct GroupVersionKind {
    #[serde(default)]
    group: String,
    kind: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_spec_is_still_a_review() {
        let body = serde_json::json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "u-1",
                "kind": {"group": "agentkube.io", "version": "v1alpha1", "kind": "MCP"},
                "operation": "CREATE", "namespace": "team-a", "name": "x",
                "userInfo": {"username": "kim"},
                "object": {"spec": {"upstreams": "not even a list"}}, "oldObject": null,
            }
        });
        let review = decode(body.to_string().as_bytes()).unwrap();
        assert_eq!(review.uid, "u-1");
        assert_eq!(review.operation, Operation::Create);
        assert!(review.old_object.is_none());
        assert!(review.object.is_some());
    }

    #[test]
    fn an_envelope_without_a_request_is_malformed() {
        let empty = br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#;
        assert!(matches!(decode(empty), Err(MalformedReview::NoRequest)));
        let old = br#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#;
        assert!(matches!(decode(old), Err(MalformedReview::Version(_))));
        assert!(matches!(
            decode(b"{\"token\""),
            Err(MalformedReview::NotAReview { .. })
        ));
    }
}
