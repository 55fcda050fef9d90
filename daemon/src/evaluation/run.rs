//! Builds and asks: each requirement once a run, each conversation in a session of its own.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use futures::{StreamExt as _, stream};
use nexus_evaluation::Answer;

use super::{
    journal::{Built, Journal, JournalError, Row},
    set::{Requirement, Set},
};

/// A daemon that builds agents and lets them be asked.
pub trait Subject: Sync {
    /// Builds an agent and waits until it runs.
    fn build(&self, text: &str) -> impl Future<Output = Result<Built, Interrupted>> + Send;

    /// Opens a session.
    fn open(&self, agent: &str) -> impl Future<Output = Result<String, Interrupted>> + Send;

    /// Asks; `Err` inside is the agent's own failure.
    fn ask(
        &self,
        agent: &str,
        session: &str,
        question: &str,
    ) -> impl Future<Output = Result<Result<Answer, String>, Interrupted>> + Send;

    /// Removes what was built.
    fn discard(&self, project: &str) -> impl Future<Output = ()> + Send;
}

/// Harness or daemon broke off: nothing is known of the agent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Interrupted(pub String);

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The requirements.
    pub set: &'a Set,
    /// How often each.
    pub runs: usize,
    /// How many at once.
    pub jobs: usize,
}

/// Runs what the journal does not have yet. `tell` hears of each that ends, with how many there are.
///
/// # Errors
/// The journal cannot be written.
pub async fn run(
    plan: Plan<'_>,
    subject: &impl Subject,
    journal: &mut Journal,
    tell: impl Fn(usize, usize, &Requirement) + Sync,
) -> Result<(), JournalError> {
    let pending: Vec<(&Requirement, usize)> = (1..=plan.runs)
        .flat_map(|run| plan.set.requirements.iter().map(move |requirement| (requirement, run)))
        .filter(|(requirement, run)| !journal.has(&requirement.id, *run))
        .collect();
    let (total, ended) = (pending.len(), AtomicUsize::new(0));
    let journal = Mutex::new(journal);
    let add = |row: Row| journal.lock().unwrap_or_else(PoisonError::into_inner).add(row);
    let each = stream::iter(pending).map(|(requirement, run)| {
        let (add, tell, ended) = (&add, &tell, &ended);
        async move {
            let last = match one(requirement, run, subject, add).await {
                Ok(()) => Row::Done { requirement: requirement.id.clone(), run },
                Err(Stop::Interrupted(reason)) => {
                    Row::Incomplete { requirement: requirement.id.clone(), run, reason: reason.to_string() }
                }
                Err(Stop::Journal(error)) => return Err(error),
            };
            add(last)?;
            tell(ended.fetch_add(1, Ordering::Relaxed) + 1, total, requirement);
            Ok(())
        }
    });
    let mut all = each.buffer_unordered(plan.jobs.max(1));
    while let Some(outcome) = all.next().await {
        outcome?;
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

async fn one(
    requirement: &Requirement,
    run: usize,
    subject: &impl Subject,
    add: &(impl Fn(Row) -> Result<(), JournalError> + Sync),
) -> Result<(), Stop> {
    let begun = Instant::now();
    let built = subject.build(&requirement.text).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let (agent, project) = match &built {
        Built::Agent { id, project, .. } => (Some(id.clone()), project.clone()),
        Built::Failed { project, .. } => (None, project.clone()),
    };
    add(Row::Build { requirement: requirement.id.clone(), run, seconds, built })?;
    let asked = match agent {
        Some(agent) => ask_all(requirement, run, subject, &agent, add).await,
        None => Ok(()),
    };
    subject.discard(&project).await;
    asked
}

async fn ask_all(
    requirement: &Requirement,
    run: usize,
    subject: &impl Subject,
    agent: &str,
    add: &(impl Fn(Row) -> Result<(), JournalError> + Sync),
) -> Result<(), Stop> {
    for (number, questions) in requirement.sessions.iter().enumerate() {
        let session = subject.open(agent).await?;
        for (at, question) in questions.iter().enumerate() {
            let begun = Instant::now();
            let said = subject.ask(agent, &session, &question.ask).await?;
            let milliseconds = begun.elapsed().as_secs_f64() * 1000.0;
            let (answer, failure) = match said {
                Ok(answer) => (answer, None),
                Err(failure) => (Answer::default(), Some(failure)),
            };
            let requirement = requirement.id.clone();
            add(Row::Answer { requirement, run, session: number, question: at, answer, failure, milliseconds })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use nexus_evaluation::Call;

    use super::*;
    use crate::evaluation::Results;

    /// A daemon whose connection breaks once, in the middle of a conversation.
    #[derive(Default)]
    struct Shaky {
        broke: AtomicBool,
        built: AtomicUsize,
        discarded: AtomicUsize,
    }

    impl Subject for Shaky {
        async fn build(&self, _text: &str) -> Result<Built, Interrupted> {
            let id = self.built.fetch_add(1, Ordering::Relaxed).to_string();
            Ok(Built::Agent { id, project: "p".into(), said: serde_json::Value::Null })
        }

        async fn open(&self, agent: &str) -> Result<String, Interrupted> {
            Ok(agent.to_owned())
        }

        async fn ask(&self, _: &str, _: &str, question: &str) -> Result<Result<Answer, String>, Interrupted> {
            if question == "mango?" && !self.broke.swap(true, Ordering::Relaxed) {
                return Err(Interrupted("the connection broke".into()));
            }
            if question == "crash" {
                return Ok(Err("AGENT_FAILED: it ended".into()));
            }
            let text = if question == "mango?" { "I do not know mango." } else { "6 EUR" };
            Ok(Ok(Answer { text: text.into(), calls: vec![Call { name: "quote".into(), ok: question != "mango?" }] }))
        }

        async fn discard(&self, _project: &str) {
            self.discarded.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn what_breaks_the_harness_is_no_failure_of_the_agent() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("set.toml");
        let text = r#"
[[requirement]]
id = "a"
language = "en"
class = "served"
text = "prices: apple 3 EUR"
sessions = [[{ ask = "2 apples", figures = ["6 EUR"] }, { ask = "mango?", refuse = true }], [{ ask = "crash", refuse = true }]]
"#;
        std::fs::write(&file, text).unwrap();
        let set = Set::read(&file).unwrap();
        let path = folder.path().join("journal");
        let subject = Shaky::default();
        let plan = Plan { set: &set, runs: 2, jobs: 1 };
        let told = AtomicUsize::new(0);
        let mut journal = Journal::open(&path, &set.digest, "1").unwrap();
        run(plan, &subject, &mut journal, |_, _, _| {
            told.fetch_add(1, Ordering::Relaxed);
        })
        .await
        .unwrap();
        let first = Results::of(&set, journal.rows(), 2);
        assert_eq!((first.incomplete.len(), first.total.answers), (1, 3), "{first:?}");
        assert!(first.incomplete[0].contains("the connection broke"));
        drop(journal);
        // Taken up again, only what is missing is run.
        let mut journal = Journal::open(&path, &set.digest, "1").unwrap();
        run(plan, &subject, &mut journal, |_, _, _| {}).await.unwrap();
        assert_eq!(subject.built.load(Ordering::Relaxed), 3);
        assert_eq!(subject.discarded.load(Ordering::Relaxed), 3, "nothing is left behind, also of what broke");
        let whole = Results::of(&set, journal.rows(), 2);
        assert!(whole.incomplete.is_empty(), "{whole:?}");
        // The agent's own crash is its failure: an answer was asked for and none came.
        assert_eq!((whole.total.right, whole.total.nonsense), (4, 2), "{whole:?}");
        // The same rows judged again give the same results, word for word.
        let again = Results::of(&set, journal.rows(), 2);
        assert_eq!(serde_json::to_string(&whole).unwrap(), serde_json::to_string(&again).unwrap());
    }
}
