//! A daemon that is killed at any request leaves nothing that its successor does not find: each deployment and each
//! undeployment is cut off at every request it makes, before AWS has heard it and after.

use nexus_plugin_api::{DeployHandler as _, sdk::testing::Recorder};

use super::{World, double::Hang};

/// Runs `work` until the request at which the double hangs; whether it came to its end instead.
async fn cut_off<T>(world: &World, work: impl Future<Output = T>) -> bool {
    tokio::select! {
        biased;
        () = world.double.hangs.notified() => false,
        _ = work => true,
    }
}

/// Cuts `work` off at every request that it makes, before and after AWS heard it; tells how many there were.
async fn at_every_request(endpoint: &str, is_deployed: bool, undeploys: bool) -> usize {
    let mut world = World::new().await;
    world.set("endpoint", endpoint);
    for number in 1.. {
        for hang in [Hang::Before, Hang::After] {
            if is_deployed {
                world.write("agent.py", "print('one')");
                world.deploy().await.unwrap();
                world.write("agent.py", "print('two')");
            }
            let behind = world.double.lock().seen.len();
            world.double.lock().hang = Some(hang(behind + number));
            let ended = if undeploys {
                cut_off(&world, world.undeploy()).await
            } else {
                world.generation += 1;
                let (_recorder, cx) = Recorder::new();
                let (deployer, agent) = (world.deployer(), world.agent());
                cut_off(&world, deployer.deploy(agent, cx)).await
            };
            world.double.lock().hang = None;
            // Whoever comes after knows nothing.
            world.forget();
            if ended {
                return number - 1;
            }
            let when = format!("request {number}, {:?}", hang(0));
            if !undeploys {
                // What was begun goes on in AWS; what was told to nobody is found by its name.
                world.deploy().await.unwrap_or_else(|failure| panic!("{when}: {failure}"));
                assert_eq!(world.double.lock().runtimes.len(), 1, "{when}");
            }
            world.undeploy().await.unwrap_or_else(|failure| panic!("{when}: {failure}"));
            world.assert_empty(&when);
            world.details.clear();
        }
    }
    0
}

#[tokio::test]
async fn a_first_deployment_is_cut_off_anywhere() {
    let steps = at_every_request("DEFAULT", false, false).await;
    assert!(steps >= 6, "only {steps} requests");
}

#[tokio::test]
async fn a_change_is_cut_off_anywhere() {
    let steps = at_every_request("blue", true, false).await;
    assert!(steps >= 6, "only {steps} requests");
}

#[tokio::test]
async fn an_undeployment_is_cut_off_anywhere() {
    let steps = at_every_request("blue", true, true).await;
    assert!(steps >= 5, "only {steps} requests");
}

/// The agent is deleted while its first deployment is under way: its record never knew of a runtime.
#[tokio::test]
async fn what_nobody_was_told_of_is_removed_all_the_same() {
    let world = World::new().await;
    for number in 3..8 {
        let behind = world.double.lock().seen.len();
        world.double.lock().hang = Some(Hang::After(behind + number));
        let (_recorder, cx) = Recorder::new();
        let (deployer, agent) = (world.deployer(), world.agent());
        assert!(!cut_off(&world, deployer.deploy(agent, cx)).await);
        world.double.lock().hang = None;
        world.undeploy().await.unwrap();
        world.assert_empty(&format!("request {number}"));
    }
}
