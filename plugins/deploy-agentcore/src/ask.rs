//! One question to a runtime, and its answer as it comes.

use std::time::Duration;

use nexus_deploy::answer::{AskError, Bounds, Clock, may_pass, question, read};
use nexus_plugin_api::{
    Context,
    payload::{Failure, InvokeRequest, InvokeResult},
};
use tokio::time::sleep;

use crate::{
    Settings,
    cloud::{Cloud, CloudError, Question},
    names,
    runtime::Known,
};

/// Tries of a question that AgentCore did not take: a session that is just starting or ending, too many requests.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Asks, tells the answer's pieces to `cx`, and returns the whole.
pub(crate) async fn ask(
    settings: &Settings,
    cloud: &Cloud,
    request: &InvokeRequest,
    cx: &Context,
) -> Result<InvokeResult, Failure> {
    let name = &request.agent.agent_name;
    let known = Known::of(&request.agent)?;
    let (Some(arn), Some(region)) = (&known.arn, &known.region) else {
        return Err(Failure::permanent(format!("agent {name} has no runtime on AgentCore yet: deploy it")));
    };
    let bearer = bearer(settings).await?;
    let session = names::session(&request.session_id);
    let asked = Question {
        arn,
        region,
        qualifier: &known.qualifier,
        session: &session,
        body: question(request).to_string().into_bytes(),
        bearer: bearer.as_deref(),
    };
    let bounds = Bounds {
        total_secs: settings.invoke_timeout_secs,
        idle_secs: settings.idle_timeout_secs,
        max_bytes: settings.max_answer_bytes,
    };
    let mut clock = Clock::start(bounds);
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    loop {
        // The step's error is the cloud's own, which says more than `AskError` can.
        let head =
            clock.within(async { Ok(cloud.invoke(&asked).await) }).await.map_err(|error| explain(name, &error))?;
        match head {
            Ok(coming) => {
                return read(coming, &mut clock, request, cx).await.map_err(|error| explain(name, &error));
            }
            // Nothing was asked yet.
            Err(error) if tries < TRIES && error.may_be_asked_again() => {
                sleep(pause.mul_f64(0.5 + rand::random::<f64>())).await;
                pause *= 2;
                tries += 1;
            }
            Err(error) => return Err(error.into_failure()),
        }
    }
}

impl CloudError {
    /// Whether the agent has certainly not seen the question.
    fn may_be_asked_again(&self) -> bool {
        use crate::cloud::Refusal;
        self.is(Refusal::Conflict) || self.is(Refusal::Throttled)
    }
}

async fn bearer(settings: &Settings) -> Result<Option<String>, Failure> {
    if settings.bearer_file.is_empty() {
        return Ok(None);
    }
    let read = tokio::fs::read_to_string(&settings.bearer_file).await;
    let token = read.map_err(|error| {
        Failure::permanent(format!("bearer_file of [plugins.deploy-agentcore] cannot be read: {error}"))
    })?;
    let token = token.trim().to_owned();
    let is_token = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    is_token.then_some(Some(token)).ok_or_else(|| {
        Failure::permanent("bearer_file of [plugins.deploy-agentcore] holds no token: it must be one line of text")
    })
}

fn explain(name: &str, error: &AskError) -> Failure {
    let text = format!("agent {name} {error}");
    match error {
        AskError::Cut(_) | AskError::Refused(_) | AskError::Silent(_) | AskError::Overtime(_) => {
            Failure::transient(text)
        }
        AskError::Reported { error_type, .. } if may_pass(error_type) => Failure::transient(text),
        AskError::BadRequest(_) => Failure::invalid_input(text),
        AskError::Rejected { .. } | AskError::Reported { .. } | AskError::Garbage(_) | AskError::TooMuch(_) => {
            Failure::permanent(text)
        }
    }
}
