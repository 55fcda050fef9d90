//! Start, rest, restart, removal.

use nexus_deploy_local::Settings;
use nexus_plugin_api::{DeployHandler, payload::AgentState, sdk::testing::Recorder};

use crate::bench::*;

#[tokio::test]
async fn deploy_status_undeploy() {
    let bench = bench();
    let mut agent = bench.agent("whole", "");
    assert_eq!(bench.status(&agent).await.state, AgentState::Offline);
    let result = bench.deploy(&agent).await.unwrap();
    assert!(result.endpoint.unwrap().starts_with("http://127.0.0.1:"));
    let status = bench.status(&agent).await;
    assert_eq!(status.state, AgentState::Running);
    let pid = bench.pid(&agent).await;
    assert_eq!(status.details["pid"], pid);
    // A daemon that restarted knows the details only.
    agent.details = result.details;
    let after_restart = bench_with(settings());
    assert_eq!(after_restart.status(&agent).await.state, AgentState::Idle);

    bench.undeploy(&agent).await;
    assert!(!is_alive(pid));
    assert!(processes_in(&agent.agent_dir).is_empty());
    assert_eq!(std::fs::read_dir(&agent.state_dir).unwrap().count(), 0);
    agent.details.clear();
    assert_eq!(bench.status(&agent).await.state, AgentState::Offline);
    bench.undeploy(&agent).await;
}

