//! One tool server behind an `MCP`.

use kube_derive::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schemas;
use crate::shared::{BreakerSpec, DurationText, EnvVar, ObjectRef, SecretRef};

/// Headers that the proxy itself sets, or that belong to one connection. All of `Mcp-*` are
/// among them.
pub(super) const OWN_HEADERS: [&str; 15] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Says the same as [`OWN_HEADERS`].
const NO_OWN_HEADER: &str = "!self.matches('(?i)^(accept|connection|content-encoding|\
    content-length|content-type|expect|host|keep-alive|last-event-id|mcp-.*|proxy-connection|te|\
    trailer|transfer-encoding|upgrade|user-agent)$')";

/// What `auth.header` may not be.
pub(super) const OWN_HEADER: &str =
    "the proxy sets this header itself: write the one that carries the credential";

/// One tool server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new("self.kind != 'http' || has(self.endpoint)").message(
        "an upstream of kind http needs its endpoint, the URL of the tool server"
    ).field_path(".endpoint").reason(Reason::FieldValueRequired),
    validation = Rule::new("self.kind == 'http' || !has(self.endpoint)").message(
        "endpoint belongs to kind http: remove it, or write kind http"
    ).field_path(".endpoint").reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.kind == 'http' || !has(self.transport)").message(
        "transport belongs to kind http: remove it, or write kind http"
    ).field_path(".transport").reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.kind != 'mcpRef' || has(self.mcpRef)").message(
        "an upstream of kind mcpRef needs mcpRef {name, namespace}, the other MCP"
    ).field_path(".mcpRef").reason(Reason::FieldValueRequired),
    validation = Rule::new("self.kind == 'mcpRef' || !has(self.mcpRef)").message(
        "mcpRef belongs to kind mcpRef: remove it, or write kind mcpRef"
    ).field_path(".mcpRef").reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.kind != 'stdio' || has(self.stdio)").message(
        "an upstream of kind stdio needs stdio {image, command, args, env}, the program to run"
    ).field_path(".stdio").reason(Reason::FieldValueRequired),
    validation = Rule::new("self.kind == 'stdio' || !has(self.stdio)").message(
        "stdio belongs to kind stdio: remove it, or write kind stdio"
    ).field_path(".stdio").reason(Reason::FieldValueForbidden),
    validation = Rule::new(
        "self.kind == 'http' || !has(self.auth) || self.auth.mode == 'none'"
    ).message(
        "auth belongs to kind http: a stdio server takes its credentials from stdio.env, an \
         mcpRef from the MCP that it names"
    ).field_path(".auth.mode").reason(Reason::FieldValueForbidden)
)]
#[serde(rename_all = "camelCase")]
pub struct McpUpstream {
    /// Name of the upstream, unique in this MCP. It becomes the prefix of its tools when there
    /// are several upstreams.
    #[schemars(schema_with = "schemas::dns_label_32")]
    pub name: String,
    /// How the server is reached. `http`: at `endpoint`. `mcpRef`: through another MCP object.
    /// `stdio`: as a program in a container of its own.
    pub kind: UpstreamKindName,
    /// http: URL of the server, used as written. One without a path is also tried at `/mcp`
    /// when `/` answers 404 or 405.
    #[schemars(schema_with = "schemas::http_url")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// http: the transport. `auto` (default), `streamable-http`, or `sse` (the legacy HTTP+SSE
    /// transport).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// mcpRef: another MCP, whose filters apply too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_ref: Option<ObjectRef>,
    /// stdio: the program to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdio: Option<StdioServer>,
    /// How we prove to the server who we are.
    #[serde(default)]
    pub auth: UpstreamAuthSpec,
    /// Which of its tools exist for our clients, in `tools/list` and in `tools/call` alike.
    #[serde(default)]
    pub tools: ToolsSpec,
    /// How long a call may take.
    #[serde(default)]
    pub timeouts: McpTimeouts,
    /// When a server that keeps failing is left alone for a while.
    #[serde(default)]
    pub breaker: BreakerSpec,
}

/// How a tool server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UpstreamKindName {
    /// At a URL.
    Http,
    /// Through another MCP object.
    McpRef,
    /// As a program in a container of its own.
    Stdio,
}

/// The HTTP transport of a tool server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Found out.
    #[default]
    Auto,
    /// The legacy HTTP+SSE transport.
    Sse,
    /// Streamable HTTP.
    StreamableHttp,
}

/// A tool server that is a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct StdioServer {
    /// Image that holds the program. Needed in a cluster; `agentkube run` starts the command
    /// on your machine.
    #[schemars(length(min = 1, max = 1024))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The program and its first arguments.
    #[schemars(length(min = 1, max = 128), inner(length(max = 16384)))]
    pub command: Vec<String>,
    /// Further arguments.
    #[schemars(length(max = 128), inner(length(max = 16384)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Its environment.
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
}

