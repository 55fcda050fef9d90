//! What walls cost a start: `cargo bench -p nexus-sandbox --bench start`. Prints medians; asserts nothing.
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
        let mut plain = Vec::new();
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let mut command = tokio::process::Command::new(program);
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.output().await.unwrap();
            plain.push(begun.elapsed());
        }
        println!("{name:8} unconfined       {:6.1} ms", median(plain));
        for mode in [Mode::Landlock, Mode::Bwrap] {
            for profile in Profile::ALL {
                let mut sandbox = Sandbox::new(profile, program, folder.path()).arguments(arguments);
                sandbox.reads = python.files.clone();
                sandbox.writes = vec![work.path().to_owned()];
                sandbox.limits = Limits { memory: Some(1 << 30), disk_bytes: Some(1 << 30), ..Limits::default() };
                sandbox.mode = Some(mode);
                let mut times = Vec::new();
                for _ in 0..ROUNDS {
                    let begun = Instant::now();
                    match sandbox.spawn().await {
                        Ok(mut confined) => confined.ended().await.map(|_| times.push(begun.elapsed())).unwrap(),
                        Err(error) => {
                            println!("{name:8} {mode:?} {}: {error}", profile.word());
                            break;
                        }
                    }
                }
                if !times.is_empty() {
                    println!("{name:8} {:8} {:7} {:6.1} ms", format!("{mode:?}"), profile.word(), median(times));
                }
            }
        }
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64) * 1e3
}
