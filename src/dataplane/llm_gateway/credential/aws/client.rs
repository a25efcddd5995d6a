//! Our connections under Amazon's clients, so that all that leaves a data plane
//! leaves by one door; and what became of a call, for people.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;

use super::super::tokens::{self, Calls};

/// A client of Amazon's that calls through ours.
pub(super) struct Client<C> {
    calls: C,
    failed: Arc<Mutex<Option<String>>>,
}

impl<C: Clone> Clone for Client<C> {
    fn clone(&self) -> Self {
        Self {
            calls: self.calls.clone(),
            failed: Arc::clone(&self.failed),
        }
    }
}

impl<C: Calls> Client<C> {
    pub(super) fn new(calls: C) -> Self {
        Self {
            calls,
            failed: Arc::default(),
        }
    }

    /// What became of the last call, unless it went well: no more of the answer
    /// than its status and the code of the error.
    pub(super) fn last_failure(&self) -> Option<String> {
        let failed = self.failed.lock();
        failed.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note(&self, failed: Option<String>) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(user)?;
        let (head, body) = request.into_parts();
        let body = body.bytes().map(Bytes::copy_from_slice);
        let body = body.ok_or_else(|| user("a body in a stream"))?;
        let from = tokens::place(&head.uri);
        let request = http::Request::from_parts(head, Full::new(body));
        let (head, body) = match tokens::call(self.calls.clone(), request).await {
            Ok(answer) => answer,
            Err(why) => {
                self.note(Some(format!("from {from}: {why}")));
                return Err(ConnectorError::io(why.into()));
            }
        };
        self.note((!head.status.is_success()).then(|| refusal(&from, head.status, &body)));
        let mut answer = http::Response::new(SdkBody::from(body));
        *answer.status_mut() = head.status;
        *answer.headers_mut() = head.headers;
        HttpResponse::try_from(answer).map_err(user)
    }
}

fn user(error: impl Into<aws_smithy_runtime_api::box_error::BoxError>) -> ConnectorError {
    ConnectorError::user(error.into())
}

/// `<Code>AccessDenied</Code>` of the query protocol.
fn refusal(from: &str, status: StatusCode, body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map(|(code, _)| code)
        .filter(|code| code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphabetic()));
    match code {
        Some(code) => format!("from {from}: it answers {status} ({code})"),
        None => format!("from {from}: it answers {status}"),
    }
}

impl<C: Calls> HttpConnector for Client<C> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.clone();
        HttpConnectorFuture::new(async move { client.send(request).await })
    }
}

impl<C: Calls> HttpClient for Client<C> {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        None
    }
}

impl<C> fmt::Debug for Client<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_by_its_code_and_not_in_the_servers_words() {
        let refused = |body: &str| refusal("sts", StatusCode::FORBIDDEN, body.as_bytes());
        let body = "<Error><Code>AccessDenied</Code><Message>token s3cr3t</Message></Error>";
        assert_eq!(
            refused(body),
            "from sts: it answers 403 Forbidden (AccessDenied)"
        );
        let quoted = "<Code>s3cr3t-1</Code>";
        assert_eq!(refused(quoted), "from sts: it answers 403 Forbidden");
    }
}
