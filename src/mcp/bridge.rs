//! From one hop to the next: parameters toward an upstream, results and errors
//! toward a client, each in the era of the peer that reads them.

use std::borrow::Cow;

use http::StatusCode;

use crate::error;
use crate::json::{self, Object};
use crate::list::CacheHint;
use crate::meta;
use crate::method::Method;
use crate::version::{Era, Version};

/// What changes in the parameters of a request on its way to an upstream.
#[derive(Clone, Debug, Default)]
pub struct Rewrite<'a> {
    /// The upstream's own name or URI for what the request names, by key.
    pub named: Option<(&'static str, Cow<'a, str>)>,
    /// `ref` of a completion, as JSON text.
    pub reference: Option<String>,
    /// The progress token of this hop, as JSON text.
    pub progress_token: Option<&'a str>,
    /// The call goes into a session that nobody else has.
    pub own: bool,
    /// `requestState` as the upstream gave it, as JSON text.
    pub state: Option<&'a str>,
}

/// The parameters for a legacy upstream: what only a modern server reads is
/// taken out of `_meta`.
#[must_use]
pub fn legacy_params(params: Option<&Object<'_>>, rewrite: &Rewrite<'_>) -> Option<String> {
    let params = params?;
    let mut edit = params.edit();
    // In a session of our own we declare no tasks, and a server ignores what was
    // not declared (2025-11-25, Tasks, "Capability Negotiation"). See
    // `capability::merge`.
    if !rewrite.own {
        edit.remove("task");
    }
    // What was asked for was asked by us; the upstream only wants the call again.
    edit.remove("inputResponses").remove("requestState");
    apply(&mut edit, rewrite);
    if let Some(meta) = params.object("_meta") {
        let mut inner = meta.edit();
        for key in meta::MODERN_ONLY {
            inner.remove(key);
        }
        set_token(&mut inner, &meta, rewrite);
        if !inner.is_untouched() {
            let text = inner.finish();
            match Object::parse(&text) {
                Some(object) if object.is_empty() => edit.remove("_meta"),
                _ => edit.set("_meta", text),
            };
        }
    }
    Some(edit.finish())
}

/// Who speaks to a modern upstream.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// The revision that is spoken.
    pub version: Version,
    /// Who we are, where the client did not say who it is; JSON text.
    pub info: &'a str,
    /// What a legacy client can do; JSON text.
    pub capabilities: &'a str,
}

/// The parameters for a modern upstream. The client's capabilities are mirrored
/// exactly: a modern client's from its request, a legacy client's from its session.
#[must_use]
pub fn modern_params(
    params: Option<&Object<'_>>,
    rewrite: &Rewrite<'_>,
    speaker: Speaker<'_>,
) -> String {
    let empty = Object::parse("{}");
    let Some(params) = params.or(empty.as_ref()) else {
        return String::new();
    };
    let mut edit = params.edit();
    apply(&mut edit, rewrite);
    let meta = params.object("_meta");
    let Some(meta) = meta.as_ref().or(empty.as_ref()) else {
        return String::new();
    };
    let mut inner = meta.edit();
    inner
        .set(
            meta::PROTOCOL_VERSION,
            json::quote(speaker.version.as_str()),
        )
        .set_if_absent(meta::CLIENT_CAPABILITIES, speaker.capabilities)
        .set_if_absent(meta::CLIENT_INFO, speaker.info);
    set_token(&mut inner, meta, rewrite);
    edit.set("_meta", inner.finish());
    edit.finish()
}

fn apply(edit: &mut json::Edit<'_, '_>, rewrite: &Rewrite<'_>) {
    if let Some((key, value)) = &rewrite.named {
        edit.set(key, json::quote(value));
    }
    if let Some(reference) = &rewrite.reference {
        edit.set("ref", reference.clone());
    }
    if let Some(state) = rewrite.state {
        edit.set("requestState", state);
    }
}

fn set_token(edit: &mut json::Edit<'_, '_>, meta: &Object<'_>, rewrite: &Rewrite<'_>) {
    if let (Some(token), Some(_)) = (rewrite.progress_token, meta.value(meta::PROGRESS_TOKEN)) {
        edit.set(meta::PROGRESS_TOKEN, token);
    }
}

