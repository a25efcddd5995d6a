//! The environment that every container gets.

use agentkube_crds::keys;
use agentkube_crds::shared::AuthMode;
use serde_json::{Value, json};

use super::{key_secret, tokens, tools_file};
use crate::target::Target;

/// What SDKs are given as a key when none is needed: they insist on one.
const NO_KEY: &str = "agentkube";

/// What points a container to its gateway.
const OF_GATEWAY: [&str; 8] = [
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE",
    "OPENAI_API_KEY",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_AUTH_TOKEN",
    "AGENTKUBE_LLM_URL",
    "AGENTKUBE_LLM_TOKEN_FILE",
    "AGENTKUBE_MODEL",
];

/// One environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    pub source: Source,
}

/// Where the value of a variable comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is this text.
    Text(String),
    /// The entry `api-key` of this Secret, of the Pod's namespace.
    KeyIn(String),
}

impl Variable {
    /// As a Pod spells it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.source {
            Source::Text(value) => json!({"name": self.name, "value": value}),
            Source::KeyIn(secret) => json!({
                "name": self.name,
                "valueFrom": {"secretKeyRef": {"name": secret, "key": keys::API_KEY}},
            }),
        }
    }
}

/// `AGENTKUBE_MCP_GITHUB_TOOLS` for `github-tools`.
#[must_use]
pub fn mcp_prefix(name: &str) -> String {
    format!(
        "AGENTKUBE_MCP_{}",
        name.to_ascii_uppercase().replace('-', "_")
    )
}

/// True when callers of the target need a key.
pub(super) fn is_keyed(target: &Target) -> bool {
    match target.auth {
        AuthMode::Apikey => true,
        AuthMode::None | AuthMode::ServiceAccount => false,
    }
}

/// The names of the variables that a wired container gets.
pub(crate) fn names_for<'n>(gateway: bool, mcps: impl Iterator<Item = &'n str>) -> Vec<String> {
    let prefixes = mcps.map(mcp_prefix);
    let mut names: Vec<String> = prefixes
        .flat_map(|it| ["URL", "KEY", "TOKEN_FILE"].map(|what| format!("{it}_{what}")))
        .collect();
    if !names.is_empty() {
        names.push("AGENTKUBE_MCP_CONFIG".to_owned());
    }
    if gateway {
        names.extend(OF_GATEWAY.map(str::to_owned));
    }
    names
}

pub(super) fn of(
    client: &str,
    gateway: Option<&Target>,
    mcps: &[Target],
    model: Option<String>,
) -> Vec<Variable> {
    let mut env = Vec::new();
    if let Some(gateway) = gateway {
        env.extend(of_gateway(client, gateway, model));
    }
    for mcp in mcps {
        let prefix = mcp_prefix(&mcp.reference.name);
        env.push(text(&format!("{prefix}_URL"), &mcp.url));
        if is_keyed(mcp) {
            let source = Source::KeyIn(key_secret(client, mcp));
            env.push(Variable {
                name: format!("{prefix}_KEY"),
                source,
            });
        }
        if tokens::are_wanted(mcp) {
            env.push(text(&format!("{prefix}_TOKEN_FILE"), &tokens::path(mcp)));
        }
    }
    if !mcps.is_empty() {
        env.push(text("AGENTKUBE_MCP_CONFIG", &tools_file::path()));
    }
    env
}

/// OpenAI's SDKs want `/v1` in the base URL, Anthropic's append it themselves.
fn of_gateway(client: &str, gateway: &Target, model: Option<String>) -> Vec<Variable> {
    let key = match gateway.auth {
        AuthMode::Apikey => Some(Source::KeyIn(key_secret(client, gateway))),
        AuthMode::None => Some(Source::Text(NO_KEY.to_owned())),
        // A file: what holds it is no key, and a placeholder would hide that.
        AuthMode::ServiceAccount => None,
    };
    let keyed = |name: &str| {
        key.clone().map(|source| Variable {
            name: name.to_owned(),
            source,
        })
    };
    let base = gateway.url.as_str();
    let openai = format!("{base}/v1");
    let mut env = vec![
        text("OPENAI_BASE_URL", &openai),
        text("OPENAI_API_BASE", &openai),
    ];
    env.extend(keyed("OPENAI_API_KEY"));
    env.push(text("ANTHROPIC_BASE_URL", base));
    env.extend(keyed("ANTHROPIC_AUTH_TOKEN"));
    env.push(text("AGENTKUBE_LLM_URL", base));
    if tokens::are_wanted(gateway) {
        env.push(text("AGENTKUBE_LLM_TOKEN_FILE", &tokens::path(gateway)));
    }
    if let Some(model) = model.or_else(|| gateway.default_model.clone()) {
        env.push(text("AGENTKUBE_MODEL", &model));
    }
    env
}

fn text(name: &str, value: &str) -> Variable {
    Variable {
        name: name.to_owned(),
        source: Source::Text(value.to_owned()),
    }
}