/// How we prove to a tool server who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new("self.mode == 'none' || has(self.secretRef)").message(
        "this auth mode needs secretRef {name, key}: the Secret of this namespace that holds \
         the credential"
    ).field_path(".secretRef").reason(Reason::FieldValueRequired),
    validation = Rule::new("self.mode != 'none' || !has(self.secretRef)").message(
        "secretRef is not used with auth mode none: write mode bearer, header, basic or oauth2"
    ).field_path(".secretRef").reason(Reason::FieldValueForbidden),
    validation = Rule::new(
        "!has(self.secretRef) || has(self.secretRef.key) || self.mode in ['basic', 'none']"
    ).message(
        "write the key: the entry of the Secret that holds the credential"
    ).field_path(".secretRef.key").reason(Reason::FieldValueRequired),
    validation = Rule::new("self.mode != 'header' || has(self.header)").message(
        "auth mode header needs header, the name of the header that carries the credential"
    ).field_path(".header").reason(Reason::FieldValueRequired),
    validation = Rule::new("self.mode == 'header' || !has(self.header)").message(
        "header belongs to auth mode header: remove it, or write mode header"
    ).field_path(".header").reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.mode != 'oauth2' || has(self.oauth2)").message(
        "auth mode oauth2 needs oauth2 {tokenUrl, clientId}"
    ).field_path(".oauth2").reason(Reason::FieldValueRequired),
    validation = Rule::new("self.mode == 'oauth2' || !has(self.oauth2)").message(
        "oauth2 belongs to auth mode oauth2: remove it, or write mode oauth2"
    ).field_path(".oauth2").reason(Reason::FieldValueForbidden)
)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamAuthSpec {
    /// `none`. `bearer`: `Authorization: Bearer <credential>`. `header`: the header named by
    /// `header`. `basic`: user and password of a Secret of type kubernetes.io/basic-auth.
    /// `oauth2`: a token of the client-credentials grant; `secretRef` holds the client secret.
    #[serde(default)]
    pub mode: AuthKind,
    /// header: name of the header that carries the credential.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^[-!#$%&*+.^_`|~0-9a-zA-Z]+$')").message(
        "write the name of an HTTP header, for example X-Api-Key"
    ), validation = Rule::new(NO_OWN_HEADER).message(OWN_HEADER))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The Secret of this namespace that holds the credential. `key` names its entry (not with
    /// `basic`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// oauth2: where and as whom a token is fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<OAuth2>,
}

/// How we prove to a tool server who we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuthKind {
    /// User and password.
    Basic,
    /// `Authorization: Bearer`.
    Bearer,
    /// A header of your choice.
    Header,
    /// Not at all.
    #[default]
    None,
    /// A token of the client-credentials grant.
    Oauth2,
}

/// The client-credentials grant (RFC 6749, 4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct OAuth2 {
    /// The token endpoint.
    #[schemars(schema_with = "schemas::http_url")]
    pub token_url: String,
    /// Our client id. The client secret is in `secretRef`.
    #[schemars(length(min = 1, max = 256))]
    pub client_id: String,
    /// Scopes to ask for.
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Audience to ask for, where the authorization server wants one.
    #[schemars(length(min = 1, max = 2048))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

/// Which tools of a server exist for our clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new("self.mode != 'allow' || has(self.allow)").message(
        "tools mode allow needs the list allow: the tools that exist for clients"
    ).field_path(".allow").reason(Reason::FieldValueRequired),
    validation = Rule::new("self.mode == 'allow' || !has(self.allow)").message(
        "the list allow is not used with this tools mode: write mode allow, or remove the list"
    ).field_path(".allow").reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.mode != 'deny' || has(self.deny)").message(
        "tools mode deny needs the list deny: the tools that do not exist for clients"
    ).field_path(".deny").reason(Reason::FieldValueRequired),
    validation = Rule::new("self.mode == 'deny' || !has(self.deny)").message(
        "the list deny is not used with this tools mode: write mode deny, or remove the list"
    ).field_path(".deny").reason(Reason::FieldValueForbidden)
)]
#[serde(rename_all = "camelCase")]
pub struct ToolsSpec {
    /// `all`: every tool. `allow`: those in the list `allow`; a tool that the server adds
    /// later stays out. `deny`: all but those in the list `deny`. A tool that is kept out
    /// answers like one that does not exist.
    #[serde(default)]
    pub mode: ToolsMode,
    /// allow: exact names, or globs such as `list_*`.
    #[schemars(schema_with = "schemas::tool_patterns_1024")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// deny: exact names, or globs such as `delete_*`.
    #[schemars(schema_with = "schemas::tool_patterns_1024")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny: Option<Vec<String>>,
}

/// Which tools of a server exist for our clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ToolsMode {
    /// Every tool.
    #[default]
    All,
    /// Those in a list.
    Allow,
    /// All but those in a list.
    Deny,
}

/// How long a call may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct McpTimeouts {
    /// For the TCP connection and TLS.
    #[serde(default = "connect")]
    pub connect: DurationText,
    /// Without a byte from the server; a progress notification counts as one.
    #[serde(default = "idle")]
    pub idle: DurationText,
    /// The whole call.
    #[serde(default = "total")]
    pub total: DurationText,
}

fn connect() -> DurationText {
    "5s".into()
}

fn idle() -> DurationText {
    "60s".into()
}

fn total() -> DurationText {
    "10m".into()
}

impl Default for McpTimeouts {
    fn default() -> Self {
        Self {
            connect: connect(),
            idle: idle(),
            total: total(),
        }
    }
}
