//! One tool server, checked.

use agentkube_plan::{
    Breaker, ChildVariable, HttpTransport, ObjectName, ProxyTimeouts, ProxyUpstream, SecretEntry,
    ToolFilter, UpstreamAuth, UpstreamKind,
};

use super::upstream::{OWN_HEADER, OWN_HEADERS};
use super::{
    AuthKind, McpTimeouts, McpUpstream, StdioServer, ToolsMode, ToolsSpec, Transport,
    UpstreamAuthSpec, UpstreamKindName,
};
use crate::field::{FieldError, FieldPath, Reason};
use crate::shared::parse::{Errors, http_url};
use crate::shared::{EnvVar, SecretRef};

/// One upstream of which every value is legal and supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckedUpstream {
    /// Another MCP.
    Mcp(McpReference),
    /// A program: a child process of whoever serves this, or a container of this image.
    Program {
        /// As a child process.
        upstream: ProxyUpstream,
        /// As it is written.
        server: StdioServer,
    },
    /// A server of its own.
    Server(ProxyUpstream),
}

/// An upstream of kind `mcpRef`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpReference {
    /// Name of the upstream.
    pub name: String,
    /// The MCP that it names.
    pub target: ObjectName,
    /// Which of the tools that the target exposes exist here.
    pub tools: ToolFilter,
    /// How long a call may take.
    pub timeouts: ProxyTimeouts,
    /// When it is left alone for a while.
    pub breaker: Breaker,
}

impl CheckedUpstream {
    /// Name of the upstream.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Mcp(reference) => &reference.name,
            Self::Program { upstream, .. } | Self::Server(upstream) => &upstream.name,
        }
    }
}

impl McpUpstream {
    /// `home` is the namespace of the object.
    pub(super) fn parse(
        &self,
        home: &str,
        path: &FieldPath,
        errors: &mut Errors,
    ) -> Option<CheckedUpstream> {
        let tools = errors.keep(self.tools.parse(&path.child("tools")));
        let timeouts = self.timeouts.parse(&path.child("timeouts"), errors);
        let breaker = self.breaker.parse(&path.child("breaker"), errors);
        if self.kind == UpstreamKindName::McpRef {
            return Some(CheckedUpstream::Mcp(McpReference {
                name: self.name.clone(),
                target: self.target(home, path, errors)?,
                tools: tools?,
                timeouts: timeouts?,
                breaker: breaker?,
            }));
        }
        let kind = match self.kind {
            UpstreamKindName::Stdio => self.program(path, errors),
            UpstreamKindName::Http | UpstreamKindName::McpRef => self.reached(path, errors),
        };
        let auth = self.auth.parse(&path.child("auth"), errors);
        let upstream = ProxyUpstream {
            name: self.name.clone(),
            kind: kind?,
            auth: auth?,
            tools: vec![tools?],
            timeouts: timeouts?,
            breaker: breaker?,
            through: None,
            pins: Vec::new(),
        };
        Some(match &self.stdio {
            Some(server) => CheckedUpstream::Program {
                upstream,
                server: server.clone(),
            },
            None => CheckedUpstream::Server(upstream),
        })
    }

    fn program(&self, path: &FieldPath, errors: &mut Errors) -> Option<UpstreamKind> {
        let Some(server) = &self.stdio else {
            let message = "an upstream of kind stdio needs stdio {image, command, args, env}, \
                           the program to run";
            let path = path.child("stdio");
            errors.push(FieldError::new(path, Reason::Required, message));
            return None;
        };
        if server.command.is_empty() {
            let path = path.child("stdio").child("command");
            errors.push(FieldError::new(path, Reason::Required, "name the program"));
            return None;
        }
        Some(UpstreamKind::Child {
            command: server.command.iter().chain(&server.args).cloned().collect(),
            env: server.env.iter().map(variable).collect(),
        })
    }

    fn target(&self, home: &str, path: &FieldPath, errors: &mut Errors) -> Option<ObjectName> {
        let Some(reference) = &self.mcp_ref else {
            let message =
                "an upstream of kind mcpRef needs mcpRef {name, namespace}, the other MCP";
            errors.push(FieldError::new(
                path.child("mcpRef"),
                Reason::Required,
                message,
            ));
            return None;
        };
        let namespace = reference.namespace.as_deref().unwrap_or(home);
        Some(ObjectName {
            namespace: namespace.to_owned(),
            name: reference.name.clone(),
        })
    }

    fn reached(&self, path: &FieldPath, errors: &mut Errors) -> Option<UpstreamKind> {
        let path = path.child("endpoint");
        let Some(endpoint) = &self.endpoint else {
            let message = "an upstream of kind http needs its endpoint, the URL of the tool server";
            errors.push(FieldError::new(path, Reason::Required, message));
            return None;
        };
        errors.keep(http_url(endpoint, &path))?;
        Some(UpstreamKind::Http {
            endpoint: endpoint.clone(),
            transport: match self.transport.unwrap_or_default() {
                Transport::Auto => HttpTransport::Auto,
                Transport::StreamableHttp => HttpTransport::StreamableHttp,
                Transport::Sse => HttpTransport::Sse,
            },
        })
    }
}

