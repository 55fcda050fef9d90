//! What a build and people do to an agent's record; its deployments are in [`super::deploy`].

use super::Refusal;
use crate::domain::{
    agent::{Agent, AgentChange, AgentStatus, Deployment, NewAgent},
    allowed_transitions::{self, AgentEvent, IllegalTransition},
    event::{Event, NewEvent},
    ids::ProjectId,
    time::Timestamp,
};

/// What is told of an agent as it is now.
#[must_use]
pub fn told(agent: &Agent, error: Option<&str>, now: Timestamp) -> NewEvent {
    let event = Event::Agent {
        id: agent.agent_id.clone(),
        name: agent.agent_name.clone(),
        status: agent.status,
        error: error.map(str::to_owned),
    };
    NewEvent { at: now, event }
}

/// The record of the agent that a build made. A build that runs again finds its own record: what the build says is new,
/// when the agent came and how it was used stays. `shown` is the name for people.
#[must_use]
pub fn registered(
    new: &NewAgent,
    known: Option<&Agent>,
    project: &ProjectId,
    shown: String,
    deploy: bool,
    now: Timestamp,
) -> Agent {
    Agent {
        project_id: Some(project.clone()),
        agent_name: new.agent_name.clone(),
        display_name: shown,
        description: new.description.clone(),
        category: new.category.clone(),
        version: new.version.clone(),
        status: if deploy { AgentStatus::Deploying } else { AgentStatus::Offline },
        deployment: Deployment {
            target: new.deployment_type.clone(),
            options: known.map(|known| known.deployment.options.clone()).unwrap_or_default(),
        },
        capabilities: new.capabilities.clone(),
        assessment: new.assessment.clone(),
        tools: new.tools.clone(),
        prompt_path: new.prompt_path.clone(),
        code_path: new.code_path.clone(),
        updated_at: now,
        agent_dir: new.agent_dir.clone(),
        deployment_config: new.deployment_config.clone(),
        files: new.files.clone(),
        error_message: None,
        ..known.cloned().unwrap_or_else(|| Agent::unused(new.agent_id.clone(), now))
    }
}

/// Puts an agent into a state that is asked for.
///
/// # Errors
/// [`Refusal::Illegal`]: the machine does not lead there.
pub fn set_status(
    agent: &mut Agent,
    wanted: AgentStatus,
    error: Option<&str>,
    now: Timestamp,
) -> Result<NewEvent, Refusal> {
    agent.status = reachable(agent.status, wanted)?;
    agent.error_message = error.filter(|_| wanted == AgentStatus::Error).map(str::to_owned);
    agent.updated_at = now;
    // Put into service anew: a process that was begun with the code of before answers for it no more.
    agent.generation += u64::from(wanted == AgentStatus::Running);
    Ok(told(agent, agent.error_message.as_deref(), now))
}

/// The new name for code, when it is new: then the agent is shown by another name, too.
#[must_use]
pub fn renamed<'c>(agent: &Agent, change: &'c AgentChange) -> Option<&'c str> {
    change.agent_name.as_deref().filter(|name| *name != agent.agent_name)
}

/// Changes what people may change. `shown` is the name for people, if that is another now.
///
/// # Errors
/// [`Refusal::Illegal`]: the machine does not lead to the state that is asked for.
pub fn update(
    agent: &mut Agent,
    change: &AgentChange,
    shown: Option<&str>,
    now: Timestamp,
) -> Result<Option<NewEvent>, Refusal> {
    let status = change.status.filter(|status| *status != agent.status);
    if let Some(status) = status {
        agent.status = reachable(agent.status, status)?;
        agent.error_message = None;
    }
    if let (Some(shown), Some(_)) = (shown, renamed(agent, change)) {
        shown.clone_into(&mut agent.display_name);
    }
    for (field, new) in [
        (&mut agent.agent_name, &change.agent_name),
        (&mut agent.description, &change.description),
        (&mut agent.category, &change.category),
        (&mut agent.version, &change.version),
    ] {
        if let Some(new) = new {
            field.clone_from(new);
        }
    }
    for (field, new) in [(&mut agent.capabilities, &change.capabilities), (&mut agent.tools, &change.tools)] {
        if let Some(new) = new {
            field.clone_from(new);
        }
    }
    agent.files.extend(change.files.clone());
    agent.updated_at = now;
    Ok(status.map(|_| told(agent, None, now)))
}

