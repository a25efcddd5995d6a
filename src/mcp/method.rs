//! The methods that a proxy must know by name, and what each of them names.

use crate::task;

/// What the proxy does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Completes an argument of the prompt or the template in `ref`.
    Complete,
    /// Asks what a modern server offers.
    Discover,
    /// Begins a legacy session.
    Initialize,
    /// `subscriptions/listen`: a modern stream of changes.
    Listen,
    /// Any of the four lists.
    List(ListKind),
    /// Are you there? (legacy)
    Ping,
    /// Names a prompt in `name`.
    PromptGet,
    /// Names a resource in `uri`.
    ResourceRead,
    /// Chooses the log level of a legacy session.
    SetLevel,
    /// Names a resource in `uri`; legacy.
    Subscribe,
    /// Names a task in `taskId`.
    Task,
    /// All tasks of a session of 2025-11-25: not served.
    TaskList,
    /// Names a tool in `name`.
    ToolCall,
    /// Names a resource in `uri`; legacy.
    Unsubscribe,
    /// Anything else: relayed where it can only mean one upstream.
    Other,
}

/// One of the four lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// `prompts/list`.
    Prompts,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    Templates,
    /// `tools/list`.
    Tools,
}

impl Method {
    /// The method of that name.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        match name {
            "completion/complete" => Self::Complete,
            "initialize" => Self::Initialize,
            "logging/setLevel" => Self::SetLevel,
            "ping" => Self::Ping,
            "prompts/get" => Self::PromptGet,
            "prompts/list" => Self::List(ListKind::Prompts),
            "resources/list" => Self::List(ListKind::Resources),
            "resources/read" => Self::ResourceRead,
            "resources/subscribe" => Self::Subscribe,
            "resources/templates/list" => Self::List(ListKind::Templates),
            "resources/unsubscribe" => Self::Unsubscribe,
            "server/discover" => Self::Discover,
            "subscriptions/listen" => Self::Listen,
            "tasks/cancel" | "tasks/get" | "tasks/result" | "tasks/update" => Self::Task,
            "tasks/list" => Self::TaskList,
            "tools/call" => Self::ToolCall,
            "tools/list" => Self::List(ListKind::Tools),
            _ => Self::Other,
        }
    }

    /// True for methods that 2026-07-28 removed: a modern request for one is
    /// answered 404 and -32601 (changelog, SEP-2575).
    #[must_use]
    pub fn is_legacy_only(self) -> bool {
        matches!(
            self,
            Self::Initialize | Self::Ping | Self::SetLevel | Self::Subscribe | Self::Unsubscribe
        )
    }

    /// The parameter that the `Mcp-Name` header repeats.
    #[must_use]
    pub fn named_by(self) -> Option<&'static str> {
        match self {
            Self::ToolCall | Self::PromptGet => Some("name"),
            Self::ResourceRead => Some("uri"),
            Self::Task => Some(task::ID),
            _ => None,
        }
    }

    /// True when results carry `ttlMs` and `cacheScope` in the modern era.
    #[must_use]
    pub fn is_cacheable(self) -> bool {
        matches!(self, Self::List(_) | Self::ResourceRead | Self::Discover)
    }
}

impl ListKind {
    /// The method that asks for it.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
            Self::Tools => "tools/list",
        }
    }

    /// The member of the result that holds the items.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Tools => "tools",
        }
    }

    /// The member of an item that tells it from the others.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Prompts | Self::Tools => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }

    /// The capability under which a server offers the list.
    #[must_use]
    pub fn capability(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Resources | Self::Templates => "resources",
            Self::Tools => "tools",
        }
    }
}
