//! `/tasks`: one task, and the list over all projects.

use salvo::{Depot, Request, handler};

use super::{
    error::{ApiError, Resource},
    input,
    reply::{Answer, Reply},
    state::AppState,
};
use crate::{
    domain::{
        ids::TaskId,
        task::{Task, TaskStatus, TaskType},
    },
    store::TaskFilter,
};

/// `GET /tasks/{id}`
#[handler]
pub(super) async fn detail(req: &mut Request, depot: &mut Depot) -> Answer<Task> {
    let state = AppState::of(depot)?;
    let id: TaskId = input::id(req, Resource::Task)?;
    let task = state.store.task(&id).await?;
    task.map(Reply::new).ok_or_else(|| ApiError::not_found(Resource::Task, id.as_str()))
}

/// `GET /tasks`
#[handler]
pub(super) async fn list(req: &mut Request, depot: &mut Depot) -> Answer<Vec<Task>> {
    let state = AppState::of(depot)?;
    let mut query = input::query(req);
    let page = input::page(&mut query);
    let filter = TaskFilter {
        status: query.word("status", TaskStatus::ALL),
        task_type: query.word("task_type", TaskType::ALL),
        project_id: input::project_filter(&mut query),
    };
    query.finish()?;
    let found = state.store.list_tasks(&filter, &page).await.map_err(input::cursor_fault)?;
    Ok(Reply::page(found, &page))
}