fn variable(variable: &EnvVar) -> ChildVariable {
    let name = variable.name.clone();
    match &variable.value_from {
        Some(source) => ChildVariable::Secret {
            name,
            secret: SecretEntry {
                name: source.secret_key_ref.name.clone(),
                key: source.secret_key_ref.key.clone(),
            },
            optional: source.secret_key_ref.optional.unwrap_or_default(),
        },
        None => ChildVariable::Text {
            name,
            value: variable.value.clone().unwrap_or_default(),
        },
    }
}

impl UpstreamAuthSpec {
    fn parse(&self, path: &FieldPath, errors: &mut Errors) -> Option<UpstreamAuth> {
        match self.mode {
            AuthKind::None => Some(UpstreamAuth::None),
            AuthKind::Basic => {
                let name = &self.secret(path, errors)?.name;
                let entry = |key: &str| SecretEntry {
                    name: name.clone(),
                    key: key.to_owned(),
                };
                Some(UpstreamAuth::Basic {
                    username: entry("username"),
                    password: entry("password"),
                })
            }
            AuthKind::Bearer => {
                let secret = self.entry(path, errors)?;
                Some(UpstreamAuth::Bearer { secret })
            }
            AuthKind::Header => {
                let header = self.header(path, errors);
                let secret = self.entry(path, errors)?;
                Some(UpstreamAuth::Header {
                    header: header?,
                    secret,
                })
            }
            AuthKind::Oauth2 => {
                let secret = self.entry(path, errors);
                let path = path.child("oauth2");
                let Some(spec) = &self.oauth2 else {
                    let message = "auth mode oauth2 needs oauth2 {tokenUrl, clientId}";
                    errors.push(FieldError::new(path, Reason::Required, message));
                    return None;
                };
                errors.keep(http_url(&spec.token_url, &path.child("tokenUrl")))?;
                Some(UpstreamAuth::Oauth2(agentkube_plan::OAuth2 {
                    token_url: spec.token_url.clone(),
                    client_id: spec.client_id.clone(),
                    secret: secret?,
                    scopes: spec.scopes.clone(),
                    audience: spec.audience.clone(),
                }))
            }
        }
    }

    fn secret(&self, path: &FieldPath, errors: &mut Errors) -> Option<&SecretRef> {
        if self.secret_ref.is_none() {
            let message = "this auth mode needs secretRef {name, key}: the Secret of this \
                           namespace that holds the credential";
            let path = path.child("secretRef");
            errors.push(FieldError::new(path, Reason::Required, message));
        }
        self.secret_ref.as_ref()
    }

    fn entry(&self, path: &FieldPath, errors: &mut Errors) -> Option<SecretEntry> {
        let secret = self.secret(path, errors)?;
        errors.keep(secret.entry(&path.child("secretRef")))
    }

    fn header(&self, path: &FieldPath, errors: &mut Errors) -> Option<String> {
        let path = path.child("header");
        let Some(header) = &self.header else {
            let message = "auth mode header needs header, the name of the header that carries \
                           the credential";
            errors.push(FieldError::new(path, Reason::Required, message));
            return None;
        };
        let name = header.to_ascii_lowercase();
        if OWN_HEADERS.contains(&name.as_str()) || name.starts_with("mcp-") {
            errors.push(FieldError::new(path, Reason::Invalid, OWN_HEADER));
            return None;
        }
        Some(header.clone())
    }
}

impl ToolsSpec {
    fn parse(&self, path: &FieldPath) -> Result<ToolFilter, FieldError> {
        let list = |name: &str, list: &Option<Vec<String>>| {
            list.clone().filter(|list| !list.is_empty()).ok_or_else(|| {
                let message = format!("tools mode {name} needs the list {name}");
                FieldError::new(path.child(name), Reason::Required, message)
            })
        };
        match self.mode {
            ToolsMode::All => Ok(ToolFilter::All),
            ToolsMode::Allow => list("allow", &self.allow).map(ToolFilter::Allow),
            ToolsMode::Deny => list("deny", &self.deny).map(ToolFilter::Deny),
        }
    }
}

impl McpTimeouts {
    fn parse(&self, path: &FieldPath, errors: &mut Errors) -> Option<ProxyTimeouts> {
        let connect = errors.keep(self.connect.parse(&path.child("connect")));
        let idle = errors.keep(self.idle.parse(&path.child("idle")));
        let total = errors.keep(self.total.parse(&path.child("total")));
        Some(ProxyTimeouts {
            connect: connect?,
            idle: idle?,
            total: total?,
        })
    }
}