#[tokio::test]
async fn the_first_use_starts_the_agent_once() {
    let bench = bench();
    let agent = bench.agent("lazy", "slow");
    let mut asks = tokio::task::JoinSet::new();
    for _ in 0..25 {
        let (deployer, request) = (bench.deployer.clone(), question(&agent, "pid"));
        asks.spawn(async move { deployer.invoke(request, Recorder::new().1).await.unwrap().output });
    }
    eventually("it is starting", async || bench.status(&agent).await.state == AgentState::Starting).await;
    let pids = asks.join_all().await;
    assert_eq!(starts(&agent).len(), 1);
    assert!(pids.iter().all(|pid| *pid == starts(&agent)[0].to_string()));
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_stop_the_start_for_others() {
    let bench = bench();
    let agent = bench.agent("patient", "slow");
    let (recorder, cx) = Recorder::new();
    let (deployer, request) = (bench.deployer.clone(), question(&agent, "pid"));
    let first = tokio::spawn(async move { deployer.invoke(request, cx).await });
    eventually("a process", async || !starts(&agent).is_empty()).await;
    recorder.cancel();
    first.await.unwrap().unwrap_err();
    assert_eq!(bench.pid(&agent).await, starts(&agent)[0]);
}

#[tokio::test]
async fn deploying_again_replaces_the_process() {
    let bench = bench();
    let agent = bench.agent("again", "");
    bench.deploy(&agent).await.unwrap();
    let first = bench.pid(&agent).await;
    bench.deploy(&agent).await.unwrap();
    assert_ne!(bench.pid(&agent).await, first);
    assert!(!is_alive(first));
}

#[tokio::test]
async fn a_resting_agent_is_stopped_and_comes_back() {
    let bench = bench_with(Settings { idle_stop_secs: 1, ..settings() });
    let agent = bench.agent("rests", "");
    let first = bench.pid(&agent).await;
    // A request under way keeps it, however long it takes.
    assert_eq!(bench.output(&agent, "pid 1.6").await, first.to_string());
    eventually("it rests", async || bench.status(&agent).await.state == AgentState::Idle).await;
    assert!(!is_alive(first));
    assert_ne!(bench.pid(&agent).await, first);
    assert_eq!(bench.status(&agent).await.details["crashes"], 0);
}

#[tokio::test]
async fn a_busy_agent_is_not_stopped_for_resting() {
    let bench = bench_with(Settings { idle_stop_secs: 1, ..settings() });
    let agent = bench.agent("busy", "busy");
    let resting = bench.agent("idle", "");
    let pid = bench.pid(&agent).await;
    bench.pid(&resting).await;
    eventually("the other rests", async || bench.status(&resting).await.state == AgentState::Idle).await;
    assert!(is_alive(pid));
    assert_eq!(bench.status(&agent).await.state, AgentState::Running);
}

#[tokio::test]
async fn a_killed_agent_is_restarted_by_itself() {
    let bench = bench();
    let agent = bench.agent("phoenix", "");
    let first = bench.pid(&agent).await;
    kill(first, "-9");
    eventually("a second process answers", async || {
        starts(&agent).len() == 2 && bench.status(&agent).await.state == AgentState::Running
    })
    .await;
    let status = bench.status(&agent).await;
    assert_eq!((&status.details["crashes"], &status.details["starts"]), (&1.into(), &2.into()));
    assert_ne!(bench.pid(&agent).await, first);
}

#[tokio::test]
async fn agents_that_do_not_tell_their_port_are_found() {
    let bench = bench();
    assert_eq!(bench.output(&bench.agent("mute", "silent"), "plain x").await, "x");
    let picky = bench.agent("picky", "needs-port");
    assert_eq!(bench.output(&picky, "plain x").await, "x");
    assert_eq!(starts(&picky).len(), 2);
}

#[tokio::test]
async fn the_agent_that_rested_longest_makes_room() {
    let bench = bench_with(Settings { max_agents: 2, ready_timeout_secs: 5, ..settings() });
    let agents = ["one", "two", "three"].map(|id| bench.agent(id, ""));
    for agent in &agents {
        bench.pid(agent).await;
    }
    let mut states = Vec::new();
    for agent in &agents {
        states.push(bench.status(agent).await.state);
    }
    assert_eq!(states, [AgentState::Idle, AgentState::Running, AgentState::Running]);

    // Busy ones are not touched; who finds no place is told so.
    let mut asks = tokio::task::JoinSet::new();
    for agent in &agents[1..] {
        let (deployer, request) = (bench.deployer.clone(), question(agent, "pid 8"));
        asks.spawn(async move { deployer.invoke(request, Recorder::new().1).await.unwrap() });
    }
    for agent in &agents[1..] {
        eventually("busy", async || bench.status(agent).await.details["requests_running"] == 1).await;
    }
    let failure = bench.ask(&agents[0], "pid").await.unwrap_err();
    assert!(failure.message.contains("max_agents"), "{failure}");
    asks.join_all().await;
}

#[tokio::test]
async fn shutting_down_stops_everything_and_refuses_the_rest() {
    let bench = bench();
    let agents = ["a", "b", "c"].map(|id| bench.agent(id, ""));
    let mut pids = Vec::new();
    for agent in &agents {
        pids.push(bench.pid(agent).await);
    }
    bench.deployer.shut_down().await;
    assert!(pids.iter().all(|pid| !is_alive(*pid)));
    assert!(bench.ask(&agents[0], "pid").await.unwrap_err().message.contains("shutting down"));
}

/// Saves the agent's code as the daemon does: beside it, then in its place.
fn save(agent: &nexus_plugin_api::payload::AgentRef, code: &str) {
    let part = agent.agent_dir.join(".part");
    std::fs::write(&part, code).unwrap();
    std::fs::rename(part, agent.agent_dir.join("agent.py")).unwrap();
}

#[tokio::test]
async fn saved_code_answers_the_next_question_and_the_running_answer_ends_as_it_began() {
    let bench = bench();
    let agent = bench.agent("edited", "");
    let code = std::fs::read_to_string(agent.agent_dir.join("agent.py")).unwrap();
    let before = bench.pid(&agent).await;
    assert_eq!(bench.pid(&agent).await, before, "what the agent does by itself changes nothing");
    let (deployer, request) = (bench.deployer.clone(), question(&agent, "drip 12"));
    let running = tokio::spawn(async move { deployer.invoke(request, Recorder::new().1).await });
    eventually("it answers", async || bench.status(&agent).await.state == AgentState::Running).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    save(&agent, &code.replace("str(os.getpid())", "str(os.getpid()) + ' new'"));
    let answer = bench.output(&agent, "pid").await;
    let after: u32 = answer.strip_suffix(" new").expect("the saved code answers").parse().unwrap();
    assert_ne!(after, before);
    // The old process was not cut off, and goes when its answer is over.
    running.await.unwrap().unwrap();
    eventually("the old process ends", async || !is_alive(before)).await;
    assert_eq!(bench.output(&agent, "pid").await, answer);

    // Code that does not start is told, and mended by the next save, without any wait.
    save(&agent, "this is no Python");
    bench.ask(&agent, "pid").await.unwrap_err();
    save(&agent, &code);
    let mended = bench.pid(&agent).await;
    // A deployment that is taken back takes all of it along.
    save(&agent, &format!("{code}\n"));
    bench.undeploy(&agent).await;
    assert!(!is_alive(after) && !is_alive(mended));
    assert!(processes_in(&agent.agent_dir).is_empty());
}

/// An agent that was deployed anew elsewhere is begun anew here, once the answers under way are given.
#[tokio::test]
async fn a_later_deployment_replaces_the_process_after_its_answers() {
    let bench = bench();
    let agent = bench.agent("fleet", "");
    let first = bench.pid(&agent).await;
    let (recorder, cx) = Recorder::new();
    let (deployer, request) = (bench.deployer.clone(), question(&agent, "drip 5"));
    let long = tokio::spawn(async move { deployer.invoke(request, cx).await });
    let later = nexus_plugin_api::payload::AgentRef { generation: 2, ..agent.clone() };
    eventually("the answer is under way", async || !recorder.events().is_empty()).await;
    let second = bench.pid(&later).await;
    assert_ne!(second, first);
    assert_eq!(long.await.unwrap().unwrap().output, "0 1 2 3 4 ", "its answer was given to its end");
    assert!(!is_alive(first));
    // The same number, and a request that was on its way before, are answered by what is there.
    assert_eq!((bench.pid(&later).await, bench.pid(&agent).await), (second, second));
    assert_eq!(bench.status(&later).await.details["deployment"], 2);
    assert_eq!(starts(&agent).len(), 2);
}

/// It also counts for what is only coming up.
#[tokio::test]
async fn a_start_of_an_earlier_deployment_is_begun_again() {
    let bench = bench();
    let agent = bench.agent("overtaken", "slow");
    let (deployer, request) = (bench.deployer.clone(), question(&agent, "pid"));
    let first = tokio::spawn(async move { deployer.invoke(request, Recorder::new().1).await });
    eventually("a process", async || starts(&agent).len() == 1).await;
    let later = nexus_plugin_api::payload::AgentRef { generation: 1, ..agent.clone() };
    let pid = bench.pid(&later).await;
    assert_eq!(starts(&agent), [starts(&agent)[0], pid]);
    assert_eq!(first.await.unwrap().unwrap().output, pid.to_string());
}
