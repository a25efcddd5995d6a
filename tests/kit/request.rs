//! What an upstream got: one recorded request.

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

/// One request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which request of this upstream it is, from 0.
    pub number: usize,
    /// Which connection of this upstream it came over, from 0.
    pub connection: usize,
    /// The method.
    pub method: Method,
    /// Path and query, as written.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, without its framing.
    pub body: Bytes,
}

impl Request {
    /// The value of a header, when there is one and it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The path without its query.
    #[must_use]
    pub fn route(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// The value of a query parameter, as written.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path.split_once('?')?;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// `model` of the body, or nothing.
    #[must_use]
    pub fn model(&self) -> String {
        self.json()["model"].as_str().unwrap_or_default().to_owned()
    }
}