/// Who answers whom.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// The era of the client.
    pub client: Era,
    /// The era spoken with the upstream.
    pub upstream: Era,
    /// What was asked.
    pub method: Method,
    /// Who the proxy is, as JSON text.
    pub server_info: &'a str,
}

/// A result in the client's era. Between equal eras only `_meta` changes
/// (modern), or nothing at all (legacy).
#[must_use]
pub fn result_for<'r>(result: &'r str, route: Route<'_>) -> Cow<'r, str> {
    if (route.client, route.upstream) == (Era::Legacy, Era::Legacy) {
        return Cow::Borrowed(result);
    }
    let Some(object) = Object::parse(result) else {
        return Cow::Borrowed(result);
    };
    Cow::Owned(match route.client {
        Era::Legacy => to_legacy(&object),
        Era::Modern => to_modern(&object, route),
    })
}

fn to_legacy(result: &Object<'_>) -> String {
    if needs_input(result) {
        // No answer yet: for whoever fulfils it.
        return result.edit().finish();
    }
    let mut edit = result.edit();
    edit.remove("resultType")
        .remove("ttlMs")
        .remove("cacheScope");
    if let Some(meta) = result.object("_meta") {
        let mut inner = meta.edit();
        inner.remove(meta::SERVER_INFO);
        if !inner.is_untouched() {
            let text = inner.finish();
            match Object::parse(&text) {
                Some(object) if object.is_empty() => edit.remove("_meta"),
                _ => edit.set("_meta", text),
            };
        }
    }
    // Any JSON value in 2026-07-28, an object before.
    if result
        .value("structuredContent")
        .is_some_and(|value| !value.starts_with('{'))
    {
        edit.remove("structuredContent");
    }
    edit.finish()
}

/// A tool as legacy clients can read it; `None` when they can read it as it is.
///
/// Since 2026-07-28 an `outputSchema` may be of any type. Before, it was of an object,
/// and clients refuse the whole list for one that is not.
#[must_use]
pub fn legacy_tool(tool: &str) -> Option<String> {
    let tool = Object::parse(tool)?;
    tool.value("outputSchema")?;
    let schema = tool.object("outputSchema");
    let is_object = schema.is_some_and(|schema| schema.text("type").as_deref() == Some("object"));
    (!is_object).then(|| tool.edit().remove("outputSchema").finish())
}

fn to_modern(result: &Object<'_>, route: Route<'_>) -> String {
    let mut edit = result.edit();
    edit.set_if_absent("resultType", "\"complete\"");
    if route.method.is_cacheable() && !needs_input(result) {
        edit.set_if_absent("ttlMs", "0");
        edit.set_if_absent("cacheScope", json::quote(CacheHint::NONE.scope()));
    }
    let meta = match result.object("_meta") {
        Some(meta) => meta
            .edit()
            .set(meta::SERVER_INFO, route.server_info)
            .finish(),
        None => format!("{{\"{}\":{}}}", meta::SERVER_INFO, route.server_info),
    };
    edit.set("_meta", meta);
    edit.finish()
}

/// True when a modern result asks the client for input before it can be given.
#[must_use]
pub fn needs_input(result: &Object<'_>) -> bool {
    result.text("resultType").as_deref() == Some("input_required")
}

/// A modern result that asks the client for input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRequired {
    /// The requests by their keys, as JSON text, in their order.
    pub requests: Vec<(String, String)>,
    /// What must come back with the answers, as JSON text.
    pub state: Option<String>,
}

impl InputRequired {
    /// False for text that holds none, which is seen without reading it as JSON.
    #[must_use]
    pub fn may_be_in(text: &str) -> bool {
        // The word, or an escape that may be a part of it.
        [&b"input_required"[..], b"\\u"]
            .iter()
            .any(|word| memchr::memmem::find(text.as_bytes(), word).is_some())
    }

