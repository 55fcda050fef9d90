//! `/tasks`: one task, and the list over all projects.

use salvo::{Router, Writer as _, oapi::endpoint};

use crate::api::at;
use crate::api::http::{
    request::{
        extract::{Id, Query, State},
        input,
        rules::{Count, Cursor, OfProject, Word, fields_of},
    },
    response::{Answer, PageAnswer, Paged, Reply},
};
use crate::{
    backend::store::{PageRequest, TaskFilter},
    domain::{
        ids::TaskId,
        task::{Task, TaskStatus, TaskType},
    },
};

pub(crate) fn paths() -> Router {
    at("tasks", || list).push(at("{id}", || detail))
}

/// `GET /tasks/{id}`
///
/// Read a task.
#[endpoint(operation_id = "getTask", tags("tasks"))]
pub(crate) async fn detail(state: State, id: Id<TaskId>) -> Answer<Task> {
    Ok(Reply::new(state.projects.task(state.caller(), &id.0).await?.shown()))
}

fields_of! {
    /// Which tasks.
    pub(crate) TasksQuery {
        /// Only in this state.
        status: Word<TaskStatus>,
        /// Only of this type.
        task_type: Word<TaskType>,
        /// Only of this project.
        project_id: OfProject,
        page: Count<1, { input::MAX_PAGE }, 1>,
        limit: Count<1, 100, 20>,
        /// `next_cursor` of the page before, in place of `page`.
        cursor: Cursor,
    }
}

/// `GET /tasks`
///
/// List tasks, newest first.
#[endpoint(operation_id = "listTasks", tags("tasks"))]
pub(crate) async fn list(state: State, query: Query<TasksQuery>) -> PageAnswer<Task> {
    let Query(query) = query;
    let page = PageRequest { page: query.page, limit: query.limit, cursor: query.cursor };
    let filter = TaskFilter { status: query.status, task_type: query.task_type, project_id: query.project_id };
    let mut found = state.projects.tasks(state.caller(), &filter, &page).await.map_err(input::cursor_fault)?;
    found.items = found.items.into_iter().map(Task::shown).collect();
    Ok(Paged::new(found, &page))
}
