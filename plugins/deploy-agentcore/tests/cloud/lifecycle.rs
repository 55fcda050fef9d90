//! From a folder to a runtime, to its next version, and to nothing.

use std::collections::BTreeSet;

use nexus_plugin_api::{
    DeployHandler as _,
    payload::{AgentRef, AgentState, FailureKind},
    sdk::testing::Recorder,
};
use serde_json::json;

use super::World;

#[tokio::test]
async fn an_agent_is_deployed_changed_and_removed() {
    let mut world = World::new().await;
    let done = world.deploy().await.unwrap();
    let arn = done.details["agentcore_runtime_arn"].as_str().unwrap().to_owned();
    assert_eq!(done.endpoint.as_deref(), Some(format!("{arn}/runtime-endpoint/DEFAULT").as_str()));
    assert_eq!(done.details["agentcore_config"]["agent_arn"], arn.as_str());
    {
        let state = world.double.lock();
        let body = &state.runtimes.values().next().unwrap().body;
        let code = &body["agentRuntimeArtifact"]["codeConfiguration"];
        assert_eq!((&code["runtime"], &code["entryPoint"]), (&json!("PYTHON_3_12"), &json!(["agent.py"])));
        let key = code["code"]["s3"]["prefix"].as_str().unwrap();
        assert!(state.objects[key].starts_with(b"PK"), "{key}");
        assert_eq!(body["environmentVariables"]["HOST"], "0.0.0.0");
        assert_eq!(
            (&body["platformVersion"], &body["tags"]["nexusd-agent"]),
            (&json!("V1"), &json!("agent_0123456789ab"))
        );
    }

    // The same again changes nothing, whoever asks.
    let (puts, before) = (world.double.count("PUT"), world.details.clone());
    world.deploy().await.unwrap();
    assert_eq!((world.double.count("PUT"), &world.details), (puts, &before));

    // Other content, other settings, another deployment: each is a version, of the same runtime.
    world.write("agent.py", "print('two')");
    world.deploy().await.unwrap();
    world.set("idle_session_secs", 60);
    let done = world.deploy().await.unwrap();
    assert_eq!(
        (&done.details["agent_runtime_version"], &done.details["agentcore_runtime_arn"]),
        (&json!("3"), &json!(arn))
    );
    let (_recorder, cx) = Recorder::new();
    let status = world.deployer().status(world.agent(), cx).await.unwrap();
    assert_eq!((status.state, status.message.as_str()), (AgentState::Running, "version 3 is ready"));
    assert_eq!(world.double.lock().objects.len(), 2, "the archive of the version before is kept");

    world.undeploy().await.unwrap();
    world.assert_empty("after the undeployment");
    world.undeploy().await.unwrap();
    let (_recorder, cx) = Recorder::new();
    assert_eq!(world.deployer().status(world.agent(), cx).await.unwrap().state, AgentState::Offline);
    // It may come back.
    world.deploy().await.unwrap();
}

#[tokio::test]
async fn an_endpoint_of_ones_own_follows_and_goes_too() {
    let mut world = World::new().await;
    world.set("endpoint", "blue");
    world.deploy().await.unwrap();
    world.write("agent.py", "print('two')");
    let done = world.deploy().await.unwrap();
    assert_eq!(done.details["agentcore_runtime_alias"], "blue");
    assert_eq!(world.double.lock().runtimes.values().next().unwrap().endpoints["blue"], 2);
    world.undeploy().await.unwrap();
    world.assert_empty("after the undeployment");
}

#[tokio::test]
async fn every_way_to_fail_is_told_and_the_next_try_gets_over_it() {
    for (then, reason, update) in [
        ("CREATE_FAILED", "the role cannot be assumed", false),
        ("CREATE_FAILED", "", false),
        ("UPDATE_FAILED", "the entry point was not found", true),
    ] {
        let mut world = World::new().await;
        if update {
            world.deploy().await.unwrap();
            world.write("agent.py", "print('two')");
        }
        world.double.lock().outcome = Some((then, reason));
        let failure = world.deploy().await.unwrap_err();
        let told = if reason.is_empty() { "AWS gives no reason" } else { reason };
        assert!(failure.message.contains(told), "{then}: {failure}");
        assert_eq!(failure.kind, FailureKind::Permanent, "{failure}");
        world.deploy().await.unwrap();
        assert_eq!(world.double.lock().runtimes.len(), 1);
        world.undeploy().await.unwrap();
        world.assert_empty(then);
    }
}

