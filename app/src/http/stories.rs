//! What just happened, as stories.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::server::Sources;
use crate::monitor::story::stories;

/// `GET /api/stories`: newest first.
pub async fn list(State(sources): State<Sources>) -> Response {
    let view = sources.slot.latest();
    Json(stories(&view.events, &view.series, &view.snapshot)).into_response()
}
