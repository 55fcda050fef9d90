//! Agents, conversations, and removing things.

use std::time::{Duration, Instant};

use nexus_daemon::domain::deletion::ProjectAgents;
use nexus_daemon::{
    backend::{
        error::BackendErrorKind,
        store::{AgedKind, AgentFilter, BuildStep, Claim, MessageRange, SessionLease, TaskFilter},
    },
    domain::{
        agent::{AgentStatus, InvocationStatus},
        control::ControlAction,
        deletion::{DeleteOrders, DeletedKind},
        event::EventType,
        ids::{AgentId, SessionId},
        project::ProjectStatus,
        queue::QueueName,
        session::{Role, Session},
        stage::{StageOutcome, StageProduct},
        time::Timestamp,
    },
};
use serde_json::json;

use super::{talk::*, world::*};

pub async fn an_agent(f: &Fixture) -> AgentId {
    f.completed().await.1
}

pub async fn a_session(f: &Fixture, agent: &AgentId, name: Option<&str>) -> SessionId {
    let session = Session {
        user_id: Some("anna".into()),
        display_name: name.map(str::to_owned),
        metadata: Some(json!({"k": 1})),
        ..session_of(agent)
    };
    f.store.create_session(session.clone(), None).await.unwrap();
    assert_eq!(f.store.session(&session.session_id).await.unwrap().unwrap(), session);
    session.session_id
}

/// Longer than an item of any table.
pub fn large(what: &str) -> String {
    format!("{what} {}", "ä long text that goes on and on. ".repeat(16_000))
}

pub async fn what_is_large_comes_back_whole(f: &Fixture) {
    let (delivery, build) = f.start("agent_build").await;
    let (lease, id) = (&build.lease, &build.lease.project_id);
    let mut end = done(STAGES[0], 1);
    let product = StageProduct {
        output: json!({"text": large("output")}),
        doc_path: None,
        content: Some(large("content")),
        files: Vec::new(),
    };
    end.outcome = StageOutcome::Completed(Box::new(product));
    end.logs = (0..100).map(|n| format!("{n} {}", "x".repeat(5_000))).collect();
    let step = BuildStep { ended: vec![end.clone()], begin: vec![STAGES[1].into()], ..BuildStep::default() };
    f.store.advance_build(lease, step).await.unwrap();
    let check = async || {
        let stage = f.store.stages(id).await.unwrap().swap_remove(0);
        assert_eq!(stage.output_data, Some(json!({"text": large("output")})));
        assert_eq!(stage.agent_output_content, Some(large("content")));
        assert_eq!(stage.logs, end.logs);
    };
    check().await;
    f.run_from(&delivery, lease, 1).await;
    check().await;
    let agent = AgentId::of_project(id);
    let session = a_session(f, &agent, None).await;
    let sent = f.store.append_message(message(&session, Role::User, &large("message"))).await.unwrap();
    let range = MessageRange { limit: 10, before: None, after: None };
    assert_eq!(f.store.messages(&session, &range).await.unwrap(), [sent]);
    let detail = f.store.project_detail(id).await.unwrap().unwrap();
    assert_eq!(detail.stages[0].output_data, Some(json!({"text": large("output")})));
}

