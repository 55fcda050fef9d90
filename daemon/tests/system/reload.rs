//! Dropping a plugin and a workflow in and reloading is all it takes; what is wrong changes nothing.

use super::support::{Home, noop_workflow, plugin_dir};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_in_plugin_and_workflow_are_there_after_a_reload() {
    let home = Home::new("");
    let (workflows, plugins) = (home.path().join("workflows"), home.path().join("plugins"));
    std::fs::create_dir(&workflows).expect("a folder for workflows");
    std::fs::create_dir(&plugins).expect("a folder for plugins");
    let bundled = plugin_dir();
    home.configure(&format!("[workflows]\ndirs = [{workflows:?}]\n[plugins]\ndirs = [{bundled:?}, {plugins:?}]\n"));
    let daemon = home.start();
    let wanted = json!({"requirement": "something for the new workflow", "workflow": "noop"});
    let (status, answer) = daemon.post("/projects", &wanted).await;
    assert_eq!(status, 422, "{answer}");
    assert!(
        answer["error"]["message"].to_string().contains("agent_build") || answer.to_string().contains("agent_build")
    );

    // A workflow whose handler no plugin has is refused, with its place, and nothing changes.
    std::fs::write(workflows.join("noop.toml"), noop_workflow(3, 0)).expect("the workflow is written");
    let (status, answer) = daemon.post("/plugins/reload", &json!({})).await;
    assert!(status >= 400, "{answer}");
    assert!(answer.to_string().contains("noop/noop"), "{answer}");
    assert_eq!(daemon.post("/projects", &wanted).await.0, 422);

    std::fs::copy(bundled.join("libnexus_fixture_noop.so"), plugins.join("libnoop.so")).expect("the fixture is built");
    let (status, answer) = daemon.post("/plugins/reload", &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let (_, listed) = daemon.get("/plugins").await;
    let noop = listed["data"].as_array().into_iter().flatten().find(|p| p["name"] == "noop").cloned();
    let noop = noop.unwrap_or_else(|| panic!("{listed:#}"));
    assert_eq!((&noop["state"], &noop["generation"]), (&json!("loaded"), &json!(1)), "{noop:#}");

    let project = daemon.create("something for the new workflow", "noop").await;
    let done = daemon.wait_for(&project, &["completed"]).await;
    assert_eq!(done["stages"].as_array().map(Vec::len), Some(3));
    assert_eq!(done["stages"][0]["agent_name"], "noop/noop");
}
