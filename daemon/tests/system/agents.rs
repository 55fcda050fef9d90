//! An agent is edited, redeployed, left in mid-answer and taken out of service: the real binary, real Python.

use super::support::{Daemon, Home, agent_code, eventually, sse::Stream};
use serde_json::{Value, json};

async fn put(daemon: &Daemon, path: &str, body: &Value) -> (u16, Value) {
    let answer = daemon.http().put(daemon.at(path)).json(body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_edited_left_in_mid_answer_and_taken_offline() {
    let home = Home::new("");
    let daemon = home.start();
    let (project, agent) = daemon.build_agent("A calculator for percentages, tips and general arithmetic.").await;
    let (_, health) = daemon.get(&format!("/agents/{agent}/runtime/health")).await;
    assert_eq!((&health["data"]["has_entrypoint"], &health["data"]["is_ready"]), (&json!(true), &json!(true)));
    let (_, context) = daemon.get(&format!("/agents/{agent}/context")).await;
    assert!(context["data"]["runtime_model_id"].is_string(), "{context:#}");

    // The change is what answers next.
    let change = json!({ "content": agent_code::endless(), "redeploy": true });
    let (status, changed) = put(&daemon, &format!("/agents/{agent}/files/code"), &change).await;
    assert_eq!(status, 200, "{changed:#}");
    daemon.wait_for_agent(&project).await;

    // Who leaves in mid-answer leaves the agent at work; a stop ends it. What was said is kept and marked.
    let (_, session) = daemon.post(&format!("/agents/{agent}/sessions"), &json!({})).await;
    let session = session["data"]["session_id"].as_str().expect("an id").to_owned();
    let request = daemon.http().post(daemon.at(&format!("/sessions/{session}/stream")));
    let mut stream = Stream::new(request.json(&json!({ "content": "go" })).send().await.expect("a stream"));
    for _ in 0..4 {
        stream.next().await.expect("a frame");
    }
    drop(stream);
    let mut back =
        Stream::new(daemon.http().get(daemon.at(&format!("/sessions/{session}/stream"))).send().await.unwrap());
    for _ in 0..20 {
        back.next().await.expect("the answer goes on");
    }
    let folder = home.data().join("agents").join(&agent).join("home");
    assert!(!folder.join("left").exists(), "it is still listened to");
    let (status, stopped) = daemon.delete(&format!("/sessions/{session}/stream")).await;
    assert_eq!(status, 200, "{stopped:#}");
    eventually("the agent sees that nobody listens", async || folder.join("left").exists().then_some(())).await;
    let messages = format!("/sessions/{session}/messages");
    let said = eventually("the partial answer is stored", async || {
        let (_, messages) = daemon.get(&messages).await;
        messages["data"].get(1).cloned()
    })
    .await;
    assert!(said["content"].as_str().is_some_and(|text| text.starts_with("tick ")), "{said:#}");
    assert_eq!(said["metadata"]["interrupted"], true, "{said:#}");
    let (_, detail) = daemon.get(&format!("/agents/{agent}")).await;
    assert_eq!(
        (&detail["data"]["total_invocations"], &detail["data"]["failed_invocations"]),
        (&json!(1), &json!(1)),
        "{detail:#}"
    );

    // Out of service it is not asked, and is not ready.
    let (status, offline) = put(&daemon, &format!("/agents/{agent}"), &json!({ "status": "offline" })).await;
    assert_eq!((status, &offline["data"]["status"]), (200, &json!("offline")), "{offline:#}");
    let (status, refused) = daemon.post(&format!("/agents/{agent}/invoke"), &json!({ "input_text": "x" })).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("AGENT_NOT_RUNNING")));
    let (_, health) = daemon.get(&format!("/agents/{agent}/runtime/health")).await;
    assert_eq!(health["data"]["is_ready"], false);
    let (status, _) = put(&daemon, &format!("/agents/{agent}"), &json!({ "status": "running" })).await;
    assert_eq!(status, 200);
    daemon.wait_for_agent(&project).await;
}

/// What was built, or was written through the API, is started; what came into the folder otherwise is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_what_somebody_wrote_or_is_not_started() {
    let home = Home::new("");
    let daemon = home.start();
    let (project, agent) = daemon.build_agent("A calculator for percentages, tips and general arithmetic.").await;
    let folder = home.data().join("projects").join(&project).join("agent");
    let code = folder.join("agent.py");
    let built = std::fs::read_to_string(&code).unwrap();
    let path = format!("/agents/{agent}/invoke");
    let question = json!({ "input_text": "What is 15% of 80?" });
    let (status, answer) = daemon.post(&path, &question).await;
    assert_eq!(status, 200, "{answer:#}");

    let refused = async |said: &str| {
        let (status, answer) = daemon.post(&path, &question).await;
        assert_ne!(status, 200, "{answer:#}");
        assert!(answer.to_string().contains(said), "{said} is missing in {answer:#}");
    };
    std::fs::write(&code, format!("{built}\nprint('planted')\n")).unwrap();
    refused("agent.py is not what was recorded").await;
    std::fs::write(&code, &built).unwrap();
    let planted = folder.join("tools/planted.py");
    std::fs::write(&planted, "print('planted')\n").unwrap();
    refused("tools/planted.py is in nobody's record").await;
    std::fs::remove_file(&planted).unwrap();
    let (status, answer) = daemon.post(&path, &question).await;
    assert_eq!(status, 200, "{answer:#}");

    // Through the API both are somebody's; so they are after a restart.
    let tool = json!({ "content": "def planted() -> int:\n    return 1\n" });
    let (status, written) = put(&daemon, &format!("/agents/{agent}/files/tools/planted"), &tool).await;
    assert_eq!(status, 200, "{written:#}");
    let change = json!({ "content": format!("{built}\n# by hand\n") });
    let (status, written) = put(&daemon, &format!("/agents/{agent}/files/code"), &change).await;
    assert_eq!(status, 200, "{written:#}");
    let (status, answer) = daemon.post(&path, &question).await;
    assert_eq!(status, 200, "{answer:#}");
    daemon.kill();
    home.configure("[agents]\neditable = false\n");
    let daemon = home.start();
    let (status, answer) = daemon.post(&path, &question).await;
    assert_eq!(status, 200, "{answer:#}");
    let (status, kept) = put(&daemon, &format!("/agents/{agent}/files/code"), &change).await;
    assert_eq!((status, &kept["error"]["code"]), (403, &json!("CODE_NOT_EDITABLE")), "{kept:#}");
}