pub async fn deleting_a_project_takes_all_of_it(f: &Fixture) {
    let (delivery, build) = f.start("agent_build").await;
    let (lease, id) = (&build.lease, &build.lease.project_id);
    let gone = f.store.delete_project(id, ProjectAgents::Delete).await.unwrap().unwrap();
    assert_eq!(gone.open_task.as_ref(), Some(&lease.task_id));
    assert_eq!(f.step(lease, &[STAGES[0]], &[]).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    assert!(matches!(f.claim(&delivery, "w2").await, Claim::Obsolete(_)));
    assert!(f.store.delete_project(id, ProjectAgents::Delete).await.unwrap().is_none());
    assert!(f.store.project_detail(id).await.unwrap().is_none());
    assert!(f.store.stages(id).await.unwrap().is_empty());
    assert!(f.store.task(&lease.task_id).await.unwrap().is_none());
    assert!(f.store.events_after(id, 0, 10).await.unwrap().is_empty());
    assert_eq!(f.store.list_tasks(&TaskFilter::default(), &page(1, 10)).await.unwrap().total, 0);
    if !f.one_unit {
        f.queue.delete(&delivery.receipt).await.unwrap();
    }
    let depth = f.queue.depth(QueueName::Build).await.unwrap();
    assert_eq!((depth.visible, depth.in_flight), (0, 0));
    let told = f.events.of(id);
    assert_eq!(told.last().unwrap().kind, EventType::End);
    assert_eq!(told.iter().map(|e| e.seq).collect::<Vec<_>>(), (1..=told.len() as u64).collect::<Vec<_>>());
    // Its place is not haunted.
    let next = f.create().await;
    assert_eq!(f.store.stages(&next.project.project_id).await.unwrap().len(), 9);
    assert_eq!(f.store.events_after(&next.project.project_id, 0, 10).await.unwrap().len(), 1);
}

pub async fn deleting_keeps_agents_unless_asked(f: &Fixture) {
    let agent = an_agent(f).await;
    let record = f.store.agent(&agent).await.unwrap().unwrap();
    let project = record.project_id.unwrap();
    let gone = f.store.delete_project(&project, ProjectAgents::Keep).await.unwrap().unwrap();
    assert!(gone.agents.is_empty() && gone.open_task.is_none());
    assert_eq!(f.store.agent(&agent).await.unwrap().unwrap().project_id, None);

    let agent = an_agent(f).await;
    let session = a_session(f, &agent, None).await;
    f.store.append_message(message(&session, Role::User, "hi")).await.unwrap();
    let project = f.store.agent(&agent).await.unwrap().unwrap().project_id.unwrap();
    let gone = f.store.delete_project(&project, ProjectAgents::Delete).await.unwrap().unwrap();
    assert_eq!(gone.agents[0].agent_id, agent);
    assert!(f.store.agent(&agent).await.unwrap().is_none());
    assert!(f.store.session(&session).await.unwrap().is_none());
}

pub async fn sessions_count_and_name_themselves(f: &Fixture) {
    let agent = an_agent(f).await;
    let first = a_session(f, &agent, None).await;
    let second = a_session(f, &agent, Some("mine")).await;
    let long = "Ä".repeat(40);
    f.store.append_message(message(&first, Role::Assistant, "welcome")).await.unwrap();
    assert_eq!(f.store.session(&first).await.unwrap().unwrap().display_name, None);
    f.store.append_message(message(&first, Role::User, &long)).await.unwrap();
    f.store.append_message(message(&first, Role::User, "another")).await.unwrap();
    let session = f.store.session(&first).await.unwrap().unwrap();
    assert_eq!(session.display_name.unwrap(), format!("{}...", "Ä".repeat(30)));
    assert_eq!(session.message_count, 3);
    let listed: Vec<_> = f.store.list_sessions(&agent, 10).await.unwrap().into_iter().map(|s| s.session_id).collect();
    assert_eq!(listed, [first.clone(), second.clone()], "the one that spoke last is first");
    f.store.append_message(message(&second, Role::User, "x")).await.unwrap();
    assert_eq!(f.store.session(&second).await.unwrap().unwrap().display_name.as_deref(), Some("mine"));
    assert_eq!(f.store.list_sessions(&agent, 1).await.unwrap()[0].session_id, second);

    // A name that a client gave by default gives way to the first message, and only to that.
    for default in ["新对话", "New chat", "Session 3"] {
        let session = a_session(f, &agent, Some(default)).await;
        f.store.append_message(message(&session, Role::User, "New chat")).await.unwrap();
        f.store.append_message(message(&session, Role::User, "later")).await.unwrap();
        assert_eq!(f.store.session(&session).await.unwrap().unwrap().display_name.as_deref(), Some("New chat"));
        f.store.delete_session(&session).await.unwrap();
    }

    let unknown = SessionId::generate();
    let refused = f.store.append_message(message(&unknown, Role::User, "x")).await.unwrap_err();
    assert_eq!(refused.kind(), BackendErrorKind::NotFound);
    assert_eq!(f.store.delete_session(&first).await.unwrap(), Some(3));
    assert_eq!(f.store.delete_session(&first).await.unwrap(), None);
    let mut orphan = f.store.session(&second).await.unwrap().unwrap();
    (orphan.session_id, orphan.agent_id) = (SessionId::generate(), AgentId::generate());
    assert_eq!(f.store.create_session(orphan, None).await.unwrap_err().kind(), BackendErrorKind::NotFound);
}

pub async fn messages_by_range(f: &Fixture) {
    let agent = an_agent(f).await;
    let session = a_session(f, &agent, None).await;
    let mut ids = Vec::new();
    for n in 0..30 {
        ids.push(f.store.append_message(message(&session, Role::User, &n.to_string())).await.unwrap().message_id);
    }
    assert!(ids.is_sorted());
    let get = async |limit: usize, before: Option<&str>, after: Option<&str>| {
        let range = MessageRange { limit, before: before.map(str::to_owned), after: after.map(str::to_owned) };
        let found = f.store.messages(&session, &range).await.unwrap();
        found.into_iter().map(|m| m.content.parse::<usize>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(get(3, None, None).await, [27, 28, 29]);
    assert_eq!(get(3, Some(ids[10].as_str()), None).await, [7, 8, 9]);
    assert_eq!(get(100, Some(ids[10].as_str()), Some(ids[7].as_str())).await, [8, 9]);
    assert_eq!(get(100, None, Some("2100-01-01T00:00:00Z")).await, [0; 0]);
    let bad = MessageRange { limit: 1, before: Some("nonsense".into()), after: None };
    assert_eq!(f.store.messages(&session, &bad).await.unwrap_err().kind(), BackendErrorKind::Invalid);
}

pub async fn invocations_move_the_figures(f: &Fixture) {
    let agent = an_agent(f).await;
    let good = invocation(&agent, InvocationStatus::Success, 100);
    f.store.record_invocation(good.clone(), None).await.unwrap();
    f.store.record_invocation(invocation(&agent, InvocationStatus::Failed, 300), None).await.unwrap();
    // The same one again is refused as a whole.
    assert_eq!(f.store.record_invocation(good, None).await.unwrap_err().kind(), BackendErrorKind::Conflict);
    let record = f.store.agent(&agent).await.unwrap().unwrap();
    assert_eq!((record.total_invocations, record.successful_invocations, record.failed_invocations), (2, 1, 1));
    assert!((record.avg_duration_ms - 200.0).abs() < 1e-9);
    assert!(record.last_invoked_at.is_some());
    let unknown = invocation(&AgentId::generate(), InvocationStatus::Success, 1);
    assert_eq!(f.store.record_invocation(unknown, None).await.unwrap_err().kind(), BackendErrorKind::NotFound);
}

pub async fn an_agent_goes_with_its_conversations(f: &Fixture) {
    let agent = an_agent(f).await;
    let session = a_session(f, &agent, None).await;
    f.store.append_message(message(&session, Role::User, "hi")).await.unwrap();
    f.store.record_invocation(invocation(&agent, InvocationStatus::Success, 1), None).await.unwrap();
    let gone = f.store.delete_agent(&agent, DeleteOrders::default()).await.unwrap().unwrap();
    assert_eq!((gone.sessions, gone.messages, gone.invocations), (1, 1, 1));
    assert!(f.store.delete_agent(&agent, DeleteOrders::default()).await.unwrap().is_none());
    assert!(f.store.session(&session).await.unwrap().is_none());
    assert_eq!(f.store.list_agents(&AgentFilter::default(), &page(1, 10)).await.unwrap().total, 0);
}

pub async fn an_agents_state_follows_its_machine(f: &Fixture) {
    let agent = an_agent(f).await;
    let set =
        async |status, error: Option<&str>| f.store.set_agent_status(&agent, status, error.map(str::to_owned)).await;
    assert_eq!(set(AgentStatus::Running, None).await.unwrap().unwrap().status, AgentStatus::Running);
    let failed = set(AgentStatus::Error, Some("boom")).await.unwrap().unwrap();
    assert_eq!(failed.error_message.as_deref(), Some("boom"));
    let back = set(AgentStatus::Offline, None).await.unwrap().unwrap();
    assert_eq!((back.status, back.error_message), (AgentStatus::Offline, None));
    assert_eq!(set(AgentStatus::Error, None).await.unwrap_err().kind(), BackendErrorKind::Illegal);
    let unknown = AgentId::generate();
    assert!(f.store.set_agent_status(&unknown, AgentStatus::Running, None).await.unwrap().is_none());
    let project = f.store.agent(&agent).await.unwrap().unwrap().project_id.unwrap();
    let told = f.events.of(&project).into_iter().filter(|e| e.kind == EventType::Agent).count();
    assert_eq!(told, 4);
}

pub async fn counts_are_true(f: &Fixture) {
    an_agent(f).await;
    let new = f.create().await;
    f.control(&new.project.project_id, ControlAction::Cancel).await.unwrap();
    f.store.ping().await.unwrap();
    let counts = f.store.counts().await.unwrap();
    let of = |status| counts.projects.iter().find(|(s, _)| *s == status).map_or(0, |(_, n)| *n);
    assert_eq!((of(ProjectStatus::Completed), of(ProjectStatus::Cancelled), of(ProjectStatus::Queued)), (1, 1, 0));
    assert_eq!(counts.agents, [(AgentStatus::Offline, 1)]);
}

pub async fn deletions_are_recorded_until_they_are_dealt_with(f: &Fixture) {
    let id = f.store.identity().await.unwrap();
    assert!(id.len() >= 16 && f.store.identity().await.unwrap() == id);
    let none = f.store.deletion(DeletedKind::Project, "proj_none").await.unwrap();
    assert_eq!(none, None);

    // A project whose agent stays says where the agent's files lie.
    let agent = an_agent(f).await;
    let record = f.store.agent(&agent).await.unwrap().unwrap();
    let project = record.project_id.unwrap();
    f.store.delete_project(&project, ProjectAgents::Keep).await.unwrap().unwrap();
    let deleted = f.store.deletion(DeletedKind::Project, project.as_str()).await.unwrap().unwrap();
    assert_eq!((deleted.id.as_str(), deleted.kind), (project.as_str(), DeletedKind::Project));
    assert!(
        !deleted.name.is_empty() && deleted.deleted_at <= Timestamp::now().plus(std::time::Duration::from_secs(60))
    );
    let kept = deleted.owned.kept.first().unwrap();
    assert_eq!((&kept.agent_id, &kept.agent_dir), (&agent, &record.agent_dir));
    assert_eq!(f.store.deletion(DeletedKind::Agent, agent.as_str()).await.unwrap(), None, "it stays");

    // An agent's record has what ends its deployment, until that is done.
    let orders = DeleteOrders { undeploy: false, files: true };
    f.store.delete_agent(&agent, orders).await.unwrap().unwrap();
    let open = f.store.open_deletions(10).await.unwrap();
    let open = open.iter().find(|open| open.kind == DeletedKind::Agent).unwrap();
    assert_eq!((open.id.as_str(), open.name.as_str()), (agent.as_str(), record.agent_name.as_str()));
    let gone = open.owned.agent.as_ref().unwrap();
    assert_eq!((gone.orders, &gone.config), (orders, &record.deployment_config));
    f.store.settle_deletion(DeletedKind::Agent, agent.as_str()).await.unwrap();
    f.store.settle_deletion(DeletedKind::Project, project.as_str()).await.unwrap();
    assert_eq!(f.store.open_deletions(10).await.unwrap(), []);
    let settled = f.store.deletion(DeletedKind::Agent, agent.as_str()).await.unwrap().unwrap();
    assert_eq!(settled.owned.agent.unwrap().config, None, "what may be secret goes");
    f.store.settle_deletion(DeletedKind::Agent, "agent_none").await.unwrap();

    // With its project goes an agent, and each has its record; a conversation as well.
    let agent = an_agent(f).await;
    let session = a_session(f, &agent, Some("mine")).await;
    f.store.delete_session(&session).await.unwrap().unwrap();
    let gone = f.store.deletion(DeletedKind::Session, session.as_str()).await.unwrap().unwrap();
    assert_eq!(gone.name, "mine");
    let project = f.store.agent(&agent).await.unwrap().unwrap().project_id.unwrap();
    f.store.delete_project(&project, ProjectAgents::Delete).await.unwrap().unwrap();
    for (kind, id) in [(DeletedKind::Project, project.as_str()), (DeletedKind::Agent, agent.as_str())] {
        assert!(f.store.deletion(kind, id).await.unwrap().is_some(), "{kind}");
    }
    // A refused deletion records nothing.
    assert!(f.store.delete_project(&project, ProjectAgents::Delete).await.unwrap().is_none());
    assert!(f.store.delete_session(&session).await.unwrap().is_none());
}

/// Everything that `aged` gives, over all its bites.
async fn aged(f: &Fixture, kind: AgedKind, before: Timestamp) -> Vec<String> {
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let bite = f.store.aged(kind, before, from).await.unwrap();
        assert!(bite.items.iter().all(|(_, at)| *at < before), "{bite:?}");
        found.extend(bite.items.into_iter().map(|(id, _)| id));
        from = bite.next;
        if from.is_none() {
            return found;
        }
    }
}

pub async fn what_is_past_its_time_is_found_and_nothing_else(f: &Fixture) {
    let (later, before) = (in_one_minute(), Timestamp::from_micros(Timestamp::now().as_micros() - 60_000_000));
    let agent = an_agent(f).await;
    let ended = f.failed().await;
    f.create().await;
    // One that runs, one that waits, and one that is its agent's code: none of them is past anything.
    assert_eq!(aged(f, AgedKind::Projects, later).await, [ended.as_str()]);
    assert!(aged(f, AgedKind::Projects, before).await.is_empty());
    let session = a_session(f, &agent, None).await;
    assert_eq!(aged(f, AgedKind::Sessions, later).await, [session.as_str()]);
    assert!(aged(f, AgedKind::Sessions, before).await.is_empty());
    let mut ids = Vec::new();
    for n in 0..3 {
        let asked = invocation(&agent, InvocationStatus::Success, 10 + n);
        ids.push(asked.invocation_id.to_string());
        f.store.record_invocation(asked, None).await.unwrap();
    }
    let mut found = aged(f, AgedKind::Invocations, later).await;
    found.sort();
    ids.sort();
    assert_eq!(found, ids);
    assert!(aged(f, AgedKind::Invocations, before).await.is_empty());
    assert_eq!(f.store.delete_invocations(&ids[..2]).await.unwrap(), 2);
    assert_eq!(f.store.delete_invocations(&ids[..2]).await.unwrap(), 0);
    assert_eq!(aged(f, AgedKind::Invocations, later).await, ids[2..]);
    let after = f.store.agent(&agent).await.unwrap().unwrap();
    assert_eq!(after.total_invocations, 3, "the figures stay");
    // More than a bite.
    if f.one_unit {
        for n in 0..450 {
            f.store.record_invocation(invocation(&agent, InvocationStatus::Success, n), None).await.unwrap();
        }
        assert_eq!(aged(f, AgedKind::Invocations, later).await.len(), 451);
    }
}

/// Long enough that nothing ends between two lines of a test, and short enough to wait for.
pub const LEASE: Duration = Duration::from_secs(3);

/// Waits until `what` holds, which it does before long.
pub async fn until(mut what: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !what().await {
        assert!(begun.elapsed() < LEASE * 5, "it does not end by itself");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub async fn a_key_whose_holder_is_gone_is_free_again(f: &Fixture) {
    let begin = async |key: &str, holder: &str| f.store.take_key(key, "f", holder, LEASE).await.unwrap();
    assert_eq!(begin("k", "one").await, None);
    assert!(begin("k", "two").await.is_some_and(|known| known.answer.is_none()));
    // As long as its holder extends it, nobody else has it.
    let begun = Instant::now();
    while begun.elapsed() < LEASE + Duration::from_secs(2) {
        assert!(f.store.extend_key("k", "one", LEASE).await.unwrap());
        assert!(begin("k", "two").await.is_some());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // The holder is gone: nobody gave it back.
    until(async || begin("k", "two").await.is_none()).await;
    assert!(!f.store.extend_key("k", "one", LEASE).await.unwrap(), "it is another's by now");
    f.store.release_key("k", "one").await.unwrap();
    assert!(begin("k", "three").await.is_some(), "who lost a key gives nothing back");
    f.store.release_key("k", "two").await.unwrap();
    assert_eq!(begin("k", "three").await, None);
}

pub async fn only_one_answers_in_a_session(f: &Fixture) {
    let agent = an_agent(f).await;
    let session = a_session(f, &agent, None).await;
    let take = async |holder: &str| f.store.lease_session(&session, holder, LEASE).await.unwrap();
    assert!(!f.store.is_answering(&session).await.unwrap());
    assert_eq!(take("one").await, SessionLease::Held);
    assert_eq!(take("two").await, SessionLease::Taken);
    assert!(f.store.is_answering(&session).await.unwrap());
    // Another session is another matter.
    let other = a_session(f, &agent, None).await;
    assert_eq!(f.store.lease_session(&other, "two", LEASE).await.unwrap(), SessionLease::Held);
    // The messages of an answer end no lease.
    f.store.append_message(message(&session, Role::Assistant, "hi")).await.unwrap();
    assert_eq!(take("two").await, SessionLease::Taken);
    // Only the holder gives it back.
    f.store.release_session(&session, "two").await.unwrap();
    assert_eq!(take("two").await, SessionLease::Taken);
    assert!(f.store.stop_session(&session).await.unwrap());
    let extend = async |holder: &str| f.store.extend_session(&session, holder, LEASE).await.unwrap();
    assert_eq!(extend("one").await, SessionLease::StopAsked);
    f.store.release_session(&session, "one").await.unwrap();
    assert!(!f.store.stop_session(&session).await.unwrap(), "nobody answers");
    // The next one is not asked to stop for the last one's sake.
    assert_eq!(take("two").await, SessionLease::Held);
    assert_eq!(extend("two").await, SessionLease::Held);
    assert_eq!(extend("one").await, SessionLease::Taken);
    // A holder that is gone.
    until(async || take("three").await == SessionLease::Held).await;
    assert_eq!(extend("two").await, SessionLease::Taken);
    let unknown = f.store.lease_session(&SessionId::generate(), "one", LEASE).await.unwrap_err();
    assert_eq!(unknown.kind(), BackendErrorKind::NotFound);
}
