//! [`Store`] over the parts: every method is one of theirs.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{DynamoStore, table::Table};
use crate::{
    backend::{
        queue::Receipt,
        store::{
            Activity, Aged, AgedKind, AgentChange, AgentFilter, BuildProgress, BuildStep, Claim, ClaimBuild,
            DayFigures, DeletedAgent, DeletedProject, DeployClaim, DeployEnd, GivenUp, LeaseState, MessageRange,
            NewMessage, NewProject, Once, OnceRecord, Origin, Overview, Page, PageRequest, Pressure, ProjectDetail,
            ProjectFilter, Result, SessionLease, StageRetry, Store, StoreCounts, StrandedTask, TaskFilter, ToolFilter,
            TopAgent, Trouble,
        },
    },
    domain::{
        agent::{Agent, AgentStatus, Invocation},
        control::{ControlApplied, ControlRequest},
        deletion::{DeleteOrders, DeletedKind, Deletion},
        event::{NewEvent, ProjectEvent},
        failure::ErrorInfo,
        ids::{AgentId, ProjectId, SessionId, TaskId, ToolId},
        project::{Project, ProjectSummary},
        session::{Message, Session},
        stage::Stage,
        task::{Lease, Task},
        time::Timestamp,
        tool::{NewTool, Tool},
        workflow::Workflows,
    },
};

#[async_trait]
impl Store for DynamoStore {
    async fn create_project(&self, new: NewProject) -> Result<()> {
        self.create(&new).await
    }

    async fn project(&self, id: &ProjectId) -> Result<Option<Project>> {
        self.read_project(id).await
    }

    async fn project_detail(&self, id: &ProjectId) -> Result<Option<ProjectDetail>> {
        self.detail(id).await
    }

    async fn list_projects(&self, filter: &ProjectFilter, page: &PageRequest) -> Result<Page<ProjectSummary>> {
        self.find_projects(filter, page).await
    }

    async fn stages(&self, id: &ProjectId) -> Result<Vec<Stage>> {
        self.read_stages(id).await
    }

    async fn delete_project(&self, id: &ProjectId, with_agents: bool) -> Result<Option<DeletedProject>> {
        self.remove_project(id, with_agents).await
    }

    async fn expire_project(&self, id: &ProjectId, before: Timestamp) -> Result<Option<DeletedProject>> {
        self.remove_project_if(id, false, Some(before)).await
    }

    async fn claim_build(&self, claim: ClaimBuild, workflows: Arc<Workflows>) -> Result<Claim> {
        self.claim(&claim, &workflows).await
    }

    async fn advance_build(&self, lease: &Lease, step: BuildStep) -> Result<BuildProgress> {
        self.advance(lease, &step).await
    }

    async fn retry_stage(&self, lease: &Lease, retry: StageRetry) -> Result<u32> {
        self.retry(lease, &retry).await
    }

    async fn extend_leases(&self, leases: &[Lease], until: Timestamp) -> Result<Vec<LeaseState>> {
        self.extend(leases, until).await
    }

    async fn release_lease(&self, lease: &Lease, _receipt: Option<&Receipt>) -> Result<()> {
        self.release(lease).await
    }

    async fn fail_task(&self, task: &TaskId, reason: ErrorInfo) -> Result<GivenUp> {
        self.fail_one(task, &reason).await
    }

    async fn fail_waiting(&self, project: &ProjectId, reason: ErrorInfo) -> Result<GivenUp> {
        self.fail_unnamed(project, &reason).await
    }

    async fn stranded_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<StrandedTask>> {
        self.stranded(now, limit).await
    }

    async fn unsent_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<StrandedTask>> {
        self.outbox(now, limit).await
    }

    async fn put_right(&self, now: Timestamp, all: bool) -> Result<u64> {
        self.close_ended(now, all).await
    }

    async fn untold(&self, id: &ProjectId, last: u64) -> Result<Option<ProjectDetail>> {
        self.unwatched(id, last).await
    }

