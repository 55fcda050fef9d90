//! Conversations over the real store, with a handler that says what the test lets it say, and no HTTP.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use nexus_plugin_api::payload::{Event, HandlerKind, Operation};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::{
    backend::{
        sqlite::{SqliteOptions, SqliteStore},
        store::{BuildEnd, BuildStep, Claim, ClaimBuild, Continuation, MessageRange, NewProject, Store},
    },
    config::Config,
    domain::{
        agent::{AgentStatus, NewAgent},
        caller::Caller,
        failure::{Failure, FailureKind},
        ids::{AgentId, ProjectId, SessionId, WorkerId},
        project::{AggregatedMetrics, StageFigures},
        session::Role,
        stage::{StageEnd, StageOutcome, StageProduct},
        time::Timestamp,
        workflow::{StageSpec, Workflow, WorkflowSpec, Workflows},
    },
    idempotency::{IdempotencyKey, Keyed, Repeatable},
    jobs::{
        BuildsHere,
        executor::{Executor, Job},
    },
};

/// Answers with what comes out of the channel; a word is a piece of text, and the end of the channel the end.
struct Handler {
    asked: AtomicUsize,
    words: Mutex<Option<mpsc::UnboundedReceiver<&'static str>>>,
}

struct Answering(mpsc::UnboundedReceiver<&'static str>);

#[async_trait]
impl Executor for Handler {
    async fn start(&self, _: &str, _: HandlerKind, operation: Operation) -> std::result::Result<Box<dyn Job>, Failure> {
        assert!(matches!(operation, Operation::Invoke(_)));
        self.asked.fetch_add(1, Ordering::Relaxed);
        let words = self.words.lock().unwrap().take();
        let words = words.ok_or_else(|| Failure::new(FailureKind::Transient, "nothing to say"))?;
        Ok(Box::new(Answering(words)))
    }
}

#[async_trait]
impl Job for Answering {
    async fn next_event(&mut self) -> Option<Event> {
        self.0.recv().await.map(|word| Event::Text { delta: word.to_owned() })
    }

    fn cancel(&self) {}

    async fn outcome(self: Box<Self>) -> std::result::Result<Value, Failure> {
        Ok(json!({}))
    }
}

struct Nothing;

impl BuildsHere for Nothing {
    fn works_on(&self, _: &ProjectId) -> bool {
        false
    }
}

struct World {
    conversations: Arc<Conversations>,
    handler: Arc<Handler>,
    caller: Caller,
    agent: AgentId,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = folder.path().to_owned();
        let hub = EventHub::new();
        let (store, _) = SqliteStore::open(config.data.database(), SqliteOptions::default(), hub.clone()).unwrap();
        let store: Arc<dyn Store> = store;
        let agent = running_agent(store.as_ref()).await;
        let handler = Arc::new(Handler { asked: AtomicUsize::new(0), words: Mutex::new(None) });
        let config = Arc::new(ArcSwap::from_pointee(config));
        let deployed = DeployedAgents::new(handler.clone(), config, Arc::default(), Arc::new(Nothing));
        let conversations = Conversations::new(store, deployed, hub, TaskTracker::new(), CancellationToken::new());
        Self { conversations, handler, caller: Caller::anonymous(), agent, _folder: folder }
    }

    /// What the handler says to the next question.
    fn speaker(&self) -> mpsc::UnboundedSender<&'static str> {
        let (speaker, words) = mpsc::unbounded_channel();
        *self.handler.words.lock().unwrap() = Some(words);
        speaker
    }

    async fn session(&self) -> SessionId {
        let new = NewSession { display_name: None, user_id: None, metadata: None };
        let made = self.conversations.create_session(&self.caller, self.agent.clone(), new, None).await.unwrap();
        let Repeatable::New(session) = made else { panic!("it is new") };
        session.session_id
    }

    async fn ask(&self, session: &SessionId) -> Result<Pieces> {
        let sent = Sent { content: "What?".to_owned(), role: Role::User, metadata: None, files: Vec::new() };
        self.conversations.ask(&self.caller, session, sent).await
    }

    async fn said(&self, session: &SessionId) -> Vec<(Role, String)> {
        let range = MessageRange { limit: 10, before: None, after: None };
        let messages = self.conversations.messages(&self.caller, session, &range).await.unwrap();
        messages.into_iter().map(|message| (message.role, message.content)).collect()
    }
}

