//! What one who may see a thing may not see of it.

use reqwest::StatusCode;
use serde_json::json;

use crate::access::world;

/// An agent's variables hold keys. Whoever posted them has them; nobody reads them here, his own viewers least of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_variables_of_a_deployment_hold_is_shown_to_nobody() {
    let world = world(|_| ()).await;
    let things = world.things().await;
    let world = world.with_callers(&things).await;
    let deployment =
        json!({ "target": "local", "env": { "API_KEY": "sesame" }, "config": { "env": { "B": "sesame" } } });
    let body = json!({ "requirement": "Build an agent that tells the weather", "deployment": deployment });
    let made = world.ask(Some(world.token("owner")), "POST", "/api/v2/projects", Some(&body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let project = made.body["data"]["project_id"].as_str().unwrap();
    let task = made.body["data"]["task_id"].as_str().unwrap();
    for caller in ["admin", "owner", "user", "viewer"] {
        for path in [
            format!("projects/{project}"),
            format!("projects/{project}/build"),
            format!("projects/{project}/tasks"),
            format!("tasks/{task}"),
            "tasks".to_owned(),
        ] {
            let answer = world.ask(Some(world.token(caller)), "GET", &format!("/api/v2/{path}"), None).await;
            assert!(!answer.text.contains("sesame"), "{caller} {path}: {}", answer.text);
            if path.ends_with(project) {
                assert_eq!(answer.body["data"]["deployment"]["env"], json!({ "API_KEY": "***" }), "{}", answer.text);
            }
        }
    }
    // What the agent will be started with is kept.
    let kept = world.api.state.store.project(&project.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(kept.deployment, Some(deployment));
}
