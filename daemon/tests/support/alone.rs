//! For a test that changes or counts what a whole process shares: limits, threads. It runs in a process of its own, this
//! binary again with nothing else to do.

use std::process::Command;

/// Says which test the process is for.
const ALONE: &str = "NEXUSD_TEST_ALONE";

/// Runs the work of a test, named as the test harness names it, in a process that runs nothing else.
pub fn alone(test: &str, work: impl Future<Output = ()>) {
    if std::env::var_os(ALONE).is_some_and(|wanted| wanted == test) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
        return runtime.expect("a runtime").block_on(work);
    }
    let mut again = Command::new(std::env::current_exe().expect("the path of this binary"));
    let output = again.args([test, "--exact", "--nocapture"]).env(ALONE, test).output().expect("it can be run again");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
