//! What cannot be done with a project, as an answer.

use crate::{
    api::http::error::{ApiError, Resource},
    projects::ProjectError,
};

impl From<ProjectError> for ApiError {
    fn from(error: ProjectError) -> Self {
        let message = error.to_string();
        let wrong = |field: &str, given| Self::invalid("body", field, "value_error", message.clone(), given);
        match error {
            ProjectError::Unknown(id) => Self::not_found(Resource::Project, id.as_str()),
            ProjectError::UnknownStage(name) => Self::not_found(Resource::Stage, &name),
            ProjectError::UnknownTask(id) => Self::not_found(Resource::Task, id.as_str()),
            ProjectError::NoWorkflow { name, .. } => wrong("workflow", name.into()),
            ProjectError::NoTarget { given, .. } => wrong("deployment", given),
            ProjectError::FromStage { stage, .. } => wrong("from_stage", stage.into()),
            ProjectError::Key(error) => error.into(),
            ProjectError::Store(error) => error.into(),
            ProjectError::Lost(error) => Self::internal(error),
        }
    }
}
