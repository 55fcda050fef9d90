//! A daemon that is killed at any request leaves nothing that its successor does not find: each deployment and each
//! undeployment is cut off at every request it makes, before AWS has heard it and after.

use super::{World, double::Hang};

/// Runs `work` until the request at which the double hangs; whether it came to its end instead.
async fn cut_off<T>(world: &World, work: impl Future<Output = T>) -> bool {
    tokio::select! {
        biased;
        () = world.double.hangs.notified() => false,
        _ = work => true,
    }
}

async fn fresh(with_endpoint: bool) -> World {
    let mut world = World::new().await;
    if with_endpoint {
        world.set("endpoint", "blue");
    }
    world
}

/// Cuts every step off that `work` of a world makes after `prepare`; tells how many there were.
async fn at_every_request(with_endpoint: bool, is_deployed: bool, undeploys: bool) -> usize {
    for number in 1.. {
        for hang in [Hang::Before(number), Hang::After(number)] {
            let mut world = fresh(with_endpoint).await;
            if is_deployed {
                world.deploy().await.unwrap();
                world.write("agent.py", "print('two')");
            }
            let behind = world.double.lock().seen.len();
            world.double.lock().hang = Some(match hang {
                Hang::Before(_) => Hang::Before(behind + number),
                Hang::After(_) => Hang::After(behind + number),
            });
            let ended = if undeploys {
                cut_off(&world, world.undeploy()).await
            } else {
                world.generation += 1;
                let (_recorder, cx) = nexus_plugin_api::sdk::testing::Recorder::new();
                let (deployer, agent) = (world.deployer(), world.agent());
                cut_off(&world, nexus_plugin_api::DeployHandler::deploy(&deployer, agent, cx)).await
            };
            if ended {
                return number - 1;
            }
            world.double.lock().hang = None;
            // What was begun may go on in AWS; what was told to nobody is found by its name.
            if !undeploys {
                let mut world = world;
                world.deploy().await.unwrap_or_else(|failure| panic!("{hang:?}: {failure}"));
                assert_eq!(world.double.lock().runtimes.len(), 1, "{hang:?}");
                world.undeploy().await.unwrap();
                world.assert_empty(&format!("{hang:?}"));
            } else {
                world.undeploy().await.unwrap_or_else(|failure| panic!("{hang:?}: {failure}"));
                world.assert_empty(&format!("{hang:?}"));
            }
        }
    }
    0
}

#[tokio::test]
async fn a_first_deployment_is_cut_off_anywhere() {
    let steps = at_every_request(false, false, false).await;
    assert!(steps >= 6, "only {steps} requests");
}

#[tokio::test]
async fn a_change_is_cut_off_anywhere() {
    let steps = at_every_request(true, true, false).await;
    assert!(steps >= 6, "only {steps} requests");
}

#[tokio::test]
async fn an_undeployment_is_cut_off_anywhere() {
    let steps = at_every_request(true, true, true).await;
    assert!(steps >= 5, "only {steps} requests");
}

/// The agent is deleted while its first deployment is under way: its record never knew of a runtime.
#[tokio::test]
async fn what_nobody_was_told_of_is_removed_all_the_same() {
    for number in 3..8 {
        let world = World::new().await;
        world.double.lock().hang = Some(Hang::After(number));
        let (_recorder, cx) = nexus_plugin_api::sdk::testing::Recorder::new();
        let (deployer, agent) = (world.deployer(), world.agent());
        assert!(!cut_off(&world, nexus_plugin_api::DeployHandler::deploy(&deployer, agent, cx)).await);
        world.double.lock().hang = None;
        world.undeploy().await.unwrap();
        world.assert_empty(&format!("request {number}"));
    }
}
