//! The plan of an MCP proxy.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Breaker, ClientAuth, ObjectName, PinSet, SecretEntry, millis};

/// Everything that an MCP proxy needs to serve one `MCP` object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyPlan {
    /// The object this plan was made from.
    pub object: ObjectName,
    /// The tool servers, in the order of the spec. Never empty.
    pub upstreams: Vec<ProxyUpstream>,
    /// How tools of several upstreams are told apart.
    pub tool_names: ToolNames,
    /// Which client may use which tools. Empty: every client all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<ToolGrant>,
    /// Names accepted in the Host and Origin headers besides loopback: the
    /// Service's names and `spec.hosts`, without ports.
    pub hosts: Vec<String>,
    /// Bounds of one replica.
    pub limits: ProxyLimits,
    /// What the ids of sessions are sealed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_keys: Option<SessionKeys>,
    /// True when no other replica serves this object: what is idle here is idle.
    #[serde(default)]
    pub alone: bool,
    /// Where the replicas are told what concerns sessions that any of them serves:
    /// `host:port` of their relay ports. A name may stand for all of them, and this
    /// replica may be among them. Empty: there are no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
    /// Who may call.
    pub auth: ClientAuth,
}

/// Where the keys lie with which the ids of sessions are sealed. All replicas
/// share them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionKeys {
    /// The key that seals and opens.
    pub current: SecretEntry,
    /// The key that only opens, after a rotation; it may be missing.
    pub previous: SecretEntry,
    /// The key that only opens until it is the current one: a replica that has it
    /// already and one that has it not yet serve each other's sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<SecretEntry>,
}

impl SessionKeys {
    /// The keys in this Secret.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        let entry = |key: &str| SecretEntry {
            name: secret.to_owned(),
            key: key.to_owned(),
        };
        Self {
            current: entry("current"),
            previous: entry("previous"),
            next: Some(entry("next")),
        }
    }

    /// Those that only open.
    pub fn opening(&self) -> impl Iterator<Item = &SecretEntry> {
        [&self.previous].into_iter().chain(&self.next)
    }

    /// All of them.
    pub fn entries(&self) -> impl Iterator<Item = &SecretEntry> {
        [&self.current].into_iter().chain(self.opening())
    }
}

/// One upstream tool server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyUpstream {
    /// Name in the spec, unique in the plan.
    pub name: String,
    /// How it is reached.
    pub kind: UpstreamKind,
    /// What it is told about us.
    pub auth: UpstreamAuth,
    /// Every filter must let a tool through.
    pub tools: Vec<ToolFilter>,
    /// Bounds on one call.
    pub timeouts: ProxyTimeouts,
    /// When it is left alone for a while.
    pub breaker: Breaker,
    /// Set when its tools are those of other MCPs: then they keep the names that
    /// those expose. Empty for one that we call; else the MCPs that we stand in
    /// for, the nearest to the server first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Vec<Through>>,
    /// What its tools are held to, by this object and by the MCPs that it stands in
    /// for. Empty: definitions may change as they like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<PinSet>,
}

/// An MCP that we stand in for towards one of its upstreams, and what it says
/// about the tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Through {
    /// What it puts before the names, without the separator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Longest name that it exposes, in characters.
    pub max_length: u32,
    /// Which of those names the MCP after it lets through.
    pub tools: ToolFilter,
    /// Whom it takes the MCP after it for.
    pub client: String,
    /// Which of those names it grants to whom. Empty: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<ToolGrant>,
}

/// How an upstream is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", deny_unknown_fields)]
pub enum UpstreamKind {
    /// Not at all: it refers to something that is not there, or not for us.
    Absent {
        /// Why, for `status` and for callers.
        reason: String,
    },
    /// A program that the proxy starts itself, as child processes.
    Child {
        /// The program and its arguments.
        command: Vec<String>,
        /// Its environment beside what every program needs.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        env: Vec<ChildVariable>,
    },
    /// A program in another container of the Pod, behind `agentkube shim`.
    Socket {
        /// The socket that it serves at.
        path: String,
    },
    /// A server behind a URL.
    Http {
        /// The URL as the user wrote it.
        endpoint: String,
        /// Which HTTP transport it speaks.
        transport: HttpTransport,
    },
}

