//! A project or an agent is deleted, by somebody who asks or because it is past its time.

use super::{TaskChange, deploy};
use crate::domain::deletion::ProjectAgents;
use crate::domain::{
    agent::{Agent, AgentStatus},
    allowed_transitions::TaskEvent,
    deletion::{Deletion, KeptAgent},
    event::{EventType, ProjectEvent, Told},
    ids::{ProjectId, TaskId},
    project::ProjectStatus,
    time::Timestamp,
};

/// What a deletion needs of a project.
#[derive(Clone, Copy, Debug)]
pub struct ProjectView<'v> {
    pub id: &'v ProjectId,
    pub name: &'v str,
    pub status: ProjectStatus,
    pub task_id: Option<&'v TaskId>,
    /// Of its last event.
    pub seq: u64,
}

/// A project that goes.
#[derive(Debug)]
pub struct GoneProject {
    pub record: Deletion,
    /// Its build task, if somebody may work on it: whoever does must be told.
    pub open_task: Option<TaskId>,
    /// Told, but not stored: no row of it stays.
    pub end: ProjectEvent,
}

/// Deletes a project, whatever it does. Its `agents` go with it, or stay without it.
#[must_use]
pub fn project(view: ProjectView<'_>, agents: &[KeptAgent], fate: ProjectAgents, now: Timestamp) -> GoneProject {
    let kept = if fate == ProjectAgents::Delete { Vec::new() } else { agents.to_vec() };
    let fields = [("reason".to_owned(), "deleted".into())].into_iter().collect();
    GoneProject {
        record: Deletion::project(view.id, view.name, kept, now),
        open_task: view.task_id.filter(|_| view.status.is_open()).cloned(),
        end: Told { kind: EventType::End, at: now, fields }.numbered(view.id.clone(), view.seq + 1),
    }
}

/// An agent stays without its project. The project's tasks are gone, so nobody would end a deployment that is under way.
pub fn outlive(agent: &mut Agent, now: Timestamp) {
    agent.project_id = None;
    agent.updated_at = now;
    if deploy::is_under_way(agent.status) {
        agent.status = AgentStatus::Error;
        agent.error_message = Some("its project was deleted before it was deployed".to_owned());
    }
}

/// How a deploy task ends whose agent is gone.
pub const AGENT_GONE: TaskChange<'static> =
    TaskChange { event: TaskEvent::Cancel, error: Some("the agent was deleted") };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::agent::tests;

    const NOW: Timestamp = Timestamp::from_micros(10);

    #[test]
    fn whoever_may_work_on_a_project_is_told_that_it_is_gone() {
        let (id, task) = (ProjectId::generate(), TaskId::generate());
        for status in ProjectStatus::ALL {
            let view = ProjectView { id: &id, name: "n", status: *status, task_id: Some(&task), seq: 4 };
            let gone = project(view, &[], ProjectAgents::Keep, NOW);
            let open = !status.is_final() && *status != ProjectStatus::Paused;
            assert_eq!(gone.open_task, open.then(|| task.clone()), "{status}");
            assert_eq!((gone.end.seq, gone.end.kind), (5, EventType::End));
        }
    }

    #[test]
    fn the_record_names_the_agents_that_stay() {
        let (id, one) = (ProjectId::generate(), tests::agent(AgentStatus::Running));
        let kept = [KeptAgent { agent_id: one.agent_id, agent_dir: "agent".into() }];
        let view = ProjectView { id: &id, name: "n", status: ProjectStatus::Completed, task_id: None, seq: 0 };
        assert_eq!(project(view, &kept, ProjectAgents::Keep, NOW).record.owned.kept, kept);
        assert_eq!(project(view, &kept, ProjectAgents::Delete, NOW).record.owned.kept, []);
    }

    #[test]
    fn an_agent_without_its_project_is_not_left_half_deployed() {
        for status in AgentStatus::ALL {
            let mut one = tests::agent(*status);
            one.project_id = Some(ProjectId::generate());
            outlive(&mut one, NOW);
            let broken = matches!(status, AgentStatus::Building | AgentStatus::Deploying);
            assert_eq!(one.status, if broken { AgentStatus::Error } else { *status });
            assert_eq!((one.project_id, one.error_message.is_some(), one.updated_at), (None, broken, NOW));
        }
    }
}
