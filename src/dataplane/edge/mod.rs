//! The shared server edge: from an accepted connection to a plane's own service
//! and back.
//!
//! ```text
//! serve → Observe → Rescue → InFlight → the plane (authenticate, collect, …)
//! ```
//!
//! A plane implements [`Plane`] (its routes and how it renders an error) and a
//! `Service<Routed<Route, Incoming>>`; [`stack`] puts the layers around it and
//! [`serve`] runs the result on a listener.

mod body;
mod bridge;
mod clients;
mod collect;
mod connection;
mod drain;
mod held;
mod in_flight;
mod metrics;
mod observe;
mod patience;
mod plane;
mod rescue;
mod serve;
mod stall;
#[cfg(test)]
mod tests;
mod tokens;

pub use body::{Body, BoxError};
pub use clients::{Client, ClientRegistry, Unauthenticated, presented_key};
pub use collect::{CollectError, collect, collect_held, discard};
pub use drain::Drain;
pub use held::{BodyBudget, HeldBytes};
pub use in_flight::{InFlight, Permit};
pub use metrics::{EdgeMetrics, ObjectKind, ObjectLabels, ObjectMetrics};
pub use observe::{Observe, Tally, Ticket};
pub use plane::{Fault, Plane, RouteLabel, Routed};
pub use rescue::Rescue;
pub use serve::serve;

/// The layers that every plane has, outermost first: Observe, Rescue, InFlight.
pub type Stack<P, S> = Observe<P, Rescue<P, InFlight<S>>>;

/// Puts the shared layers around a plane's own service.
///
/// `in_flight` bounds the requests under way in this replica; more are answered
/// at once with [`Fault::Overloaded`].
pub fn stack<P: Plane, S>(
    plane: P,
    metrics: ObjectMetrics<P::Route>,
    in_flight: usize,
    inner: S,
) -> Stack<P, S> {
    Observe::new(
        plane.clone(),
        metrics,
        Rescue::new(plane, InFlight::new(in_flight, inner)),
    )
}
