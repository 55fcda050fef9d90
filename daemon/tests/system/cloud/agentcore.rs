//! Agents on AgentCore: the real plugin in the real daemon, against the emulator's control plane and S3, and a double of the
//! data plane that runs the archives.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use super::{
    account, bucket,
    support::{Daemon, Home, agent_code, emulator::Account, eventually, prices::PRICES, sse::Stream, venv},
};

const ROLE: &str = "arn:aws:iam::123456789012:role/agents";
/// What the same agent is asked wherever it runs.
const QUESTIONS: [&str; 20] = [
    "How much is an apple?",
    "How much are 3 pears?",
    "What do 2 apples and 3 pears cost?",
    "price of pear",
    "Is there a discount?",
    "What is 15% of 80?",
    "apple",
    "10 apples please",
    "How much is a melon?",
    "What does a pear cost?",
    "hello",
    "How much are 7 apples and 1 pear?",
    "Which fruit is cheaper, apple or pear?",
    "What can you do?",
    "list all prices",
    "What is the cheapest item?",
    "pears: 12",
    "How much is half an apple?",
    "Wie viel kostet ein Apfel?",
    "苹果多少钱",
];

/// The double; it ends with its standard input, which is this process's to close.
struct Front {
    url: String,
    _child: Child,
}

impl Front {
    fn start(account: &Account) -> Self {
        let python = venv::bin_for("emulator", "emulator-venv").join("python");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/emulator/agentcore.py");
        let mut command = Command::new(python);
        command.args([script, &account.url]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Python");
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { url: format!("http://127.0.0.1:{}", port.trim()), _child: child }
    }

    async fn ask(&self, path: &str) -> Value {
        let answer = reqwest::get(format!("{}/_front/{path}", self.url)).await.expect("the double");
        answer.json().await.expect("JSON")
    }
}

/// A home whose daemons may deploy to AgentCore, and the account in which they do.
async fn deploying() -> (Account, Front, Home) {
    let account = account().await;
    bucket(&account).await;
    let front = {
        let account = account.clone();
        tokio::task::spawn_blocking(move || Front::start(&account)).await.unwrap()
    };
    let mut home = Home::new(&format!(
        "[deploy.targets]\nagentcore = \"deploy-agentcore/agentcore\"\n\
         [worker]\nlease_secs = 3\nheartbeat_secs = 1\nreconcile_secs = 1\n\
         [plugins.deploy-agentcore]\nregion = \"us-east-1\"\nendpoint_url = \"{}\"\nrole_arn = \"{ROLE}\"\n\
         bucket = \"files-{}\"\n",
        front.url, account.access_key
    ));
    home.set("AWS_ACCESS_KEY_ID", &account.access_key);
    home.set("AWS_SECRET_ACCESS_KEY", "secret");
    (account, front, home)
}

/// Runtimes of the account, and archives in its bucket.
async fn left(account: &Account) -> (Vec<Value>, usize) {
    let credential = format!("{}/20260101/us-east-1/bedrock-agentcore/aws4_request", account.access_key);
    let signed = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
    let list = reqwest::Client::new().post(format!("{}/runtimes", account.url)).header("authorization", signed);
    let listed: Value = list.send().await.unwrap().json().await.unwrap();
    let path = format!("files-{}?list-type=2", account.access_key);
    let archives = account.s3(reqwest::Method::GET, &path).await.text().await.unwrap();
    (listed["agentRuntimes"].as_array().unwrap().clone(), archives.matches("<Key>").count())
}

/// What an agent answers in a new session, question by question: the kinds of events, and the text.
async fn answers(daemon: &Daemon, agent: &str) -> Vec<(Vec<String>, String)> {
    let (_, session) = daemon.post(&format!("/agents/{agent}/sessions"), &json!({})).await;
    let session = session["data"]["session_id"].as_str().expect("an id").to_owned();
    let mut all = Vec::new();
    for question in QUESTIONS {
        let asked = daemon.http().post(daemon.at(&format!("/sessions/{session}/stream")));
        let stream = Stream::new(asked.json(&json!({ "content": question })).send().await.expect("a stream"));
        let frames = stream.all().await;
        let mut kinds: Vec<String> =
            frames.iter().map(|frame| format!("{} {}", frame.data["event"], frame.data["type"])).collect();
        kinds.dedup();
        let text =
            frames.iter().filter(|frame| frame.data["type"] == "text").filter_map(|frame| frame.data["data"].as_str());
        all.push((kinds, text.collect()));
    }
    all
}

async fn running(daemon: &Daemon, agent: &str) -> Value {
    eventually("the agent runs", async || {
        let (_, found) = daemon.get(&format!("/agents/{agent}")).await;
        assert_ne!(found["data"]["status"], "error", "{found:#}\n{}", daemon.log());
        (found["data"]["status"] == "running").then(|| found["data"].clone())
    })
    .await
}

async fn move_to(daemon: &Daemon, agent: &str, target: &str) -> Value {
    let body = json!({ "deployment": { "type": target } });
    let (status, moved) = daemon.post(&format!("/agents/{agent}/deploy"), &body).await;
    assert_eq!(status, 200, "{moved:#}");
    running(daemon, agent).await
}

/// One word decides where an agent runs; it says the same wherever that is, and leaves nothing behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_answers_the_same_at_home_and_on_agentcore() {
    let (account, _front, home) = deploying().await;
    let (code, said) = home.run(&["check-config"]);
    assert_eq!(code, Some(0), "{said}");
    let daemon = home.start();
    let (_, agent) = daemon.build_agent(PRICES).await;
    let at_home = answers(&daemon, &agent).await;
    assert!(at_home[0].1.contains('3'), "{at_home:?}");

