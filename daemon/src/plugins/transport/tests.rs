use std::{
    collections::HashMap,
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use nexus_plugin_api::{
    abi::{STATUS_CANCELLED, STATUS_OK},
    payload::{Description, Event, HandlerKind, Operation, StageRequest},
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{GivenUp, JobHandle, LostCall, LostCalls, Transport};
use crate::plugins::{
    JobError,
    generation::{Generation, Parts},
    inbound::{self, Wait},
    job::Handler,
    lock,
    options::HostOptions,
    refusal::Refusal,
    slot::Slot,
    state::JobState,
};

/// What goes to the other side: no pointer, as to a process.
enum Call {
    Start(u64, Vec<u8>),
    Cancel(u64),
    Destroy(u64),
    Shutdown,
}

/// What comes back from it.
enum Said {
    Started(u64),
    Event(u64, Vec<u8>),
    Done(u64, u32, Vec<u8>),
}

/// A plugin that is reached by messages only.
struct Messages {
    calls: mpsc::Sender<Call>,
    jobs: Mutex<HashMap<u64, Arc<JobState>>>,
    destroyed: Mutex<Vec<u64>>,
}

fn describes() -> Description {
    Description::new("far", "1", "on the other side").stage("echo", "says what it hears")
}

impl Messages {
    /// With its reader, which lives as long as the other side speaks.
    fn connect() -> Arc<Self> {
        let (calls, heard) = mpsc::channel();
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || other_side(&heard, &say));
        let transport = Arc::new(Self { calls, jobs: Mutex::default(), destroyed: Mutex::default() });
        let reader = Arc::clone(&transport);
        std::thread::spawn(move || said.iter().for_each(|said| reader.hears(said)));
        transport
    }

    fn hears(&self, said: Said) {
        match said {
            Said::Started(token) => {
                let job = lock(&self.jobs).get(&token).cloned();
                job.unwrap().started(JobHandle::new(usize::try_from(token).unwrap()));
            }
            Said::Event(token, json) => {
                let _ = inbound::event(token, json.len(), || &json, Wait::UntilRoom);
            }
            Said::Done(token, status, json) => {
                inbound::done(token, status, |most| if json.len() > most { Err(json.len()) } else { Ok(json.clone()) });
            }
        }
    }

    fn send(&self, call: Call) -> Result<(), GivenUp> {
        self.calls.send(call).map_err(|_| GivenUp)
    }
}

impl Transport for Messages {
    fn describe(&self) -> Result<Description, Refusal> {
        Ok(describes())
    }

    fn configure(&self, _: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }

    fn start(&'static self, job: Arc<JobState>, request: Vec<u8>) -> Result<(), GivenUp> {
        if !job.may_start() {
            return Ok(());
        }
        let token = job.token;
        lock(&self.jobs).insert(token, job);
        self.send(Call::Start(token, request))
    }

    fn cancel(&'static self, job: Arc<JobState>) -> Result<(), GivenUp> {
        let Some(handle) = job.enter_cancel() else { return Ok(()) };
        let sent = self.send(Call::Cancel(handle.value() as u64));
        job.leave_cancel();
        sent
    }

    fn destroy(&'static self, job: Arc<JobState>) -> Result<(), GivenUp> {
        let Some(handle) = job.enter_destroy() else { return Ok(()) };
        lock(&self.jobs).remove(&job.token);
        lock(&self.destroyed).push(job.token);
        let sent = self.send(Call::Destroy(handle.value() as u64));
        job.leave_destroy();
        sent
    }

    fn shut_down(&'static self, _: Duration, finished: Option<oneshot::Sender<()>>) -> Result<(), GivenUp> {
        let sent = self.send(Call::Shutdown);
        drop(finished);
        sent
    }

    fn lost_calls(&self) -> LostCalls {
        LostCalls { count: 0, too_many: false }
    }

    fn is_active(&self) -> bool {
        false
    }

    fn give_up_overdue(&'static self, _: Instant) -> Option<LostCall> {
        None
    }
}

/// Says what it is asked to say, and waits for a cancel when it is asked for that.
fn other_side(calls: &mpsc::Receiver<Call>, say: &mpsc::Sender<Said>) {
    let mut known = Vec::new();
    for call in calls {
        let all: Vec<Said> = match call {
            Call::Start(token, request) => {
                known.push(token);
                let request: Value = serde_json::from_slice(&request).unwrap();
                let said = request.pointer("/body/options/say").cloned();
                let mut all = vec![Said::Started(token)];
                if let Some(said) = said {
                    let event = json!({"type": "text", "delta": said});
                    all.push(Said::Event(token, event.to_string().into_bytes()));
                    all.push(Said::Done(token, STATUS_OK, json!({"output": {"said": said}}).to_string().into_bytes()));
                }
                all
            }
            Call::Cancel(token) => vec![Said::Done(token, STATUS_CANCELLED, Vec::new())],
            Call::Destroy(token) => {
                known.retain(|one| *one != token);
                Vec::new()
            }
            Call::Shutdown => {
                assert!(known.is_empty(), "shut down with jobs that were not destroyed");
                return;
            }
        };
        all.into_iter().for_each(|said| say.send(said).unwrap());
    }
}

fn stage(options: Value) -> Operation {
    Operation::Run(Box::new(StageRequest {
        project_id: "proj_1".into(),
        project_name: "p".into(),
        requirement: "r".into(),
        user_id: "u".into(),
        tags: Vec::new(),
        stage: "s".into(),
        stage_number: 1,
        attempt: 1,
        workspace: "/nowhere".into(),
        inputs: std::collections::BTreeMap::new(),
        options,
        deployment: Value::Null,
        models: None,
    }))
}

/// The registry, generations and jobs work with a plugin that is no library: jobs start, speak, end, are cancelled and
/// destroyed once, and the plugin is shut down after the last of them.
#[tokio::test]
async fn a_plugin_behind_messages_is_a_plugin() {
    let transport = Messages::connect();
    let slot = Slot::new("far", 4, 4);
    let generation = Generation::register(Parts {
        description: transport.describe().unwrap(),
        number: slot.next_number(),
        file: "far".into(),
        content: String::new(),
        settings: Value::Null,
        transport: Arc::<Messages>::clone(&transport),
        limits: HostOptions::default().limits(),
    });
    slot.replace(Some(generation));
    let handler = Handler { slot: Arc::clone(&slot), name: "echo".into(), kind: HandlerKind::Stage };

    let mut job = handler.start(stage(json!({"say": "good morning"}))).await.unwrap();
    let event = job.next_event().await.unwrap();
    assert!(matches!(event, Event::Text { delta } if delta == "good morning"));
    assert_eq!(job.outcome().await.unwrap(), json!({"output": {"said": "good morning"}}));

    let job = handler.start(stage(json!({}))).await.unwrap();
    job.canceller().cancel();
    assert!(matches!(job.outcome().await, Err(JobError::Cancelled)));

    slot.replace(None);
    while !generation.is_drained() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(matches!(handler.start(stage(json!({}))).await, Err(JobError::Gone(_))));
    let destroyed = lock(&transport.destroyed).clone();
    assert_eq!(destroyed.len(), 2, "each job once: {destroyed:?}");
    assert_eq!(generation.stats.snapshot().violations, 0);
}
