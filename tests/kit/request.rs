//! What an upstream got: one recorded request.

use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
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

    /// `model` of the body, else the one that the path names, or nothing.
    #[must_use]
    pub fn model(&self) -> String {
        let body = self.json();
        let in_body = body["model"].as_str().map(str::to_owned);
        in_body.or_else(|| self.model_in_path()).unwrap_or_default()
    }

    /// `/model/{model}/converse` (Bedrock), `…/models/{model}:generateContent` (Gemini).
    fn model_in_path(&self) -> Option<String> {
        let route = self.route();
        let bedrock = || Some(route.strip_prefix("/model/")?.rsplit_once('/')?.0);
        let gemini = || Some(route.rsplit_once("/models/")?.1.rsplit_once(':')?.0);
        let model = bedrock().or_else(gemini)?;
        Some(percent_decode_str(model).decode_utf8().ok()?.into_owned())
    }

    /// Whether an answer in a stream is asked for, by the body or by the path.
    #[must_use]
    pub fn streams(&self) -> bool {
        let route = self.route().to_ascii_lowercase();
        let by_path = [
            "/converse-stream",
            ":streamgeneratecontent",
            ":streamrawpredict",
        ];
        let said = &self.json()["stream"];
        // Ollama streams unless it is told not to.
        let unasked = route.ends_with("/api/chat") && said.is_null();
        unasked || *said == true || by_path.iter().any(|end| route.ends_with(end))
    }
}