    let there = move_to(&daemon, &agent, "agentcore").await;
    assert_eq!(there["deployment_type"], "agentcore", "{there:#}");
    assert!(there["agentcore_runtime_arn"].as_str().is_some_and(|arn| arn.starts_with("arn:aws:bedrock-agentcore:")));
    assert_eq!(
        (&there["agentcore_region"], &there["agentcore_runtime_alias"]),
        (&json!("us-east-1"), &json!("DEFAULT"))
    );
    assert_eq!(answers(&daemon, &agent).await, at_home);
    let (_, health) = daemon.get(&format!("/agents/{agent}/runtime/health")).await;
    assert_eq!((&health["data"]["is_ready"], &health["data"]["runtime_type"]), (&json!(true), &json!("agentcore")));
    // A runtime can be asked without its agent's record, too.
    let body = json!({
        "runtime_arn": there["agentcore_runtime_arn"], "session_id": "passing", "content": "How much is an apple?",
    });
    let passing = daemon.http().post(daemon.at("/agentcore/stream")).json(&body).send().await.unwrap();
    let frames = Stream::new(passing).all().await;
    assert!(frames.iter().any(|frame| frame.data.to_string().contains('3')), "{frames:?}");

    // New code is the next version of the same runtime.
    let change = json!({ "content": agent_code::echo("again"), "redeploy": true });
    let put = daemon.http().put(daemon.at(&format!("/agents/{agent}/files/code"))).json(&change).send().await.unwrap();
    assert_eq!(put.status(), 200, "{:?}", put.text().await);
    let changed = running(&daemon, &agent).await;
    assert_eq!(changed["agentcore_runtime_arn"], there["agentcore_runtime_arn"]);
    let (status, answer) = daemon.post(&format!("/agents/{agent}/invoke"), &json!({"input_text": "hello"})).await;
    assert_eq!((status, &answer["data"]["output"]), (200, &json!("again hello")), "{answer:#}");
    let (runtimes, archives) = left(&account).await;
    assert_eq!((runtimes.len(), archives), (1, 2), "{runtimes:#?}");
    assert_eq!(runtimes[0]["agentRuntimeVersion"], "2");

    // Home again, and away with it: the sessions of before are there until it goes.
    let back = move_to(&daemon, &agent, "local").await;
    assert_eq!(back["agentcore_runtime_arn"], Value::Null, "{back:#}");
    assert_eq!(left(&account).await, (Vec::new(), 0));
    let (_, sessions) = daemon.get(&format!("/agents/{agent}/sessions")).await;
    assert_eq!(sessions["data"].as_array().unwrap().len(), 2, "{sessions:#}");
    move_to(&daemon, &agent, "agentcore").await;
    let (status, gone) = daemon.delete(&format!("/agents/{agent}")).await;
    assert_eq!((status, &gone["data"]["errors"]), (200, &json!([])), "{gone:#}");
    assert_eq!(left(&account).await, (Vec::new(), 0));

    let (status, refused) =
        daemon.post("/projects", &json!({"requirement": PRICES, "deployment": {"type": "mars"}})).await;
    assert_eq!(status, 422, "{refused:#}");
}

/// A daemon that is killed while it deploys goes on after its restart, and then all of it can be taken away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_killed_while_it_deploys_leaves_nothing_behind() {
    let (account, front, home) = deploying().await;
    let mut daemon = home.start();
    let (_, agent) = daemon.build_agent(PRICES).await;
    // Before and after the runtime is made; the plugin's own tests cut off at every request.
    for (at, when) in [(4, "before"), (4, "after")] {
        front.ask(&format!("hold?at={at}&when={when}")).await;
        let body = json!({ "deployment": { "type": "agentcore" } });
        let (status, moved) = daemon.post(&format!("/agents/{agent}/deploy"), &body).await;
        assert_eq!(status, 200, "{moved:#}");
        let held = front.ask("held").await;
        assert_eq!(held["held"], true, "request {at} was never sent: {held}\n{}", daemon.log());
        daemon.kill();
        front.ask("release").await;
        daemon = home.start();
        running(&daemon, &agent).await;
        let (runtimes, archives) = left(&account).await;
        assert_eq!((runtimes.len(), archives), (1, 1), "{at} {when}: {runtimes:#?}");
        move_to(&daemon, &agent, "local").await;
        assert_eq!(left(&account).await, (Vec::new(), 0), "{at} {when}");
    }
}

/// What deploying needs is told before the first deployment.
#[test]
fn what_is_missing_is_told_before_the_first_deployment() {
    let home = Home::new("[deploy.targets]\ncloud = \"deploy-agentcore/agentcore\"\n");
    let (code, said) = home.run(&["check-config"]);
    assert_eq!(code, Some(1), "{said}");
    for key in ["plugins.deploy-agentcore.role_arn", "plugins.deploy-agentcore.bucket"] {
        assert!(said.contains("the deploy target `cloud` cannot be served") && said.contains(key), "{said}");
    }
    home.configure(&format!(
        "[plugins.deploy-agentcore]\nrole_arn = \"{ROLE}\"\nbucket = \"b\"\nregion = \"eu-west-1\"\n"
    ));
    let (code, said) = home.run(&["resources", "policy", "--agentcore", "--account", "123456789012"]);
    assert_eq!(code, Some(0), "{said}");
    let policy: Value = serde_json::from_str(&said).expect("JSON");
    assert!(policy["Statement"].as_array().unwrap().iter().any(|one| one["Resource"] == json!([ROLE])), "{policy:#}");
}
