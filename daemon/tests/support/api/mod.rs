//! The API over a real listener and the real embedded store, with a recorder in place of the actor
//! tree and scripted agents in place of plugins.

#![allow(unused_imports)] // not every test binary needs all of it

mod agents;
mod frames;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

pub use agents::{Script, ScriptedAgents};
use arc_swap::ArcSwap;
use async_trait::async_trait;
pub use frames::{Frame, Frames};
use nexus_daemon::{
    agents::{Agents, Conversations},
    api::{self, AppState, Operations},
    auth::Access,
    backend::{
        queue::Queue,
        sqlite::{SqliteOptions, SqliteStore},
        store::{BuildEnd, BuildStep, Claim, ClaimBuild, ClaimedBuild, Continuation, DeployClaim, DeployEnd, Store},
    },
    config::{AuthMode, Config},
    deletion::Deletions,
    domain::{
        agent::NewAgent,
        control::ControlAction,
        ids::{AgentId, ProjectId, TaskId, WorkerId},
        project::{AggregatedMetrics, StageFigures},
        stage::{StageEnd, StageOutcome, StageProduct},
        time::Timestamp,
        workflow::{StageSpec, Workflow, WorkflowSpec, Workflows},
    },
    events::EventHub,
    jobs::DeployedAgents,
    plugins::{HostOptions, Plugins},
    projects::{Conductor, Projects},
    reload::Reloaded,
    tools::{ToolTests, mcp::McpServers},
    workers::lease::LeaseBook,
};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Remembers what the API asked of the tree.
#[derive(Default)]
pub struct Recorder {
    pub calls: Mutex<Vec<String>>,
    /// What a reload is refused for.
    pub refuses: Mutex<Option<String>>,
}

impl Conductor for Recorder {
    fn controlled(&self, project: &ProjectId, task: Option<&TaskId>, action: ControlAction) {
        let task = task.map_or("-", TaskId::as_str);
        self.calls.lock().unwrap().push(format!("{action} {project} {task}"));
    }
    fn deleted(&self, project: &ProjectId) {
        self.calls.lock().unwrap().push(format!("deleted {project}"));
    }
}

#[async_trait]
impl Operations for Recorder {
    async fn tree(&self) -> Value {
        json!({ "root": "stub" })
    }
    async fn reload(&self) -> Result<Reloaded, String> {
        match self.refuses.lock().unwrap().clone() {
            Some(reason) => Err(reason),
            None => Ok(Reloaded { changed: json!({ "settings": [] }), refused: Vec::new() }),
        }
    }
}

/// A running API.
pub struct Api {
    pub base: String,
    pub address: SocketAddr,
    pub client: reqwest::Client,
    pub state: Arc<AppState>,
    pub recorder: Arc<Recorder>,
    pub agents: Arc<ScriptedAgents>,
    pub data: Arc<tempfile::TempDir>,
    handle: salvo::server::ServerHandle,
}

/// Names of the stages of the test workflow.
pub const STAGES: [&str; 3] = ["plan", "make", "check"];

fn workflow() -> Workflow {
    let stage = |name: &str, needs: &[&str]| StageSpec {
        name: name.to_owned(),
        display_name: format!("{name} (zh)"),
        display_name_en: name.to_owned(),
        handler: "test/run".to_owned(),
        prerequisites: needs.iter().map(|n| (*n).to_owned()).collect(),
        optional: false,
        timeout: Duration::from_secs(60),
        max_retries: 0,
        aliases: if name == "make" { vec!["maker".to_owned()] } else { Vec::new() },
        options: Value::Null,
    };
    let spec = WorkflowSpec {
        name: "agent_build".to_owned(),
        description: String::new(),
        stages: vec![stage("plan", &[]), stage("make", &["plan"]), stage("check", &["make"])],
        retry_base_delay: Duration::from_secs(1),
        total_timeout: Duration::from_secs(60),
    };
    Workflow::build(spec).unwrap()
}

impl Api {
    pub async fn start() -> Self {
        Self::start_with(Arc::new(tempfile::tempdir().unwrap()), |_| {}).await
    }

