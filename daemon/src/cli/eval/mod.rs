//! `nexusd eval`: measures agents over a set of requirements, or compares two measurements.

mod own;
mod subject;

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{
    client::{self, Credential},
    complain, print, run_to_end,
};
use crate::{
    config::Inputs,
    evaluation::{Journal, Plan, Results, Set, compare::compare, report, run},
};
use own::OwnDaemon;
use subject::HttpSubject;

#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    /// File or folder of requirements with questions and oracles (daemon/evals/README.md has the form)
    #[arg(required_unless_present = "compare")]
    set: Option<PathBuf>,
    /// Build and ask each requirement so often
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
    /// Ask the daemon at this address, not one of its own in a temporary folder
    #[arg(long, value_name = "URL")]
    against: Option<String>,
    /// Write the results into this file
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Write a report in Markdown into this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Keep every row in this file; a run that broke off goes on from it
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Only these ids, kinds, classes or languages
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Requirements at a time
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=32))]
    jobs: u8,
    /// Leave projects and agents where they are
    #[arg(long)]
    keep: bool,
    /// Compare two files of results
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"], conflicts_with = "set")]
    compare: Option<Vec<PathBuf>>,
}

/// Why it could not be measured.
#[derive(Debug, thiserror::Error)]
enum EvalError {
    #[error(transparent)]
    Set(#[from] crate::evaluation::SetError),
    #[error(transparent)]
    Journal(#[from] crate::evaluation::journal::JournalError),
    #[error("{}: {problem}", path.display())]
    File { path: PathBuf, problem: String },
    #[error("{0}")]
    Daemon(String),
    #[error("{0} requirement-run(s) are incomplete; run it again with --journal {1} to go on")]
    Incomplete(usize, String),
}

pub(super) fn eval(inputs: &Inputs, args: EvalArgs, as_json: bool) -> ExitCode {
    run_to_end(async {
        match act(inputs, &args, as_json).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => super::failed(&error),
        }
    })
}

async fn act(inputs: &Inputs, args: &EvalArgs, as_json: bool) -> Result<(), EvalError> {
    if let Some([before, after]) = args.compare.as_deref() {
        print(compare(&results(before)?, &results(after)?).text().trim_end());
        return Ok(());
    }
    let path = args.set.clone().unwrap_or_default();
    let set = Set::read(&path)?.only(&args.only)?;
    let temporary = tempfile::tempdir().map_err(|error| EvalError::Daemon(format!("a temporary folder: {error}")))?;
    let file = args.journal.clone().unwrap_or_else(|| temporary.path().join("journal.jsonl"));
    let mut journal = Journal::open(&file, &set.digest, crate::version::FULL)?;
    let own = match &args.against {
        Some(_) => None,
        None => Some(OwnDaemon::start(inputs, temporary.path()).await.map_err(EvalError::Daemon)?),
    };
    let url = args.against.clone().or_else(|| own.as_ref().map(|own| own.url.clone())).unwrap_or_default();
    let credential = match &own {
        Some(_) => Credential::File(temporary.path().join("data").join("admin.token")),
        None => client::meant(inputs, Some(url.clone())).1,
    };
    let subject = HttpSubject::new(&url, credential, own.is_none() && !args.keep)
        .map_err(|error| EvalError::Daemon(error.to_string()))?;
    complain(&format!(
        "{} requirements, {} questions, {} run(s), at {url}",
        set.requirements.len(),
        set.questions(),
        args.runs
    ));
    let shown = std::io::stderr().is_terminal();
    let plan = Plan { set: &set, runs: usize::from(args.runs), jobs: usize::from(args.jobs) };
    let all = run(plan, &subject, &mut journal, |ended, of, requirement| {
        if shown || ended % 25 == 0 || ended == of {
            complain(&format!("{ended}/{of}  {}", requirement.id));
        }
    });
    tokio::select! {
        ended = all => ended?,
        // What is in the journal is kept; what runs now is not counted.
        _ = tokio::signal::ctrl_c() => complain("stopped; what ended so far is shown"),
    }
    if let Some(own) = own {
        own.stop().await;
    }
    let results = Results::of(&set, journal.rows(), usize::from(args.runs));
    let text = serde_json::to_string_pretty(&results).map_err(|error| failed(&path, &error))?;
    let table = report::table(&results);
    print(if as_json { &text } else { table.trim_end() });
    if let Some(path) = &args.results {
        std::fs::write(path, text + "\n").map_err(|error| failed(path, &error))?;
    }
    if let Some(path) = &args.report {
        std::fs::write(path, report::markdown(&results)).map_err(|error| failed(path, &error))?;
    }
    match results.incomplete.len() {
        0 => Ok(()),
        many => Err(EvalError::Incomplete(
            many,
            args.journal.as_ref().map_or("FILE".into(), |path| path.display().to_string()),
        )),
    }
}

fn results(path: &Path) -> Result<Results, EvalError> {
    let text = std::fs::read_to_string(path).map_err(|error| failed(path, &error))?;
    serde_json::from_str(&text).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, problem: &dyn std::fmt::Display) -> EvalError {
    EvalError::File { path: path.to_owned(), problem: problem.to_string() }
}