    /// What this result asks for; `None` when it is an answer.
    #[must_use]
    pub fn read(result: &str) -> Option<Self> {
        let result = Object::parse(result)?;
        if !needs_input(&result) {
            return None;
        }
        let requests = result.object("inputRequests");
        let requests = requests.iter().flat_map(Object::members);
        Some(Self {
            requests: requests
                .map(|(key, request)| (key.to_owned(), request.to_owned()))
                .collect(),
            state: result.value("requestState").map(str::to_owned),
        })
    }
}

/// A request for input as the question of a legacy server; `id` is JSON text.
/// `None` when it is no request.
#[must_use]
pub fn question(request: &str, id: &str) -> Option<String> {
    let request = Object::parse(request)?;
    request.text("method")?;
    let mut edit = request.edit();
    edit.set("jsonrpc", "\"2.0\"").set("id", id);
    if let Some(params) = request.object("params")
        && params.text("mode").as_deref() == Some("url")
    {
        // Required until 2025-11-25, gone after it.
        let mut inner = params.edit();
        inner.set_if_absent("elicitationId", id);
        edit.set("params", inner.finish());
    }
    Some(edit.finish())
}

/// The result for a modern client where a legacy upstream answers that URLs must
/// be visited first (2025-11-25, Elicitation, "URL Elicitation Required Error").
/// `None` for other errors, and for a client that cannot visit URLs.
#[must_use]
pub fn urls_required(error: &str, client_capabilities: &str) -> Option<String> {
    if error::code_of(error) != Some(error::URL_ELICITATION_REQUIRED) {
        return None;
    }
    let capabilities = Object::parse(client_capabilities)?;
    capabilities.object("elicitation")?.value("url")?;
    let data = Object::parse(error)?.object("data")?;
    let elicitations = data.value("elicitations").and_then(json::array)?;
    let mut requests = Vec::new();
    for (number, elicitation) in elicitations.into_iter().enumerate() {
        let elicitation = Object::parse(elicitation)?;
        let params = elicitation.edit().remove("elicitationId").finish();
        requests.push(format!(
            "\"url-{number}\":{{\"method\":\"elicitation/create\",\"params\":{params}}}"
        ));
    }
    Some(format!(
        "{{\"resultType\":\"input_required\",\"inputRequests\":{{{}}}}}",
        requests.join(",")
    ))
}

/// A call again, with the input that was given; `message` is the first call.
#[must_use]
pub fn with_input(
    message: &str,
    required: &InputRequired,
    given: &std::collections::BTreeMap<String, String>,
) -> String {
    let Some(object) = Object::parse(message) else {
        return message.to_owned();
    };
    let empty = Object::parse("{}");
    let Some(params) = object.object("params").or(empty) else {
        return message.to_owned();
    };
    let answers = given.iter();
    let answers = answers.map(|(key, text)| format!("{}:{text}", json::quote(key)));
    let answers: Vec<_> = answers.collect();
    let mut edit = params.edit();
    edit.set("inputResponses", format!("{{{}}}", answers.join(",")));
    match &required.state {
        Some(state) => edit.set("requestState", state.clone()),
        None => edit.remove("requestState"),
    };
    object.edit().set("params", edit.finish()).finish()
}

/// An upstream's error in the client's era, and the HTTP status under which it
/// is answered.
#[must_use]
pub fn error_for(text: &str, client: Era) -> (Cow<'_, str>, StatusCode) {
    let code = error::code_of(text).unwrap_or(error::INTERNAL_ERROR);
    let translated = match (client, code) {
        (Era::Modern, error::RESOURCE_NOT_FOUND) => error::INVALID_PARAMS,
        (Era::Modern, error::URL_ELICITATION_REQUIRED) => error::INTERNAL_ERROR,
        (
            Era::Legacy,
            error::HEADER_MISMATCH | error::MISSING_CAPABILITY | error::UNSUPPORTED_VERSION,
        ) => error::INTERNAL_ERROR,
        _ => code,
    };
    let status = match client {
        Era::Modern => error::modern_status(translated),
        Era::Legacy => StatusCode::OK,
    };
    match Object::parse(text) {
        Some(object) if translated != code => (
            Cow::Owned(object.edit().set("code", translated.to_string()).finish()),
            status,
        ),
        _ => (Cow::Borrowed(text), status),
    }
}

#[cfg(test)]
mod tests;