/// The shortest way to an agent that answers: a build of one stage.
async fn running_agent(store: &dyn Store) -> AgentId {
    let stage = StageSpec {
        name: "make".to_owned(),
        display_name: String::new(),
        display_name_en: String::new(),
        handler: "test/run".to_owned(),
        prerequisites: Vec::new(),
        optional: false,
        timeout: std::time::Duration::from_secs(60),
        max_retries: 0,
        aliases: Vec::new(),
        options: Value::Null,
    };
    let spec = WorkflowSpec {
        name: "one".to_owned(),
        description: String::new(),
        stages: vec![stage],
        retry_base_delay: std::time::Duration::from_secs(1),
        total_timeout: std::time::Duration::from_secs(60),
    };
    let mut workflows = Workflows::default();
    workflows.insert(Workflow::build(spec).unwrap());
    let new = NewProject::queued(workflows.get("one").unwrap(), "An agent that answers".to_owned());
    let project_id = new.project.project_id.clone();
    store.create_project(new).await.unwrap();
    let claim = ClaimBuild {
        task_id: None,
        project_id: project_id.clone(),
        worker_id: WorkerId::for_process("test"),
        lease_until: Timestamp::now().plus(std::time::Duration::from_secs(60)),
        parallel: 1,
        asked: Continuation::default(),
    };
    let Claim::Claimed(claimed) = store.claim_build(claim, Arc::new(workflows)).await.unwrap() else {
        panic!("nobody else builds it")
    };
    let agent_id = AgentId::of_project(&project_id);
    let agent = NewAgent {
        agent_id: agent_id.clone(),
        agent_name: "answers".to_owned(),
        display_name: "Answers".to_owned(),
        description: String::new(),
        category: String::new(),
        version: "1".to_owned(),
        deployment_type: "local".to_owned(),
        capabilities: Vec::new(),
        tools: Vec::new(),
        prompt_path: None,
        code_path: None,
        agent_dir: "agent".to_owned(),
        deployment_config: None,
        generated_tools: Vec::new(),
    };
    let ended = StageEnd {
        stage_name: "make".to_owned(),
        attempt: claimed.stages[0].attempt,
        outcome: StageOutcome::Completed(Box::new(StageProduct {
            output: json!({}),
            doc_path: None,
            content: None,
            files: Vec::new(),
        })),
        ended_at: Timestamp::now(),
        figures: StageFigures::default(),
        model_id: None,
        logs: Vec::new(),
    };
    let step = BuildStep {
        ended: vec![ended],
        progress: 100.0,
        aggregated: AggregatedMetrics::default(),
        end: Some(BuildEnd::Completed { agent: Some(Box::new(agent)), deploy: false }),
        ..BuildStep::default()
    };
    store.advance_build(&claimed.lease, step).await.unwrap();
    store.set_agent_status(&agent_id, AgentStatus::Running, None).await.unwrap().unwrap();
    agent_id
}

/// All that is read of an answer, to its end.
async fn read(mut pieces: Pieces) -> Vec<Piece> {
    let mut all = Vec::new();
    while let Some(some) = pieces.next().await {
        all.extend(some.into_iter().map(|(_, piece)| piece.as_ref().clone()));
    }
    all
}