/// The state that is wanted, if the machine leads there.
fn reachable(from: AgentStatus, wanted: AgentStatus) -> Result<AgentStatus, IllegalTransition> {
    let event = match wanted {
        AgentStatus::Building | AgentStatus::Deploying => AgentEvent::Deploy,
        AgentStatus::Running => AgentEvent::Run,
        AgentStatus::Offline => AgentEvent::TakeOffline,
        AgentStatus::Error => AgentEvent::Fail,
    };
    let reached = allowed_transitions::agent(from, event)?;
    if reached == wanted {
        return Ok(reached);
    }
    Err(IllegalTransition { machine: "agent", state: from.as_str(), event: "building" })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::ids::AgentId;

    pub(in crate::domain::change) fn agent(status: AgentStatus) -> Agent {
        let id = AgentId::of_project(&ProjectId::generate());
        Agent { agent_name: "old".into(), status, ..Agent::unused(id, Timestamp::from_micros(1)) }
    }

    fn now() -> Timestamp {
        Timestamp::from_micros(2)
    }

    #[test]
    fn an_agent_gets_only_where_its_machine_leads() {
        use AgentStatus::{Building, Deploying, Error, Offline, Running};
        for from in AgentStatus::ALL {
            for wanted in AgentStatus::ALL {
                let allowed = match wanted {
                    Building => false,
                    Deploying => true,
                    Running => *from != Building,
                    Offline => matches!(from, Running | Offline | Error),
                    Error => *from != Offline,
                };
                let mut agent = agent(*from);
                let answer = set_status(&mut agent, *wanted, Some("why"), now());
                assert_eq!(answer.is_ok(), allowed, "{from} to {wanted}");
                assert_eq!(agent.status, if allowed { *wanted } else { *from });
                let why = (allowed && *wanted == Error).then_some("why");
                assert_eq!(agent.error_message.as_deref(), why, "an error is kept of a failure only");
                assert_eq!(agent.generation, u64::from(allowed && *wanted == Running), "a new process answers");
                if let Ok(NewEvent { event: Event::Agent { status, error, .. }, .. }) = answer {
                    assert_eq!((status, error.as_deref()), (*wanted, why));
                }
            }
        }
    }

    #[test]
    fn what_is_not_named_stays_and_only_a_new_state_is_told() {
        let mut known = agent(AgentStatus::Error);
        known.error_message = Some("no".into());
        let change =
            AgentChange { agent_name: Some("new".into()), tools: Some(vec!["t".into()]), ..Default::default() };
        assert_eq!(renamed(&known, &change), Some("new"));
        assert_eq!(update(&mut known, &change, Some("New"), now()), Ok(None));
        assert_eq!((known.agent_name.as_str(), known.display_name.as_str()), ("new", "New"));
        assert_eq!((known.tools.len(), known.error_message.as_deref()), (1, Some("no")));
        // Asked once more, it is the same name: what it is shown by was given for it already.
        assert_eq!(renamed(&known, &change), None);
        update(&mut known, &change, Some("New 2"), now()).unwrap();
        assert_eq!(known.display_name, "New");
        let change = AgentChange { status: Some(AgentStatus::Offline), ..Default::default() };
        assert!(update(&mut known, &change, None, now()).unwrap().is_some());
        assert_eq!((known.status, known.error_message), (AgentStatus::Offline, None));
    }

    #[test]
    fn a_build_that_runs_again_keeps_the_use_of_its_agent() {
        let mut known = agent(AgentStatus::Error);
        (known.total_invocations, known.generation, known.error_message) = (7, 3, Some("no".into()));
        let new = NewAgent {
            agent_id: known.agent_id.clone(),
            agent_name: "again".into(),
            display_name: String::new(),
            description: "d".into(),
            category: "c".into(),
            version: "2".into(),
            deployment_type: "local".into(),
            assessment: crate::domain::assessment::Assessment::default(),
            capabilities: Vec::new(),
            tools: Vec::new(),
            prompt_path: None,
            code_path: None,
            agent_dir: "agent".into(),
            deployment_config: None,
            generated_tools: Vec::new(),
            files: Default::default(),
        };
        let project = ProjectId::generate();
        let again = registered(&new, Some(&known), &project, "Again".into(), true, now());
        assert_eq!((again.total_invocations, again.generation, again.created_at), (7, 3, known.created_at));
        assert_eq!((again.status, again.error_message, again.version.as_str()), (AgentStatus::Deploying, None, "2"));
        let first = registered(&new, None, &project, "Again".into(), false, now());
        assert_eq!((first.status, first.created_at, first.generation), (AgentStatus::Offline, now(), 0));
    }
}