    /// On a data folder that may have been used before.
    pub async fn start_with(data: Arc<tempfile::TempDir>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.data.dir = data.path().to_owned();
        // Who may call has tests of its own.
        config.auth.mode = AuthMode::None;
        change(&mut config);
        let hub = EventHub::new();
        let (store, queue) = SqliteStore::open(config.data.database(), SqliteOptions::default(), hub.clone()).unwrap();
        Self::over(data, config, hub, store, queue).await
    }

    /// With a file of settings.
    pub async fn start_settings(data: Arc<tempfile::TempDir>, file: std::path::PathBuf) -> Self {
        let mut config = Config::default();
        config.data.dir = data.path().to_owned();
        // Who may call has tests of its own.
        config.auth.mode = AuthMode::None;
        let hub = EventHub::new();
        let (store, queue) = SqliteStore::open(config.data.database(), SqliteOptions::default(), hub.clone()).unwrap();
        Self::of_file(data, config, hub, store, queue, Some(file)).await
    }

    pub async fn over(
        data: Arc<tempfile::TempDir>,
        config: Config,
        hub: Arc<EventHub>,
        store: Arc<dyn Store>,
        queue: Arc<dyn Queue>,
    ) -> Self {
        Self::of_file(data, config, hub, store, queue, None).await
    }

    async fn of_file(
        data: Arc<tempfile::TempDir>,
        config: Config,
        hub: Arc<EventHub>,
        store: Arc<dyn Store>,
        queue: Arc<dyn Queue>,
        settings_file: Option<std::path::PathBuf>,
    ) -> Self {
        let mut workflows = Workflows::default();
        workflows.insert(workflow());
        let project_root = config.data.projects();
        std::fs::create_dir_all(&project_root).unwrap();
        let config = Arc::new(ArcSwap::from_pointee(config));
        let agents = Arc::new(ScriptedAgents::default());
        let recorder = Arc::new(Recorder::default());
        let workflows = Arc::new(ArcSwap::from_pointee(workflows));
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let here = Arc::new(LeaseBook::default());
        let deployed = DeployedAgents::new(agents.clone(), config.clone(), Arc::default(), here);
        let deletions = Deletions::new(store.clone(), deployed.clone());
        let access = Access::open(&config.load(), store.clone()).unwrap();
        let state = Arc::new(AppState {
            access,
            projects: Projects {
                store: store.clone(),
                conductor: recorder.clone(),
                deletions: deletions.clone(),
                workflows: workflows.clone(),
                config: config.clone(),
                tasks: tasks.clone(),
            },
            conversations: Conversations::new(
                store.clone(),
                deployed.clone(),
                hub.clone(),
                tasks.clone(),
                shutdown.clone(),
            ),
            agents: Agents { store: store.clone(), deployed, deletions, config: config.clone(), tasks: tasks.clone() },
            store,
            queue,
            hub,
            operations: recorder.clone(),
            plugins: Plugins::new(HostOptions::default()),
            tool_tests: ToolTests::new(data.path().join("tool-tests")),
            mcp_servers: McpServers::new(data.path()),
            tasks,
            workflows,
            config,
            settings_file,
            project_root,
            shutdown,
            render_metrics: Arc::new(|| "# metrics\n".to_owned()),
            started_at: Instant::now(),
            version: "0.0.0-test",
        });
        let bound = api::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = bound.address;
        let (handle, serving) = bound.serve(state.clone());
        tokio::spawn(serving);
        let client = super::client(data.path());
        Self { base: format!("http://{address}"), address, client, state, recorder, agents, data, handle }
    }

