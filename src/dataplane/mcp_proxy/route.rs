//! The routes of the proxy, and how its failures look.

use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};

use agentkube_mcp::error::{INTERNAL_ERROR, INVALID_REQUEST};
use agentkube_mcp::{ErrorObject, message};

use super::guard::Foreign;
use super::{old_clients, reply};
use crate::edge::{Body, CollectError, Fault, Plane, RouteLabel, Unauthenticated};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/livez` on the traffic port.
    Livez,
    /// The MCP endpoint.
    Mcp,
    /// Clients of the legacy HTTP+SSE transport.
    OldMcp,
    /// What another replica handed on.
    Relayed,
    /// What another replica told of a session.
    Told,
    /// Anything else.
    Unknown,
}

impl RouteLabel for Route {
    const ALL: &'static [Self] = &[
        Self::Livez,
        Self::Mcp,
        Self::OldMcp,
        Self::Relayed,
        Self::Told,
        Self::Unknown,
    ];

    fn index(self) -> usize {
        self as usize
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Livez => "livez",
            Self::Mcp => "mcp",
            Self::OldMcp => "sse",
            Self::Relayed => "relayed",
            Self::Told => "told",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a request is answered before its message was looked at.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// 401, or 403.
    #[error(transparent)]
    Unauthenticated(#[from] Unauthenticated),
    /// 403.
    #[error(transparent)]
    Foreign(#[from] ForeignCaller),
    /// 400, 408 or 413.
    #[error(transparent)]
    Body(#[from] CollectError),
    /// 405.
    #[error("only POST is served here, and in a session of a legacy client GET and DELETE")]
    Method,
    /// 405.
    #[error("GET opens a stream here, and its first event says where to POST")]
    OldMethod,
    /// 404.
    #[error(
        "this stream is not open here: open another one with GET /sse \
         (replicas that do not know their Pod need sessionAffinity: ClientIP)"
    )]
    Stream,
    /// 503.
    #[error("too many sessions are open (spec.limits.sessions); try again later")]
    ManyStreams,
    /// 404.
    #[error("this session is not known here; initialize again")]
    Session,
    /// 415.
    #[error("the Content-Type must be application/json")]
    ContentType,
    /// 406.
    #[error("the Accept header must list application/json or text/event-stream")]
    NotAcceptable,
    /// 404.
    #[error("nothing is served here; the MCP endpoint is /mcp, for HTTP+SSE /sse")]
    NotFound,
    /// 403.
    #[error("only replicas of this MCP are served here")]
    NoReplica,
    /// 502.
    #[error("the replica that serves this session broke off; whether it acted is not known")]
    Broken,
    /// 503.
    #[error("no plan is loaded yet")]
    NoPlan,
    /// 503.
    #[error("too many calls are under way; try again")]
    Overloaded,
}

/// A Host or Origin that is not ours.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ForeignCaller(#[from] Foreign);

impl From<Foreign> for ProxyError {
    fn from(foreign: Foreign) -> Self {
        Self::Foreign(ForeignCaller(foreign))
    }
}

impl ProxyError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated(it) if it.is_forbidden() => StatusCode::FORBIDDEN,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Foreign(_) | Self::NoReplica => StatusCode::FORBIDDEN,
            Self::Broken => StatusCode::BAD_GATEWAY,
            Self::Body(CollectError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(CollectError::Stalled) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(CollectError::Cut) => StatusCode::BAD_REQUEST,
            Self::Body(CollectError::Full) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Method | Self::OldMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::NotFound | Self::Session | Self::Stream => StatusCode::NOT_FOUND,
            Self::ManyStreams | Self::NoPlan | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The MCP side of the shared layers.
#[derive(Clone, Copy, Debug)]
pub struct ProxyPlane;

impl Plane for ProxyPlane {
    type Route = Route;
    type Error = ProxyError;

    fn route<B>(&self, request: &Request<B>) -> Route {
        match request.uri().path() {
            "/mcp" => Route::Mcp,
            old_clients::PATH => Route::OldMcp,
            "/livez" if request.method() == Method::GET => Route::Livez,
            _ => Route::Unknown,
        }
    }

    fn render(&self, _: Route, fault: Fault<ProxyError>) -> Response<Body> {
        let error = match fault {
            Fault::Panicked => {
                let error = ErrorObject::new(INTERNAL_ERROR, "a defect of the proxy; see its log");
                return reply::json(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    message::failure(None, &error),
                );
            }
            Fault::Overloaded => ProxyError::Overloaded,
            Fault::Failed(error) => error,
        };
        let code = match error {
            ProxyError::ManyStreams
            | ProxyError::NoPlan
            | ProxyError::Overloaded
            | ProxyError::Broken => INTERNAL_ERROR,
            _ => INVALID_REQUEST,
        };
        let object = ErrorObject::new(code, error.to_string());
        let mut response = reply::json(error.status(), message::failure(None, &object));
        let header = match error {
            // RFC 9110, 11.6.1: a 401 carries a challenge.
            ProxyError::Unauthenticated(it) if !it.is_forbidden() => {
                Some((WWW_AUTHENTICATE, "Bearer"))
            }
            ProxyError::Method => Some((ALLOW, "GET, POST, DELETE")),
            ProxyError::OldMethod => Some((ALLOW, "GET, POST")),
            ProxyError::ManyStreams | ProxyError::NoPlan | ProxyError::Overloaded => {
                Some((RETRY_AFTER, "1"))
            }
            _ => None,
        };
        if let Some((name, value)) = header {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
