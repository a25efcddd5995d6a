//! What the gateway tells the shared edge layers about itself.

use agentkube_llm::{ApiError, Dialect, ErrorKind, dialect_of};
use http::header::RETRY_AFTER;
use http::{Request, Response};

use super::error::plain;
use super::service::GatewayFault;
use crate::edge::{Body, Fault, Plane, RouteLabel};

/// The gateway's routes: metric label and dialect in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayRoute {
    /// `POST /v1/chat/completions`.
    Chat,
    /// `GET /livez`.
    Livez,
    /// `POST /v1/messages`.
    Messages,
    /// `GET /v1/models…` of an OpenAI client.
    ChatModels,
    /// The same of an Anthropic client.
    MessagesModels,
    /// Anything else of an OpenAI client.
    ChatOther,
    /// Anything else of an Anthropic client.
    MessagesOther,
}

/// The gateway as a [`Plane`].
#[derive(Clone, Copy, Debug)]
pub struct GatewayPlane;

impl GatewayRoute {
    /// The dialect in which to answer.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Chat | Self::ChatModels | Self::ChatOther | Self::Livez => Dialect::OpenAiChat,
            Self::Messages | Self::MessagesModels | Self::MessagesOther => {
                Dialect::AnthropicMessages
            }
        }
    }
}

impl RouteLabel for GatewayRoute {
    const ALL: &'static [Self] = &[
        Self::Chat,
        Self::Livez,
        Self::Messages,
        Self::ChatModels,
        Self::MessagesModels,
        Self::ChatOther,
        Self::MessagesOther,
    ];

    fn index(self) -> usize {
        self as usize
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat_completions",
            Self::Livez => "livez",
            Self::Messages => "messages",
            Self::ChatModels | Self::MessagesModels => "models",
            Self::ChatOther | Self::MessagesOther => "other",
        }
    }
}

impl Plane for GatewayPlane {
    type Route = GatewayRoute;
    type Error = GatewayFault;

    fn route<B>(&self, request: &Request<B>) -> GatewayRoute {
        let path = request.uri().path();
        let (chat, messages) = match path {
            "/v1/chat/completions" => return GatewayRoute::Chat,
            "/v1/messages" => return GatewayRoute::Messages,
            "/livez" if request.method() == http::Method::GET => return GatewayRoute::Livez,
            path if path == "/v1/models" || path.starts_with("/v1/models/") => {
                (GatewayRoute::ChatModels, GatewayRoute::MessagesModels)
            }
            _ => (GatewayRoute::ChatOther, GatewayRoute::MessagesOther),
        };
        match dialect_of(path, request.headers()) {
            Dialect::OpenAiChat => chat,
            Dialect::AnthropicMessages => messages,
        }
    }

    fn render(&self, route: GatewayRoute, fault: Fault<GatewayFault>) -> Response<Body> {
        let dialect = route.dialect();
        match fault {
            Fault::Failed(GatewayFault(error)) => error.into_response(dialect),
            Fault::Panicked => {
                let message = "the gateway failed; the request may be sent again";
                plain(&ApiError::new(ErrorKind::Internal, message), dialect)
            }
            Fault::Overloaded => {
                let message = "the gateway has too many requests under way; try again later";
                let mut response = plain(&ApiError::new(ErrorKind::Overloaded, message), dialect);
                response.headers_mut().insert(RETRY_AFTER, 1_u64.into());
                response
            }
        }
    }
}
