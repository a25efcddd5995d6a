//! What a plane tells the shared layers about itself. The layers know no
//! dialect; they ask.

use http::{Request, Response};

use super::Body;

/// A closed set of routes: the metric label of a request, and what decides the
/// dialect in which errors are rendered.
pub trait RouteLabel: Copy + Send + Sync + 'static {
    /// Every route, in the order of [`RouteLabel::index`].
    const ALL: &'static [Self];

    /// Position in [`RouteLabel::ALL`].
    fn index(self) -> usize;

    /// The label.
    fn as_str(self) -> &'static str;
}

/// A request whose route is known: what the layers below Observe get.
#[derive(Debug)]
pub struct Routed<R, B> {
    /// Its route.
    pub route: R,
    /// The request as it came.
    pub request: Request<B>,
}

/// Why a plane has no answer of its own.
#[derive(Debug)]
pub enum Fault<E> {
    /// The handler panicked: a defect of ours, 500.
    Panicked,
    /// Too many requests are under way in this replica, 503.
    Overloaded,
    /// The plane's own error.
    Failed(E),
}

/// What the shared layers need to know of a plane.
pub trait Plane: Clone + Send + Sync + 'static {
    /// Its routes.
    type Route: RouteLabel;
    /// Its error.
    type Error: Send + 'static;

    /// The route of a request, from its method and path only.
    fn route<B>(&self, request: &Request<B>) -> Self::Route;

    /// The one place where an error becomes a response, in the client's dialect.
    fn render(&self, route: Self::Route, fault: Fault<Self::Error>) -> Response<Body>;
}