/// What another left in any state is taken up from there.
#[tokio::test]
async fn whatever_is_found_becomes_what_is_wanted() {
    for (status, then) in [
        ("CREATING", "READY"),
        ("CREATING", "CREATE_FAILED"),
        ("CREATE_FAILED", "CREATE_FAILED"),
        ("UPDATING", "UPDATE_FAILED"),
        ("UPDATE_FAILED", "UPDATE_FAILED"),
        ("DELETING", "GONE"),
        ("DELETE_FAILED", "DELETE_FAILED"),
    ] {
        let mut world = World::new().await;
        world.deploy().await.unwrap();
        world.details.clear();
        world.write("agent.py", "print('two')");
        {
            let mut state = world.double.lock();
            let runtime = state.runtimes.values_mut().next().unwrap();
            (runtime.status, runtime.then) = (status.into(), then.into());
        }
        world.deploy().await.unwrap_or_else(|failure| panic!("{status}: {failure}"));
        assert_eq!(world.double.lock().runtimes.len(), 1, "{status}");
        assert_eq!(world.double.lock().runtimes.values().next().unwrap().status, "READY", "{status}");
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_does_not_is_told() {
    let mut world = World::new().await;
    for (line, status, code) in [
        ("PUT /runtimes", 429, "ThrottlingException"),
        ("PUT /runtimes", 500, "InternalServerException"),
        ("GET /runtimes", 503, "ServiceUnavailableException"),
        ("POST /runtimes", 429, "ThrottlingException"),
        ("PUT /archives", 500, "InternalError"),
    ] {
        world.double.lock().faults.push_back((line, status, code));
    }
    world.deploy().await.unwrap();
    assert!(world.double.lock().faults.is_empty());
    world.undeploy().await.unwrap();
    for (line, status, code, kind, remedy) in [
        ("PUT /runtimes", 403, "AccessDeniedException", FailureKind::Permanent, "resources policy --agentcore"),
        ("PUT /runtimes", 400, "ValidationException", FailureKind::Permanent, "[plugins.deploy-agentcore]"),
        ("PUT /runtimes", 402, "ServiceQuotaExceededException", FailureKind::Permanent, "quota"),
        ("POST /runtimes", 403, "ExpiredTokenException", FailureKind::Transient, "renew"),
        ("PUT /archives", 403, "AccessDenied", FailureKind::Permanent, "resources policy --agentcore"),
        ("HEAD /archives", 403, "AccessDenied", FailureKind::Permanent, "resources policy --agentcore"),
    ] {
        world.double.lock().faults.push_back((line, status, code));
        let failure = world.deploy().await.unwrap_err();
        assert!(failure.kind == kind && failure.message.contains(remedy), "{line} {status}: {failure}");
        world.undeploy().await.unwrap();
        world.assert_empty(code);
    }
}

#[tokio::test]
async fn what_is_missing_or_is_not_ours_is_told_before_anything_is_sent() {
    let mut world = World::new().await;
    world.set("role_arn", "");
    world.set("bucket", "");
    let failure = world.deploy().await.unwrap_err();
    assert!(failure.message.contains("role_arn and bucket"), "{failure}");
    world.undeploy().await.unwrap();

    // A file that nobody wrote through nexusd is not deployed either.
    let world = World::new().await;
    let mut agent = world.agent();
    agent.files = [("agent.py".to_owned(), "0".repeat(64)), ("tools/t.py".to_owned(), "0".repeat(64))].into();
    let (_recorder, cx) = Recorder::new();
    let failure = world.deployer().deploy(agent, cx).await.unwrap_err();
    assert!(failure.message.contains("agent.py is not what was recorded"), "{failure}");
    assert_eq!(world.double.count(""), 0);
}

#[tokio::test]
async fn an_adopted_runtime_is_looked_at_and_left_alone() {
    let mut world = World::new().await;
    let done = world.deploy().await.unwrap();
    world.details = json!({
        "agentcore_runtime_arn": done.details["agentcore_runtime_arn"], "agentcore_runtime_alias": "DEFAULT", "adopted": true,
    })
    .as_object()
    .unwrap()
    .clone();
    let (puts, before) = (world.double.count("PUT"), world.details.clone());
    world.write("agent.py", "print('of no interest')");
    assert_eq!(world.deploy().await.unwrap().details, before);
    world.undeploy().await.unwrap();
    assert_eq!((world.double.count("PUT"), world.double.count("DELETE")), (puts, 0));
}

#[tokio::test]
async fn forty_agents_do_not_get_into_each_others_way() {
    let world = World::new().await;
    let deployer = world.deployer();
    let agents: Vec<AgentRef> = (0..40)
        .map(|number| {
            let state_dir = world.path().join(format!("state-{number}"));
            std::fs::create_dir(&state_dir).unwrap();
            AgentRef { agent_id: format!("agent_{number:012x}"), state_dir, ..world.agent() }
        })
        .collect();
    let deployed = agents.iter().map(|agent| deployer.deploy(agent.clone(), Recorder::new().1));
    let arns: BTreeSet<String> = futures::future::join_all(deployed)
        .await
        .into_iter()
        .map(|done| done.unwrap().details["agentcore_runtime_arn"].to_string())
        .collect();
    assert_eq!((arns.len(), world.double.lock().objects.len()), (40, 40));
    let removed = agents.iter().map(|agent| deployer.undeploy(agent.clone(), Recorder::new().1));
    assert!(futures::future::join_all(removed).await.into_iter().all(|gone| gone.is_ok()));
    world.assert_empty("after forty undeployments");
}
