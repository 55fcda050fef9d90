//! What walls cost a start: `cargo bench -p nexus-sandbox --bench start`. Prints medians; asserts nothing.
//!
//! Two times: until the program runs (it has been executed, behind its walls), and until it and all of it is gone. Confined
//! and unconfined starts take turns, so that both meet what the machine does besides.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use nexus_sandbox::{Interpreter, Limits, Mode, Profile, Sandbox};

const ROUNDS: usize = 40;

fn main() {
    nexus_sandbox::run_if_asked();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(measure());
}

async fn measure() {
    let (folder, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let python = Interpreter::find("python3").await.unwrap();
    for (name, program, arguments) in
        [("true", Path::new("/bin/true"), &[][..]), ("python", &python.program, &["-I", "-c", "pass"][..])]
    {
        for mode in [Mode::Landlock, Mode::Bwrap] {
            for profile in Profile::ALL {
                let mut sandbox = Sandbox::new(profile, program, folder.path()).arguments(arguments);
                sandbox.reads = python.files.clone();
                sandbox.writes = vec![work.path().to_owned()];
                sandbox.limits = Limits { memory: Some(1 << 30), disk_bytes: Some(1 << 30), ..Limits::default() };
                sandbox.mode = Some(mode);
                let (mut plain, mut confined) = (Times::default(), Times::default());
                for _ in 0..ROUNDS {
                    let begun = Instant::now();
                    let mut command = tokio::process::Command::new(program);
                    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
                    let mut child = command.spawn().unwrap();
                    plain.running.push(begun.elapsed());
                    child.wait().await.unwrap();
                    plain.gone.push(begun.elapsed());
                    let begun = Instant::now();
                    match sandbox.spawn().await {
                        Ok(mut process) => {
                            confined.running.push(begun.elapsed());
                            process.ended().await.unwrap();
                            confined.gone.push(begun.elapsed());
                        }
                        Err(error) => {
                            println!("{name:6} {mode:?} {}: {error}", profile.word());
                            break;
                        }
                    }
                }
                if !confined.gone.is_empty() {
                    let [started, ended] = [(plain.running, confined.running), (plain.gone, confined.gone)]
                        .map(|(plain, confined)| (median(plain), median(confined)));
                    println!(
                        "{name:6} {:8} {:5}  running after {:5.1} ms, unconfined {:5.1} ms: {:+5.1}; gone after {:5.1} ms, unconfined {:5.1} ms: {:+5.1}",
                        format!("{mode:?}"),
                        profile.word(),
                        started.1,
                        started.0,
                        started.1 - started.0,
                        ended.1,
                        ended.0,
                        ended.1 - ended.0
                    );
                }
            }
        }
    }
}

#[derive(Default)]
struct Times {
    running: Vec<Duration>,
    gone: Vec<Duration>,
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64) * 1e3
}
