//! What an adversary would try.

use std::time::{Duration, Instant};

use nexus_deploy_local::Settings;
use nexus_plugin_api::{DeployHandler, payload::AgentState, sdk::testing::Recorder};

use crate::bench::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undeploying_during_a_start_leaves_nothing() {
    let bench = bench();
    for round in 0..5 {
        let agent = bench.agent(&format!("aborted{round}"), "slow");
        let (deployer, starting) = (bench.deployer.clone(), agent.clone());
        let deploy = tokio::spawn(async move { deployer.deploy(starting, Recorder::new().1).await });
        if round > 0 {
            eventually("a process", async || !starts(&agent).is_empty()).await;
        }
        bench.undeploy(&agent).await;
        if let Err(failure) = deploy.await.unwrap() {
            assert!(failure.message.contains("undeployed"), "{failure}");
            assert!(processes_in(&agent.agent_dir).is_empty());
            assert!(starts(&agent).iter().all(|pid| !is_alive(*pid)));
        }
        // In the first round the undeployment may have come first.
        bench.undeploy(&agent).await;
        assert!(processes_in(&agent.agent_dir).is_empty());
    }
}

#[tokio::test]
async fn deploying_twice_at_once_ends_with_one_process() {
    let bench = bench();
    let agent = bench.agent("twice", "slow");
    let mut deploys = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (deployer, agent) = (bench.deployer.clone(), agent.clone());
        deploys.spawn(async move { deployer.deploy(agent, Recorder::new().1).await });
    }
    for result in deploys.join_all().await {
        result.unwrap();
    }
    let alive: Vec<u32> = starts(&agent).into_iter().filter(|pid| is_alive(*pid)).collect();
    assert_eq!(alive, [bench.pid(&agent).await]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_everything_ends_in_order() {
    let bench = bench();
    let agent = bench.agent("storm", "");
    let mut storm = tokio::task::JoinSet::new();
    for number in 0..60 {
        let (deployer, agent) = (bench.deployer.clone(), agent.clone());
        storm.spawn(async move {
            let cx = Recorder::new().1;
            match number % 6 {
                0 => drop(deployer.deploy(agent, cx).await),
                1 => drop(deployer.undeploy(agent, cx).await),
                2 => drop(deployer.invoke(question(&agent, "crash"), cx).await),
                _ => drop(deployer.invoke(question(&agent, "pid 0.1"), cx).await),
            }
        });
    }
    tokio::time::timeout(Duration::from_secs(60), storm.join_all()).await.expect("somebody waits for ever");
    bench.undeploy(&agent).await;
    assert!(processes_in(&agent.agent_dir).is_empty());
    assert!(starts(&agent).iter().all(|pid| !is_alive(*pid)));
    assert_eq!(bench.status(&agent).await.state, AgentState::Offline);
}

#[tokio::test]
async fn an_agent_that_ignores_sigterm_is_killed() {
    let bench = bench_with(Settings { stop_grace_secs: 1, ..settings() });
    let agent = bench.agent("stubborn", "stubborn");
    let pid = bench.pid(&agent).await;
    let begin = Instant::now();
    bench.undeploy(&agent).await;
    assert!(!is_alive(pid));
    assert!((Duration::from_secs(1)..Duration::from_secs(10)).contains(&begin.elapsed()));
}

#[tokio::test]
async fn grandchildren_end_with_the_agent() {
    let bench = bench();
    let agent = bench.agent("parent", "");
    for (end, how) in [("stop", "child"), ("crash", "child"), ("stop", "child apart"), ("crash", "child apart")] {
        let child: u32 = bench.output(&agent, how).await.parse().unwrap();
        assert!(is_alive(child));
        match end {
            "crash" => {
                let failure = bench.ask(&agent, "crash").await.unwrap_err();
                assert!(failure.message.contains("crashed while answering"), "{failure}");
            }
            _ => bench.undeploy(&agent).await,
        }
        eventually(&format!("the grandchild is gone ({how}, {end})"), async || !is_alive(child)).await;
    }
}

#[tokio::test]
async fn closing_its_output_does_not_hurt() {
    let bench = bench();
    let agent = bench.agent("mutes", "");
    assert_eq!(bench.output(&agent, "mute").await, "muted");
    let pid = bench.pid(&agent).await;
    kill(pid, "-9");
    eventually("it is restarted all the same", async || starts(&agent).len() == 2).await;
}

#[tokio::test]
async fn a_flood_of_log_lines_holds_up_nobody() {
    let bench = bench_with(Settings { ready_timeout_secs: 6, log_max_bytes: 100_000, ..settings() });
    let (flooder, other) = (bench.agent("flood", "flood"), bench.agent("calm", ""));
    bench.pid(&other).await;
    let (deployer, request) = (bench.deployer.clone(), question(&flooder, "pid"));
    let flood = tokio::spawn(async move { deployer.invoke(request, Recorder::new().1).await });
    eventually("the flood began", async || flooder.state_dir.join("agent.log.2").exists()).await;
    let begin = Instant::now();
    bench.pid(&other).await;
    assert!(begin.elapsed() < Duration::from_secs(4));
    assert!(flood.await.unwrap().unwrap_err().message.contains("not ready within 6 seconds"));
}

#[tokio::test]
async fn a_request_that_is_cut_by_a_deployment_is_told_so() {
    let bench = bench();
    let agent = bench.agent("cut", "");
    let (recorder, cx) = Recorder::new();
    let (deployer, request) = (bench.deployer.clone(), question(&agent, "forever"));
    let ask = tokio::spawn(async move { deployer.invoke(request, cx).await });
    eventually("text", async || !recorder.text().is_empty()).await;
    bench.deploy(&agent).await.unwrap();
    let failure = ask.await.unwrap().unwrap_err();
    assert!(failure.message.contains("was deployed anew while answering"), "{failure}");
}

#[tokio::test]
async fn dropping_the_deployer_stops_its_agents() {
    let bench = bench();
    let agent = bench.agent("dropped", "");
    let pid = bench.pid(&agent).await;
    drop(bench.deployer);
    eventually("the agent is gone", async || !is_alive(pid)).await;
}
