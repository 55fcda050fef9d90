//! The store of files that daemons share: what is wrong with it is told at the start and by `/health`, and no work is taken
//! that could not go on.

use std::time::{Duration, Instant};

use super::{
    BOTH, bucket, home, ready, share_files,
    support::{Daemon, eventually, prices::PRICES},
    with_files,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_missing_is_named_at_the_start() {
    let (_, home) = ready(BOTH, 1).await;
    with_files(&home, "artifacts = \"s3://there-is-no-such-bucket/nexus\"");
    let begun = Instant::now();
    let run = tokio::task::spawn_blocking(move || home.run(&["serve"]));
    let (code, said) = tokio::time::timeout(Duration::from_secs(60), run).await.expect("it ends").unwrap();
    assert!(code != Some(0) && said.contains("does not exist: create it, or correct its name"), "{code:?} {said}");
    assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
}

async fn claims(daemon: &Daemon) -> usize {
    let log = daemon.log();
    log.lines().filter(|line| line.contains("could not be claimed")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_goes_away_stops_the_taking_of_work_and_is_told() {
    let (account, _) = ready(BOTH, 1).await;
    let home = home(&account, &account.url, BOTH, 1);
    let setting = bucket(&account).await;
    let name = setting.split("s3://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    with_files(&home, &setting);
    let daemon = home.start();
    let (status, health) = daemon.get("//health").await;
    assert!(status == 200 && health["checks"]["artifacts"] == "healthy", "{health}");
    // Everything in it goes first.
    let listed = account.s3(reqwest::Method::GET, &format!("{name}?list-type=2")).await.text().await.unwrap();
    for key in listed.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()) {
        assert!(account.s3(reqwest::Method::DELETE, &format!("{name}/{key}")).await.status().is_success());
    }
    let gone = account.s3(reqwest::Method::DELETE, &name).await;
    assert!(gone.status().is_success(), "{gone:?}");
    let health = eventually("its health tells it", async || {
        let (_, health) = daemon.get("//health").await;
        (health["checks"]["artifacts"] == "unhealthy").then_some(health)
    })
    .await;
    assert_eq!(health["status"], "degraded", "builds wait, all else goes on: {health}");
    assert!(health["reasons"]["artifacts"].as_str().is_some_and(|why| why.contains("does not exist")), "{health}");
    let mut projects = Vec::new();
    for n in 0..30 {
        projects.push(daemon.create(&format!("its files have no place, number {n}"), "noop").await);
    }
    eventually("it is noticed", async || daemon.log().contains("no build or deployment begins").then_some(())).await;
    let before = claims(&daemon).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let tried = claims(&daemon).await - before;
    assert!(tried <= 12, "{tried} claims in 6 s");
    assert!(daemon.log().contains("NoSuchBucket"), "the cause is in the log");
    // It is there again, and everything goes on by itself.
    bucket(&account).await;
    for project in &projects {
        daemon.wait_for(project, &["completed"]).await;
    }
    eventually("it is healthy again", async || (daemon.get("//health").await.1["status"] == "healthy").then_some(()))
        .await;
}

/// Two daemons never answer in one session at once, and one that is killed holds it for seconds only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_answered_in_by_one_daemon_at_a_time() {
    let (account, _) = ready(BOTH, 1).await;
    let (one, two) = (home(&account, &account.url, BOTH, 1), home(&account, &account.url, BOTH, 1));
    share_files(&account, &[&one, &two]).await;
    let (one, two) = (one.start(), two.start());
    let (_, agent) = one.build_agent(PRICES).await;
    let (status, session) = one.post(&format!("/agents/{agent}/sessions"), &serde_json::json!({})).await;
    assert_eq!(status, 201, "{session}");
    let session = session["data"]["session_id"].as_str().unwrap().to_owned();
    let path = format!("/sessions/{session}/stream");
    // Both at once, over and over: one answers, the other is told that it is busy.
    let question = serde_json::json!({ "content": "3 pears?" });
    let (mut answered, mut busy) = (0, 0);
    for _ in 0..5 {
        let ask = async |daemon: &Daemon| {
            let answer = daemon.http().post(daemon.at(&path)).json(&question).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        let (a, b) = tokio::join!(ask(&one), ask(&two));
        for (status, answer) in [a, b] {
            match status {
                200 if answer.contains("\"done\"") => answered += 1,
                409 if answer.contains("SESSION_BUSY") => busy += 1,
                _ => panic!("{status} {answer}"),
            }
        }
    }
    let (_, messages) = two.get(&format!("/sessions/{session}/messages")).await;
    let roles: Vec<&str> = messages["data"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    println!("{answered} answered, {busy} busy");
    assert_eq!(answered + busy, 10);
    assert_eq!(roles, ["user", "assistant"].repeat(answered), "never two at once");
}
