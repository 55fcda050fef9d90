//! `/sessions/{id}/stream`: `POST` takes the user's message and streams the agent's answer, `GET` finds the answer again
//! after a reload, `DELETE` stops it. A connection only reads: the answer goes on without it.

use bytes::Bytes;
use futures::stream;
use salvo::{Request, Response, Writer as _, http::StatusCode, oapi::endpoint};
use schemars::JsonSchema;
use serde::Serialize;

use super::messages::QuestionBody;
use crate::api::{
    http::{
        error::ApiError,
        measure::OpenStream,
        request::extract::{Id, LargeBody, State},
        response::{Answer, Reply},
        sse,
    },
    projects::events::last_event_id,
    state::AppState,
};
use crate::{
    agents::conversation::{Numbered, Piece, Pieces, Sent},
    domain::ids::SessionId,
};

/// `POST /sessions/{id}/stream`
///
/// Send a message and read the agent's answer as it comes. The message is stored first; the answer is stored at its
/// end, also when the client leaves: `GET` finds it again, `DELETE` stops it.
#[endpoint(operation_id = "streamAnswer", tags("sessions"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn stream_answer(
    state: State,
    id: Id<SessionId>,
    body: LargeBody<QuestionBody>,
    res: &mut Response,
) -> Result<(), ApiError> {
    let pieces = state.conversations.ask(state.caller(), &id.0, Sent::from(body.0)).await?;
    send(&state, pieces, res);
    Ok(())
}

/// `GET /sessions/{id}/stream`
///
/// Read the answer that is being given, or was given a moment ago, behind `Last-Event-ID` or from its begin. `204` when
/// there is none: then the session's messages have it.
#[endpoint(
    operation_id = "resumeAnswer",
    tags("sessions"),
    parameters(("last_event_id" = Option<u64>, Query, maximum = 9007199254740991, description = "As the header `Last-Event-ID`, for clients that cannot set it.")),
    responses((status_code = 204, description = "Nothing is being answered, or all of it was read."))
)]
pub(crate) async fn resume_answer(
    state: State,
    id: Id<SessionId>,
    req: &mut Request,
    res: &mut Response,
) -> Result<(), ApiError> {
    match state.conversations.resume(state.caller(), &id.0, last_event_id(req)?).await? {
        Some(pieces) => send(&state, pieces, res),
        None => {
            res.status_code(StatusCode::NO_CONTENT);
        }
    }
    Ok(())
}

/// What came of stopping an answer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AnswerStopped")]
struct Stopped {
    session_id: SessionId,
    /// Whether one was being given. What was said until then is stored, marked as interrupted.
    stopped: bool,
}

/// `DELETE /sessions/{id}/stream`
///
/// Stop the answer that is being given in a session. What was said until then is stored.
#[endpoint(operation_id = "stopAnswer", tags("sessions"))]
pub(crate) async fn stop_answer(state: State, id: Id<SessionId>) -> Answer<Stopped> {
    let stopped = state.conversations.stop(state.caller(), &id.0).await?;
    let message = if stopped { "the answer is stopped" } else { "no answer is being given" };
    Ok(Reply::new(Stopped { session_id: id.0, stopped }).message(message))
}

/// Makes the response the stream of an answer, with signs of life while it says nothing.
pub(crate) fn send(state: &AppState, pieces: Pieces, res: &mut Response) {
    let keep_alive = state.keep_alive();
    let reading = (pieces, OpenStream::begin("chat"));
    let frames = stream::unfold(reading, move |(mut pieces, open)| async move {
        let frames = match tokio::time::timeout(keep_alive, pieces.next()).await {
            Ok(found) => frames_of(&found?),
            Err(_) => sse::KEEP_ALIVE,
        };
        Some((frames, (pieces, open)))
    });
    sse::send(res, frames);
}

fn frames_of(pieces: &[Numbered]) -> Bytes {
    let mut frames = Vec::with_capacity(256);
    for (number, piece) in pieces {
        match piece.as_ref() {
            Piece::Closing => frames.extend_from_slice(&sse::CLOSING),
            piece => sse::put(&mut frames, *number, piece),
        }
    }
    frames.into()
}
