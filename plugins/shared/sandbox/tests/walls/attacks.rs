//! Attacks in C and Python on a victim of the same user: each is refused, in every profile, with every Landlock.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use nexus_sandbox::{Mode, Profile, Sandbox, SandboxError, Walls};

use crate::{bench::*, victim::Victim};

const TELL: &str = include_str!("attacks/tell.h");
const PYTHON: &str = include_str!("attacks/attacks.py");
/// The newest, and those of kernels 5.13, 6.2 and 6.10.
const LANDLOCKS: [Option<u32>; 4] = [None, Some(1), Some(3), Some(5)];

/// A set of attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Calls,
    Siblings,
    Python,
}

impl Suite {
    pub(crate) const ALL: [Self; 3] = [Self::Calls, Self::Siblings, Self::Python];

    /// So many at the least: a suite that ends early is no proof.
    fn least(self) -> usize {
        match self {
            Self::Calls => 130,
            Self::Siblings => 77,
            Self::Python => 75,
        }
    }

    /// Puts it into the code folder; the program and its first arguments.
    pub(crate) fn make(self, bench: &Bench) -> (PathBuf, Vec<String>) {
        let source = match self {
            Self::Calls => include_str!("attacks/attacks.c"),
            Self::Siblings => include_str!("attacks/siblings.c"),
            Self::Python => {
                std::fs::write(bench.code().join("attacks.py"), PYTHON).unwrap();
                return (bench.python.program.clone(), vec!["-I".into(), "attacks.py".into()]);
            }
        };
        let program = bench.code().join(format!("{self:?}"));
        compile(bench.folder.path(), source, &program);
        (program, Vec::new())
    }
}

fn compile(folder: &Path, source: &str, program: &Path) {
    let file = folder.join("attacks.c");
    std::fs::write(&file, source).unwrap();
    std::fs::write(folder.join("tell.h"), TELL).unwrap();
    let output = Command::new("cc").args(["-w", "-o"]).arg(program).arg(&file).output();
    let output = output.expect("these tests compile attacks: they need `cc` in PATH");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn outcomes(text: &str) -> BTreeMap<String, bool> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(name, outcome)| (name.to_owned(), outcome == "LEAK")).collect()
}

fn leaks(outcomes: &BTreeMap<String, bool>) -> Vec<&str> {
    outcomes.iter().filter(|(_, leaked)| **leaked).map(|(name, _)| name.as_str()).collect()
}

fn sandbox(bench: &Bench, victim: &Victim, profile: Profile, (program, first): &(PathBuf, Vec<String>)) -> Sandbox {
    let mut sandbox = bench.sandbox(profile, "");
    program.clone_into(&mut sandbox.program);
    sandbox.arguments = first.iter().map(Into::into).collect();
    sandbox.arguments(victim.arguments(&bench.work()))
}

/// Runs a suite with each profile and each Landlock.
async fn attack(suite: Suite, mode: Mode, landlocks: &[Option<u32>]) {
    let bench = Bench::new().await;
    let made = suite.make(&bench);
    let mut victim = Victim::new(bench.folder.path());
    for profile in Profile::ALL {
        for landlock in landlocks {
            let when = format!("{suite:?}, {mode:?}, {}, Landlock {landlock:?}", profile.word());
            let mut sandbox = sandbox(&bench, &victim, profile, &made);
            (sandbox.mode, sandbox.landlock_at_most) = (Some(mode), *landlock);
            let done = finish(&sandbox).await;
            let outcomes = outcomes(&done.stdout);
            assert!(
                outcomes.contains_key("done"),
                "{when}: it did not come to its end: {} {}",
                done.ending,
                done.stderr
            );
            assert!(outcomes.len() >= suite.least(), "{when}: {} attacks", outcomes.len());
            assert!(leaks(&outcomes).is_empty(), "{when}: {:?}", leaks(&outcomes));
            assert!(!format!("{}{}", done.stdout, done.stderr).contains("hunter2"), "{when}: the secret was said");
            victim.assert_untouched(&when);
            bench.empty_work();
        }
    }
    if suite == Suite::Python {
        assert_eq!(std::fs::read_to_string(bench.code().join("attacks.py")).unwrap(), PYTHON);
    }
}

#[tokio::test]
async fn attacks_in_c_are_refused() {
    if as_ordinary_user("attacks::attacks_in_c_are_refused") {
        attack(Suite::Calls, Mode::Landlock, &LANDLOCKS).await;
    }
}

#[tokio::test]
async fn their_siblings_are_refused() {
    if as_ordinary_user("attacks::their_siblings_are_refused") {
        attack(Suite::Siblings, Mode::Landlock, &LANDLOCKS).await;
    }
}

#[tokio::test]
async fn attacks_in_python_are_refused() {
    if as_ordinary_user("attacks::attacks_in_python_are_refused") {
        attack(Suite::Python, Mode::Landlock, &LANDLOCKS).await;
    }
}

#[tokio::test]
async fn attacks_inside_namespaces_are_refused() {
    if as_ordinary_user("attacks::attacks_inside_namespaces_are_refused") {
        for suite in Suite::ALL {
            attack(suite, Mode::Bwrap, &[None, Some(1)]).await;
        }
    }
}

/// Who may use some ports may use no others, and no other protocol.
#[tokio::test]
async fn attacks_by_an_agent_with_ports_are_refused() {
    if !as_ordinary_user("attacks::attacks_by_an_agent_with_ports_are_refused") {
        return;
    }
    let bench = Bench::new().await;
    let mut victim = Victim::new(bench.folder.path());
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    for suite in [Suite::Calls, Suite::Siblings] {
        let made = suite.make(&bench);
        for landlock in LANDLOCKS {
            let mut sandbox = sandbox(&bench, &victim, Profile::Agent, &made);
            sandbox.landlock_at_most = landlock;
            (sandbox.connect, sandbox.bind) = (vec![other.local_addr().unwrap().port()], vec![0]);
            if landlock.unwrap_or(u32::MAX).min(Walls::probe().landlock.unwrap()) < 4 {
                // No rules for ports: closed, not open.
                let error = sandbox.spawn().await.unwrap_err();
                assert!(matches!(&error, SandboxError::Weak { missing } if missing[0].contains("TCP")), "{error}");
                continue;
            }
            let done = finish(&sandbox).await;
            let outcomes = outcomes(&done.stdout);
            assert!(outcomes.contains_key("done"), "{} {}", done.ending, done.stderr);
            let given: &[&str] = if suite == Suite::Calls { &["listen-on-tcp", "listen-unbound"] } else { &[] };
            assert_eq!(leaks(&outcomes), given, "{suite:?} {landlock:?}");
            victim.assert_untouched("an agent with ports");
            bench.empty_work();
        }
    }
}