/// A variable in the environment of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "from", deny_unknown_fields)]
pub enum ChildVariable {
    /// The value of an entry of a Secret.
    Secret {
        /// Its name.
        name: String,
        /// Where its value lies.
        secret: SecretEntry,
        /// Without the entry it is not set; else the program is not started.
        optional: bool,
    },
    /// As it is written.
    Text {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

impl ProxyUpstream {
    /// The Secret entries that it reads.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretEntry> {
        let env = match &self.kind {
            UpstreamKind::Child { env, .. } => env.as_slice(),
            _ => &[],
        };
        let env = env.iter().filter_map(|variable| match variable {
            ChildVariable::Secret { secret, .. } => Some(secret),
            ChildVariable::Text { .. } => None,
        });
        self.auth.secrets().chain(env)
    }

    /// The same, to give them other names.
    pub fn secrets_mut(&mut self) -> impl Iterator<Item = &mut SecretEntry> {
        let env = match &mut self.kind {
            UpstreamKind::Child { env, .. } => env.as_mut_slice(),
            _ => &mut [],
        };
        let env = env.iter_mut().filter_map(|variable| match variable {
            ChildVariable::Secret { secret, .. } => Some(secret),
            ChildVariable::Text { .. } => None,
        });
        self.auth.secrets_mut().chain(env)
    }
}

/// The HTTP transport of an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpTransport {
    /// Streamable HTTP, or the legacy transport where that is not spoken.
    #[default]
    Auto,
    /// The legacy HTTP+SSE transport (2024-11-05) and nothing else.
    Sse,
    /// Streamable HTTP and nothing else.
    StreamableHttp,
}

/// How we prove to an upstream who we are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "mode", deny_unknown_fields)]
pub enum UpstreamAuth {
    /// `Authorization: Basic <base64 of username:password>`.
    Basic {
        /// Where the user name lies.
        username: SecretEntry,
        /// Where the password lies.
        password: SecretEntry,
    },
    /// `Authorization: Bearer <value of the entry>`.
    Bearer {
        /// Where the token lies.
        secret: SecretEntry,
    },
    /// The value of the entry in a header of this name.
    Header {
        /// Name of the header.
        header: String,
        /// Where its value lies.
        secret: SecretEntry,
    },
    /// Not at all.
    None,
    /// `Authorization: Bearer <token>`, with a token of the client-credentials grant.
    Oauth2(OAuth2),
}

/// The client-credentials grant (RFC 6749, 4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OAuth2 {
    /// The token endpoint.
    pub token_url: String,
    /// Our client id.
    pub client_id: String,
    /// Where the client secret lies.
    pub secret: SecretEntry,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Audience to ask for.
    pub audience: Option<String>,
}

impl UpstreamAuth {
    /// The Secret entries that it reads.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretEntry> {
        let (first, second) = match self {
            Self::Basic { username, password } => (Some(username), Some(password)),
            Self::Bearer { secret } | Self::Header { secret, .. } => (Some(secret), None),
            Self::Oauth2(oauth2) => (Some(&oauth2.secret), None),
            Self::None => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// The same, to give them other names.
    pub fn secrets_mut(&mut self) -> impl Iterator<Item = &mut SecretEntry> {
        let (first, second) = match self {
            Self::Basic { username, password } => (Some(username), Some(password)),
            Self::Bearer { secret } | Self::Header { secret, .. } => (Some(secret), None),
            Self::Oauth2(oauth2) => (Some(&mut oauth2.secret), None),
            Self::None => (None, None),
        };
        first.into_iter().chain(second)
    }
}

/// Which tools of an upstream exist for clients. Entries are exact names or
/// globs with `*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "mode", content = "patterns")]
pub enum ToolFilter {
    /// Every tool.
    All,
    /// Only these; a tool that the upstream adds later stays out.
    Allow(Vec<String>),
    /// All but these.
    Deny(Vec<String>),
}

/// Tools for clients. Entries are exact names or globs with `*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolGrant {
    /// Names of clients.
    pub clients: Vec<String>,
    /// Tools, by the names that clients see.
    pub tools: Vec<String>,
}

/// `toolNames` of the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolNames {
    /// When `<upstream>__` is put before a name.
    pub prefix: NamePrefix,
    /// Longest exposed name, in characters.
    pub max_length: u32,
}

/// When tool and prompt names carry the upstream's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NamePrefix {
    /// Always.
    Always,
    /// Only with several upstreams.
    #[default]
    Auto,
    /// Never: on equal names the first upstream of the spec wins.
    Never,
}

/// Bounds on one call to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyTimeouts {
    /// TCP and TLS.
    #[serde(with = "millis")]
    pub connect: Duration,
    /// Without a byte; progress resets it.
    #[serde(with = "millis")]
    pub idle: Duration,
    /// The whole call.
    #[serde(with = "millis")]
    pub total: Duration,
}

/// Bounds of one replica (`limits` of the spec).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyLimits {
    /// Largest message in bytes, in either direction.
    pub message_bytes: u64,
    /// Calls under way at once.
    pub concurrent_calls: u32,
    /// Legacy sessions at once.
    pub sessions: u32,
    /// A session without a request for this long ends.
    #[serde(with = "millis")]
    pub session_idle: Duration,
}
