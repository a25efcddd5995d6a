//! From bytes to bytes: decode, confirm, judge, answer, count.

use std::time::Instant;

use agentkube_crds::{FieldError, Kind, Reason};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{StatusCode, header};
use serde_json::Value;
use tracing::{Instrument as _, debug, info_span};

use super::Webhooks;
use super::confirm::judge;
use super::metrics::{Outcome, Request};
use super::rights::missing;
use crate::admit::{Admit, admit};
use crate::review::{self, Answer, Operation, Review};
use crate::rights;
use crate::wire::{self, Missing, Wants, WireRequest};

pub(super) async fn mutate(
    State(webhooks): State<Webhooks>,
    Path(kind): Path<String>,
    body: Bytes,
) -> Response {
    own_kind(webhooks, Side::Mutate, &kind, &body).await
}

pub(super) async fn validate(
    State(webhooks): State<Webhooks>,
    Path(kind): Path<String>,
    body: Bytes,
) -> Response {
    own_kind(webhooks, Side::Validate, &kind, &body).await
}

pub(super) async fn wire_pod(State(webhooks): State<Webhooks>, body: Bytes) -> Response {
    let started = Instant::now();
    let review = match review::decode(&body) {
        Ok(review) => review,
        Err(error) => return malformed(&webhooks, "wire", "Pod", started, &error),
    };
    let span = info_span!(
        "admission", uid = %review.uid, kind = "Pod", op = review.operation.as_str(),
        name = %review.name
    );
    async {
        let judged = judge_pod(&webhooks, &review).await;
        answer(&webhooks, "wire", "Pod", started, &review, &judged)
    }
    .instrument(span)
    .await
}

/// Which of the two calls it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Mutate,
    Validate,
}

/// What is to be answered.
struct Judged {
    object: Option<Value>,
    errors: Vec<FieldError>,
    warnings: Vec<FieldError>,
}

impl Judged {
    fn nothing() -> Self {
        Self {
            object: None,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// What could not be confirmed is said, or the reader takes it for certain.
    fn unconfirmed(&mut self) {
        if !self.errors.is_empty() || !self.warnings.is_empty() {
            let message = "not all references could be looked up: some may exist after all";
            let said = FieldError::new("", Reason::NotFound, message);
            // First, as there is room for some warnings only.
            self.warnings.insert(0, said);
        }
    }
}

async fn own_kind(webhooks: Webhooks, side: Side, plural: &str, body: &Bytes) -> Response {
    let started = Instant::now();
    let Some(kind) = Kind::from_plural(plural) else {
        return (StatusCode::NOT_FOUND, "no such kind\n").into_response();
    };
    let webhook = match side {
        Side::Mutate => "mutate",
        Side::Validate => "validate",
    };
    let review = match review::decode(body) {
        Ok(review) => review,
        Err(error) => return malformed(&webhooks, webhook, kind.as_str(), started, &error),
    };
    let span = info_span!(
        "admission", uid = %review.uid, kind = kind.as_str(), op = review.operation.as_str(),
        name = %review.name
    );
    async {
        let mut judged = judge_own(&webhooks, kind, &review).await;
        if side == Side::Validate {
            // The user has read the warnings of the mutating side already.
            judged.object = None;
            judged.warnings.clear();
        }
        answer(&webhooks, webhook, kind.as_str(), started, &review, &judged)
    }
    .instrument(span)
    .await
}

async fn judge_own(webhooks: &Webhooks, kind: Kind, review: &Review) -> Judged {
    let (Operation::Create | Operation::Update, Some(new)) = (review.operation, &review.object)
    else {
        return Judged::nothing();
    };
    let request = Admit {
        kind,
        namespace: review.namespace.as_deref().unwrap_or_default(),
        new,
        old: review.old_object.as_ref(),
        subresource: review.subresource.as_deref(),
    };
    let (verdict, complete) = judge(&*webhooks.lookup, &*webhooks.confirm, |lookup| {
        admit(&request, lookup, &webhooks.install)
    })
    .await;
    let mut judged = Judged {
        object: verdict.object,
        errors: verdict.errors,
        warnings: verdict.warnings,
    };
    if !complete {
        judged.unconfirmed();
    }
    // An object that goes, or that says the same, was not looked at.
    if judged.object.is_some() {
        let needed = rights::needed(&request, &*webhooks.lookup, &webhooks.install);
        let missing = missing(&*webhooks.rights, &review.user, needed).await;
        // What is in a Secret, or whether there is one, is not for who may not read it.
        let told = |finding: &FieldError| {
            let mut fields = missing.iter().map(|it| it.field.as_str());
            fields.all(|field| !rights::holds(field, &finding.field))
        };
        judged.errors.retain(told);
        judged.warnings.retain(told);
        judged.errors.extend(missing);
    }
    judged
}

/// The entries of the configuration select Pods by label, so a Pod that arrives
/// here is to be wired, whatever our own index knows of its Namespace by now.
async fn judge_pod(webhooks: &Webhooks, review: &Review) -> Judged {
    let (Operation::Create, Some(pod), None) =
        (review.operation, &review.object, &review.subresource)
    else {
        return Judged::nothing();
    };
    let request = WireRequest {
        namespace: review.namespace.as_deref().unwrap_or_default(),
        pod,
        wants: Wants::Annotated,
        missing: Missing::Denied,
    };
    let (wired, complete) = judge(&*webhooks.lookup, &*webhooks.confirm, |lookup| {
        wire::wire(&request, lookup)
    })
    .await;
    let mut judged = Judged {
        object: Some(wired.pod),
        errors: wired.errors,
        warnings: wired.warnings,
    };
    if !complete {
        judged.unconfirmed();
    }
    judged
}

fn answer(
    webhooks: &Webhooks,
    webhook: &'static str,
    kind: &'static str,
    started: Instant,
    review: &Review,
    judged: &Judged,
) -> Response {
    let name = if review.name.is_empty() {
        generate_name(review)
    } else {
        &review.name
    };
    let mutation = review.object.as_ref().zip(judged.object.as_ref());
    let changed = mutation.is_some_and(|(before, after)| before != after);
    let outcome = match (judged.errors.is_empty(), changed) {
        (false, _) => Outcome::Denied,
        (true, true) => Outcome::Patched,
        (true, false) => Outcome::Allowed,
    };
    let body = review::respond(&Answer {
        uid: &review.uid,
        group: &review.group,
        kind: &review.kind,
        name,
        mutation: mutation.filter(|_| changed),
        errors: &judged.errors,
        warnings: &judged.warnings,
    });
    debug!(
        ?outcome,
        errors = judged.errors.len(),
        warnings = judged.warnings.len(),
        "answered"
    );
    let request = Request {
        webhook,
        op: review.operation.as_str(),
        kind,
        outcome,
        dry_run: review.dry_run,
    };
    webhooks.metrics.answered(&request, started.elapsed());
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A Pod of a controller has no name yet; its prefix says whose it is.
fn generate_name(review: &Review) -> &str {
    let object = review.object.as_ref();
    object
        .and_then(|object| object.pointer("/metadata/generateName")?.as_str())
        .unwrap_or_default()
}

fn malformed(
    webhooks: &Webhooks,
    webhook: &'static str,
    kind: &'static str,
    started: Instant,
    error: &review::MalformedReview,
) -> Response {
    debug!(%error, webhook, "a call that is no AdmissionReview");
    let request = Request {
        webhook,
        op: "unknown",
        kind,
        outcome: Outcome::Malformed,
        dry_run: false,
    };
    webhooks.metrics.answered(&request, started.elapsed());
    (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
}
