//! What the run builds: projects of a few files, and small agents that answer with their version.

use std::path::Path;

use serde_json::Value;

use super::support::agent_code;

/// Stages of a project of files.
pub(super) const STAGES: [&str; 6] = ["s0", "s1", "s2", "s3", "s4", "s5"];
/// Stages of a project that makes an agent.
pub(super) const AGENT_STAGES: [&str; 2] = ["plan", "write"];

/// The code of an agent of this version.
pub(super) fn code(version: u32) -> String {
    agent_code::echo(&format!("v{version}"))
}

/// The version in an answer.
pub(super) fn version_of(answer: &str) -> Option<u32> {
    answer.split(' ').next()?.strip_prefix('v')?.parse().ok()
}

/// Writes both workflows. Each stage tells `journal` when it begins and ends.
pub(super) fn write(folder: &Path, journal: &Path) {
    let options = |delay: u64, more: Value| {
        let mut options = format!("delay_ms = {delay}, journal = {journal:?}");
        for (name, value) in more.as_object().into_iter().flatten() {
            options.push_str(&format!(", {name} = {value}"));
        }
        options
    };
    let stage = |name: &str, needs: Option<&str>, options: String| {
        let needs = needs.map_or_else(String::new, |name| format!("{name:?}"));
        format!(
            "\n[[stages]]\nname = {name:?}\ndisplay_name = {name:?}\nhandler = \"noop/noop\"\nprerequisites = [{needs}]\n\
             options = {{ {options} }}\n"
        )
    };
    let mut files = "name = \"files\"\nretry_base_delay_secs = 1\n".to_owned();
    for (n, name) in STAGES.iter().enumerate() {
        let needs = n.checked_sub(1).and_then(|before| STAGES.get(before)).copied();
        // One stage is long enough to be met by most faults.
        let delay = if n == 2 { 700 } else { 60 };
        files.push_str(&stage(name, needs, options(delay, serde_json::json!({ "files": n % 3 }))));
    }
    let [plan, make] = AGENT_STAGES;
    let mut agent = "name = \"agent\"\nretry_base_delay_secs = 1\n".to_owned();
    agent.push_str(&stage(plan, None, options(60, serde_json::json!({ "files": 1 }))));
    agent.push_str(&stage(make, Some(plan), options(60, serde_json::json!({ "agent": code(1) }))));
    for (name, text) in [("files", files), ("agent", agent)] {
        std::fs::write(folder.join(format!("{name}.toml")), text).expect("the workflow is written");
    }
}