    /// Stops as the daemon does, so that the data folder can be opened again.
    pub async fn stop(self) -> Arc<tempfile::TempDir> {
        self.state.shutdown.cancel();
        self.handle.stop_graceful(Duration::from_millis(200));
        self.state.tasks.close();
        self.state.tasks.wait().await;
        self.state.store.close().await.unwrap();
        self.data
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(self.url(path)).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.client.post(self.url(path)).json(&body).send().await.unwrap()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.client.delete(self.url(path)).send().await.unwrap()).await
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = self.client.request(method, self.url(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// A new project's id.
    pub async fn project(&self) -> ProjectId {
        let body = json!({ "requirement": "Build an agent that tells the weather", "tags": ["t"] });
        let answer = self.post("/api/v2/projects", body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["data"]["project_id"].as_str().unwrap().parse().unwrap()
    }

    fn claim_of(&self, project: &ProjectId) -> ClaimBuild {
        ClaimBuild {
            task_id: None,
            project_id: project.clone(),
            worker_id: WorkerId::for_process("test"),
            lease_until: Timestamp::now().plus(Duration::from_secs(60)),
            parallel: 4,
            asked: Continuation::default(),
        }
    }

    /// Takes the project's build, as a worker does: the first stage runs.
    pub async fn claim(&self, project: &ProjectId) -> Box<ClaimedBuild> {
        let workflows = self.state.workflows.load_full();
        match self.state.store.claim_build(self.claim_of(project), workflows).await.unwrap() {
            Claim::Claimed(claimed) => claimed,
            other => panic!("{other:?}"),
        }
    }

    /// Walks the build to its end; its agent is registered and, when asked for, deployed.
    pub async fn build(&self, project: &ProjectId, deploy: bool) -> AgentId {
        let agent = self.walk(project, deploy).await;
        if deploy {
            self.deploy(project).await;
        }
        agent
    }

    /// The same; the deployment is queued.
    pub async fn build_undeployed(&self, project: &ProjectId) -> AgentId {
        self.walk(project, true).await
    }

    async fn walk(&self, project: &ProjectId, deploy: bool) -> AgentId {
        let claimed = self.claim(project).await;
        let agent_id = AgentId::of_project(project);
        let mut attempt = claimed.stages[0].attempt;
        for (position, name) in STAGES.iter().enumerate() {
            let figures = StageFigures {
                input_tokens: 10,
                output_tokens: 5,
                tool_calls: 2,
                duration_seconds: 0.5,
                cost_usd: 0.0,
            };
            let product = StageProduct {
                output: json!({ "stage": name }),
                doc_path: Some(format!("docs/{name}.md")),
                content: Some(format!("# {name}")),
                files: Vec::new(),
            };
            let ended = StageEnd {
                stage_name: (*name).to_owned(),
                attempt,
                outcome: StageOutcome::Completed(Box::new(product)),
                ended_at: Timestamp::now(),
                figures,
                model_id: Some("test-model".to_owned()),
                logs: vec!["line".to_owned()],
            };
            let next = STAGES.get(position + 1);
            let mut aggregated = AggregatedMetrics::default();
            (0..=position).for_each(|_| aggregated.add(&figures));
            let step = BuildStep {
                ended: vec![ended],
                begin: next.iter().map(|n| (**n).to_owned()).collect(),
                progress: (position + 1) as f64 * 100.0 / 3.0,
                aggregated,
                end: next
                    .is_none()
                    .then(|| BuildEnd::Completed { agent: Some(Box::new(new_agent(&agent_id))), deploy }),
                ..BuildStep::default()
            };
            let progress = self.state.store.advance_build(&claimed.lease, step).await.unwrap();
            attempt = progress.begun.first().map_or(0, |b| b.1);
        }
        agent_id
    }

    /// Deploys the agent of a build, as a worker does.
    pub async fn deploy(&self, project: &ProjectId) {
        let tasks = self.get(&format!("/api/v2/projects/{project}/tasks")).await;
        let task = tasks.body["data"].as_array().unwrap().iter().find(|t| t["task_type"] == "deploy_agent").unwrap();
        let mut claim = self.claim_of(project);
        claim.task_id = Some(task["task_id"].as_str().unwrap().parse().unwrap());
        let DeployClaim::Claimed { lease, agent } = self.state.store.claim_deploy(claim).await.unwrap() else {
            panic!("no deploy task")
        };
        let end = DeployEnd { agent_id: agent.agent_id.clone(), result: Ok(json!({ "details": {} })), receipt: None };
        self.state.store.finish_deploy(&lease, end).await.unwrap();
    }

    /// A running agent's id, made by a build.
    pub async fn agent(&self) -> AgentId {
        let project = self.project().await;
        self.build(&project, true).await
    }

    /// A new session's id, of this agent.
    pub async fn session(&self, agent: &AgentId) -> String {
        let answer = self.post(&format!("/api/v2/agents/{agent}/sessions"), json!({})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["data"]["session_id"].as_str().unwrap().to_owned()
    }

    /// Opens a stream of events.
    pub async fn events(&self, path: &str, last_id: Option<&str>) -> Frames {
        let mut request = self.client.get(self.url(path));
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        Frames::of(request.send().await.unwrap())
    }
}

fn new_agent(id: &AgentId) -> NewAgent {
    NewAgent {
        agent_id: id.clone(),
        agent_name: "weather".to_owned(),
        display_name: "Weather of the day".to_owned(),
        description: "Tells the weather.".to_owned(),
        category: "general".to_owned(),
        version: "1.0.0".to_owned(),
        deployment_type: "local".to_owned(),
        capabilities: vec!["weather".to_owned()],
        assessment: nexus_daemon::domain::assessment::Assessment::default(),
        tools: vec!["forecast".to_owned(), "now".to_owned()],
        prompt_path: Some("agent/prompt.md".to_owned()),
        code_path: Some("agent/main.py".to_owned()),
        agent_dir: "agent".to_owned(),
        deployment_config: None,
        generated_tools: Vec::new(),
        files: Default::default(),
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, body }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// Checks that it is an error in the one form, of this status and code.
    pub fn is_error(&self, status: u16, code: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        error_body(&self.body, code);
        assert_eq!(self.body["request_id"], self.header("x-request-id"));
        assert_eq!(self.header("content-type"), "application/json");
    }
}

/// Checks the form of an error's body.
pub fn error_body(body: &Value, code: &str) {
    assert_eq!(keys(body), ["detail", "error", "message", "request_id", "success", "timestamp"], "{body}");
    assert_eq!(body["success"], false, "{body}");
    if !code.is_empty() {
        assert_eq!(body["error"]["code"], code, "{body}");
    }
    let word = body["error"]["code"].as_str().unwrap();
    assert!(!word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{body}");
    assert_eq!(body["error"]["message"], body["message"], "{body}");
    match &body["detail"] {
        Value::String(text) => assert!(!text.is_empty()),
        Value::Array(list) => {
            assert_eq!(body["error"]["code"], "VALIDATION_ERROR");
            for fault in list {
                assert_eq!(keys(fault), ["input", "loc", "msg", "type"], "{body}");
                assert!(["body", "query", "header"].contains(&fault["loc"][0].as_str().unwrap()), "{body}");
            }
            assert!(!list.is_empty());
        }
        other => panic!("detail is {other}"),
    }
    body["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let text = body.to_string().to_lowercase();
    for leak in ["sqlite", "select ", "rusqlite", "/tmp/", "src/", "panicked", "unwrap", "salvo", "serde"] {
        assert!(!text.contains(leak), "{leak:?} leaks: {body}");
    }
}

/// The keys of an object, sorted.
pub fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> =
        value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// The keys of an answer.
const ENVELOPE: [&str; 5] = ["data", "message", "request_id", "success", "timestamp"];

/// Checks the envelope and gives the data.
pub fn enveloped(answer: &Answer, status: u16) -> &Value {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(keys(&answer.body), ENVELOPE, "{}", answer.text);
    assert_eq!(answer.body["success"], true);
    assert_eq!(answer.body["request_id"], answer.header("x-request-id"));
    let at = answer.body["timestamp"].as_str().unwrap();
    assert!(at.len() == 27 && at.ends_with('Z') && at.as_bytes()[19] == b'.', "{at}");
    assert!(answer.header("x-process-time").parse::<f64>().unwrap() < 60.0);
    &answer.body["data"]
}