#[tokio::test]
async fn an_answer_goes_on_without_its_reader_and_is_found_again() {
    let world = World::new().await;
    let session = world.session().await;
    let speaker = world.speaker();
    drop(world.ask(&session).await.unwrap());
    speaker.send("four").unwrap();
    speaker.send("teen").unwrap();
    drop(speaker);
    let found = world.conversations.resume(&world.caller, &session, None).await.unwrap().unwrap();
    let pieces = read(found).await;
    let text = |data: &str| Piece::text(data.to_owned());
    assert_eq!(pieces[..3], [Piece::Connected { session_id: session.clone() }, text("four"), text("teen")]);
    let Piece::Done { metrics, recorded: None } = &pieces[3] else { panic!("{pieces:?}") };
    assert!(metrics.invocation_id.is_some() && pieces.len() == 4, "{pieces:?}");
    let said = [(Role::User, "What?".to_owned()), (Role::Assistant, "fourteen".to_owned())];
    assert_eq!(world.said(&session).await, said);
    // What was read is not read twice.
    let (mut last, mut again) = (0, world.conversations.resume(&world.caller, &session, None).await.unwrap().unwrap());
    while let Some(pieces) = again.next().await {
        last = pieces.last().and_then(|(number, _)| *number).unwrap();
    }
    assert!(world.conversations.resume(&world.caller, &session, Some(last)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_is_answered_in_once_at_a_time_until_it_is_stopped() {
    let world = World::new().await;
    let session = world.session().await;
    let speaker = world.speaker();
    let first = world.ask(&session).await.unwrap();
    assert!(matches!(world.ask(&session).await, Err(AgentError::SessionBusy)));
    speaker.send("half").unwrap();
    let mut reader = world.conversations.resume(&world.caller, &session, None).await.unwrap().unwrap();
    let mut heard = Vec::new();
    while heard.len() < 2 {
        heard.extend(reader.next().await.unwrap());
    }
    assert!(world.conversations.stop(&world.caller, &session).await.unwrap());
    let pieces = read(first).await;
    let stopped = Piece::Error { error: "the answer was stopped".to_owned(), retry_after: None };
    assert!(pieces.contains(&stopped), "{pieces:?}");
    assert_eq!(world.said(&session).await[1], (Role::Assistant, "half".to_owned()));
    // And then the next may ask.
    drop(world.speaker());
    assert!(read(world.ask(&session).await.unwrap()).await.len() >= 2);
}

#[tokio::test]
async fn a_question_under_a_key_is_asked_once() {
    let world = World::new().await;
    let ask = async |key: &str, question: &str| {
        let key = IdempotencyKey { key: key.to_owned(), fingerprint: question.to_owned() };
        let keyed = Keyed { key, answer: |outcome: &Outcome| outcome.answer.text.clone().into() };
        let (session_id, user_id, metadata) = (None, None, None);
        let asked = Invoke { input_text: question.to_owned(), session_id, enable_trace: false, user_id, metadata };
        world.conversations.invoke(world.caller.clone(), world.agent.clone(), asked, Some(keyed)).await
    };
    // A failure leaves no key behind.
    assert!(matches!(ask("k", "What?").await, Err(AgentError::NoAnswer(_))));
    world.speaker().send("four").unwrap();
    let mut first = ask("k", "What?").await;
    while matches!(first, Err(AgentError::Key(crate::idempotency::KeyError::InProgress))) {
        // The key of the failure is being given back.
        tokio::task::yield_now().await;
        first = ask("k", "What?").await;
    }
    let Ok(Repeatable::New(outcome)) = first else { panic!("{first:?}") };
    assert_eq!((outcome.answer.text.as_str(), outcome.recorded), ("four", true));
    let again = ask("k", "What?").await;
    assert!(matches!(&again, Ok(Repeatable::Again(Value::String(text))) if text == "four"), "{again:?}");
    let other = ask("k", "Another?").await;
    assert!(matches!(other, Err(AgentError::Key(crate::idempotency::KeyError::Reused))), "{other:?}");
    assert_eq!(world.handler.asked.load(Ordering::Relaxed), 2);
}
