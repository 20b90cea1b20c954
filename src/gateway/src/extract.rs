//! Path and query parameters whose errors are problems in JSON.

use crate::problem::Problem;
use axum::extract::{FromRequestParts, Path, Query};
use ganglion_types::Error;
use http::request::Parts;
use serde::de::DeserializeOwned;

/// The path's parameters.
pub(crate) struct PathOf<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        let Path(parameters) = path.map_err(|e| Error::invalid(format!("the path: {e}")))?;
        Ok(Self(parameters))
    }
}

/// The query's parameters.
pub(crate) struct QueryOf<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::from_request_parts(parts, state).await;
        let Query(parameters) = query.map_err(|e| Error::invalid(format!("the query: {e}")))?;
        Ok(Self(parameters))
    }
}
