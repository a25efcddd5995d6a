//! What the gateway tells the shared edge layers about itself.

use agentkube_llm::{ApiError, Dialect, ErrorKind, Operation, dialect_of, route};
use http::header::RETRY_AFTER;
use http::{Request, Response};

use super::error::plain;
use super::service::GatewayFault;
use crate::edge::{Body, Fault, Plane, RouteLabel};

/// The gateway's routes: metric label and dialect in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayRoute {
    /// `GET /livez`.
    Livez,
    /// Anything of a client of this dialect.
    Api(Dialect, Noun),
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// The tokens of a request.
    Count,
    /// Vectors for texts.
    Embed,
    /// An answer of a model.
    Generate,
    /// The models that are served.
    Models,
    /// Nothing that is served.
    Other,
}

/// The gateway as a [`Plane`].
#[derive(Clone, Copy, Debug)]
pub struct GatewayPlane;

impl GatewayRoute {
    /// The dialect in which to answer.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Livez => Dialect::OpenAiChat,
            Self::Api(dialect, _) => dialect,
        }
    }
}

impl Noun {
    const ALL: [Self; 5] = [
        Self::Count,
        Self::Embed,
        Self::Generate,
        Self::Models,
        Self::Other,
    ];
}

const ROUTES: usize = 1 + Dialect::ALL.len() * Noun::ALL.len();

#[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
const fn routes() -> [GatewayRoute; ROUTES] {
    let mut routes = [GatewayRoute::Livez; ROUTES];
    let mut at = 1;
    while at < ROUTES {
        let dialect = Dialect::ALL[(at - 1) / Noun::ALL.len()];
        routes[at] = GatewayRoute::Api(dialect, Noun::ALL[(at - 1) % Noun::ALL.len()]);
        at += 1;
    }
    routes
}

impl RouteLabel for GatewayRoute {
    const ALL: &'static [Self] = &routes();

    fn index(self) -> usize {
        match self {
            Self::Livez => 0,
            Self::Api(dialect, noun) => 1 + dialect as usize * Noun::ALL.len() + noun as usize,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Livez => "livez",
            Self::Api(_, Noun::Count) => "count_tokens",
            Self::Api(_, Noun::Embed) => "embeddings",
            Self::Api(dialect, Noun::Generate) => dialect.route_label(),
            Self::Api(_, Noun::Models) => "models",
            Self::Api(_, Noun::Other) => "other",
        }
    }
}

impl Plane for GatewayPlane {
    type Route = GatewayRoute;
    type Error = GatewayFault;

    fn route<B>(&self, request: &Request<B>) -> GatewayRoute {
        let path = request.uri().path();
        if path == "/livez" && request.method() == http::Method::GET {
            return GatewayRoute::Livez;
        }
        match route(request.method(), path, request.headers()) {
            Ok(known) => GatewayRoute::Api(
                known.dialect,
                match known.operation {
                    Operation::CountTokens(_) => Noun::Count,
                    Operation::Embed(..) => Noun::Embed,
                    Operation::Generate(_) => Noun::Generate,
                    Operation::ListModels
                    | Operation::ShowModel(_)
                    | Operation::ShowModelOfBody
                    | Operation::Version => Noun::Models,
                },
            ),
            Err(_) => GatewayRoute::Api(dialect_of(path, request.headers()), Noun::Other),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_at_its_index() {
        for (at, route) in GatewayRoute::ALL.iter().enumerate() {
            assert_eq!(route.index(), at);
        }
    }
}