    async fn requeue_task(&self, task: &TaskId) -> Result<()> {
        self.requeue(task).await
    }

    async fn control(
        &self,
        id: &ProjectId,
        request: ControlRequest,
        workflows: Arc<Workflows>,
    ) -> Result<ControlApplied> {
        self.apply_control(id, &request, &workflows).await
    }

    async fn append_events(&self, project: &ProjectId, origin: Origin<'_>, events: Vec<NewEvent>) -> Result<()> {
        self.append(project, origin, events).await
    }

    async fn events_after(&self, project: &ProjectId, after: u64, limit: usize) -> Result<Vec<ProjectEvent>> {
        self.read_events(project, after, limit).await
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>> {
        Ok(self.stored_task(id).await?.map(|stored| stored.task))
    }

    async fn list_tasks(&self, filter: &TaskFilter, page: &PageRequest) -> Result<Page<Task>> {
        self.find_tasks(filter, page).await
    }

    async fn claim_deploy(&self, claim: ClaimBuild) -> Result<DeployClaim> {
        self.take_deploy(&claim).await
    }

    async fn finish_deploy(&self, lease: &Lease, end: DeployEnd) -> Result<()> {
        self.end_deploy(lease, &end).await
    }

    async fn agent(&self, id: &AgentId) -> Result<Option<Agent>> {
        self.read_agent(id).await
    }

    async fn list_agents(&self, filter: &AgentFilter, page: &PageRequest) -> Result<Page<Agent>> {
        self.find_agents(filter, page).await
    }

    async fn set_agent_status(
        &self,
        id: &AgentId,
        status: AgentStatus,
        error: Option<String>,
    ) -> Result<Option<Agent>> {
        self.put_status(id, status, error.as_deref()).await
    }

    async fn delete_agent(&self, id: &AgentId, orders: DeleteOrders) -> Result<Option<DeletedAgent>> {
        self.remove_agent(id, orders).await
    }

    async fn update_agent(&self, id: &AgentId, change: AgentChange) -> Result<Option<Agent>> {
        self.edit_agent(id, &change).await
    }

    async fn redeploy_agent(&self, id: &AgentId) -> Result<Option<TaskId>> {
        self.deploy_again(id).await
    }

    async fn record_invocation(&self, invocation: Invocation, once: Option<Once>) -> Result<()> {
        self.record(&invocation, once.as_ref()).await
    }

    async fn put_system_tools(&self, tools: Vec<NewTool>) -> Result<()> {
        self.put_catalogue(&tools).await
    }

    async fn list_tools(&self, filter: &ToolFilter, page: &PageRequest) -> Result<Page<Tool>> {
        self.find_tools(filter, page).await
    }

    async fn tool(&self, id: &ToolId) -> Result<Option<Tool>> {
        self.read_tool(id).await
    }

    async fn tool_code(&self, id: &ToolId) -> Result<Option<String>> {
        self.read_tool_code(id).await
    }

    async fn tool_categories(&self) -> Result<Vec<(String, u64)>> {
        self.categories_of_tools().await
    }

    async fn once(&self, key: &str) -> Result<Option<OnceRecord>> {
        self.read_once(key).await
    }

    async fn begin_once(
        &self,
        key: &str,
        fingerprint: &str,
        holder: &str,
        lasts: Duration,
    ) -> Result<Option<OnceRecord>> {
        self.take_once(key, fingerprint, holder, lasts).await
    }

    async fn extend_once(&self, key: &str, holder: &str, lasts: Duration) -> Result<bool> {
        self.hold_once(key, holder, lasts).await
    }

    async fn abandon_once(&self, key: &str, holder: &str) -> Result<()> {
        self.give_back_once(key, holder).await
    }

    async fn overview(&self, now: Timestamp) -> Result<Overview> {
        self.figures_of_all(now).await
    }

    async fn build_days(&self, days: u32, now: Timestamp) -> Result<Vec<DayFigures>> {
        self.days("build", days, now).await
    }

    async fn invocation_days(&self, days: u32, now: Timestamp) -> Result<Vec<DayFigures>> {
        self.days("invocation", days, now).await
    }

    async fn agent_categories(&self) -> Result<Vec<(String, u64)>> {
        self.categories_of_agents().await
    }

    async fn top_agents(&self, limit: usize) -> Result<Vec<TopAgent>> {
        self.most_asked(limit).await
    }

    async fn recent_activities(&self, limit: usize) -> Result<Vec<Activity>> {
        self.activities(limit).await
    }

    async fn create_session(&self, session: Session, once: Option<Once>) -> Result<()> {
        self.put_session(&session, once.as_ref()).await
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>> {
        self.read_session(id).await
    }

    async fn list_sessions(&self, agent: &AgentId, limit: usize) -> Result<Vec<Session>> {
        self.sessions_of(agent, limit).await
    }

    async fn delete_session(&self, id: &SessionId) -> Result<Option<u64>> {
        self.remove_session(id).await
    }

    async fn expire_session(&self, id: &SessionId, before: Timestamp) -> Result<Option<u64>> {
        self.remove_session_if(id, Some(before)).await
    }

    async fn append_message(&self, message: NewMessage) -> Result<Message> {
        self.add_message(&message).await
    }

    async fn messages(&self, session: &SessionId, range: &MessageRange) -> Result<Vec<Message>> {
        self.messages_in(session, range).await
    }

    async fn identity(&self) -> Result<String> {
        self.store_id().await
    }

    async fn deletion(&self, kind: DeletedKind, id: &str) -> Result<Option<Deletion>> {
        self.read_deletion(kind, id).await
    }

    async fn open_deletions(&self, limit: usize) -> Result<Vec<Deletion>> {
        self.unsettled_deletions(limit).await
    }

    async fn deletions_since(&self, since: Timestamp) -> Result<Vec<(DeletedKind, String)>> {
        self.listed_since(since).await
    }

    async fn settle_deletion(&self, kind: DeletedKind, id: &str) -> Result<()> {
        self.settle(kind, id).await
    }

    async fn lease_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> Result<SessionLease> {
        self.take_session(id, holder, lasts).await
    }

    async fn extend_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> Result<SessionLease> {
        self.hold_session(id, holder, lasts).await
    }

    async fn release_session(&self, id: &SessionId, holder: &str) -> Result<()> {
        self.let_session_go(id, holder).await
    }

    async fn stop_session(&self, id: &SessionId) -> Result<bool> {
        self.ask_to_stop(id).await
    }

    async fn is_answering(&self, id: &SessionId) -> Result<bool> {
        self.answers_now(id).await
    }

    async fn ping(&self) -> Result<()> {
        self.tables.get(Table::State, Table::State.two("ping", "-")).await.map(drop)
    }

    async fn counts(&self) -> Result<StoreCounts> {
        self.all_counts().await
    }

    async fn clean(&self, _older_than: Duration) -> Result<u64> {
        self.offer_anew().await?;
        self.finish_deletions().await
    }

    async fn aged(&self, kind: AgedKind, before: Timestamp, from: Option<Value>) -> Result<Aged> {
        self.find_aged(kind, before, from).await
    }

    async fn delete_invocations(&self, ids: &[String]) -> Result<u64> {
        self.remove_invocations(ids).await
    }

    async fn close(&self) -> Result<()> {
        self.stop.cancel();
        self.tables.close();
        Ok(())
    }

    fn pressure(&self) -> Pressure {
        self.tables.pressure()
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn trouble(&self) -> Option<Trouble> {
        self.tables.trouble.lately()
    }

    fn describe(&self) -> Value {
        json!({ "kind": "dynamodb", "tables": Table::ALL.map(|table| self.tables.name(table)), "requests": self.requests() })
    }
}
