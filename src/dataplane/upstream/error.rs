//! Why an upstream did not answer.

use std::error::Error as StdError;

use super::connect::ConnectTimeout;
use super::{Forbidden, http1};
use crate::edge::BoxError;
use crate::shown::{MOST, shown};

/// Why there is no head of an answer. Texts carry hosts and system errors, never
/// anything from the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No connection could be made.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No connection in time.
    #[error("{0}")]
    ConnectTimeout(String),
    /// It resolves to an address where upstreams may not be.
    #[error("{0}")]
    Forbidden(Forbidden),
    /// The connection broke before the head of the answer came.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// Why the body of an answer ends before its end. Texts carry nothing of what came.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BodyError(#[from] Broke);

/// What says so.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broke {
    #[error(transparent)]
    Http1(#[from] http1::Error),
    #[error(transparent)]
    Http2(#[from] hyper::Error),
}

impl SendError {
    /// Of what a connector says.
    pub(super) fn connecting(error: &BoxError) -> Self {
        let error: &(dyn StdError + 'static) = &**error;
        if let Some(forbidden) = caused_by::<Forbidden>(error) {
            return Self::Forbidden(forbidden.clone());
        }
        if let Some(timeout) = caused_by::<ConnectTimeout>(error) {
            return Self::ConnectTimeout(timeout.to_string());
        }
        Self::Connect(root(error))
    }
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn caused_by<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| {
        // io::Error hides what it wraps from the chain of sources.
        let wrapped = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref::<E>());
        cause.downcast_ref::<E>().or(wrapped)
    })
}

/// What it all came from.
pub(super) fn root(error: &(dyn StdError + 'static)) -> String {
    let root = causes(error).last().map(ToString::to_string);
    // A certificate's names are in it, for one.
    shown(&root.unwrap_or_default(), MOST).into_owned()
}
