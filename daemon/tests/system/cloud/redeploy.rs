//! A deployment is one of the fleet, not of the daemon that carries it out.

use serde_json::{Value, json};

use super::{
    BOTH, home, ready, share_files,
    support::{Daemon, agent_code, eventually, prices::PRICES},
};

async fn asked(daemon: &Daemon, agent: &str) -> (u16, Value) {
    daemon.post(&format!("/agents/{agent}/invoke"), &json!({"input_text": "which code?"})).await
}

/// After new code is deployed, whichever daemon is asked answers with it, and those that ran the old one as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redeployment_reaches_every_daemon() {
    let (account, one) = ready(BOTH, 1).await;
    let two = home(&account, &account.url, BOTH, 1);
    share_files(&account, &[&one, &two]).await;
    let (first, second) = (one.start(), two.start());
    let (_, agent) = first.build_agent(PRICES).await;
    // Both have a process of it.
    for daemon in [&first, &second] {
        let (status, answer) = asked(daemon, &agent).await;
        assert_eq!(status, 200, "{answer}");
    }
    let mut last = 0;
    for (writer, word) in [(&first, "one"), (&second, "two"), (&first, "three")] {
        let body = json!({"content": agent_code::echo(word), "redeploy": true});
        let put =
            writer.http().put(writer.at(&format!("/agents/{agent}/files/code"))).json(&body).send().await.unwrap();
        assert_eq!(put.status(), 200, "{:?}", put.text().await);
        let generation = eventually("it is deployed anew", async || {
            let (_, record) = writer.get(&format!("/agents/{agent}")).await;
            let generation = record["data"]["generation"].as_u64().unwrap();
            (record["data"]["status"] == "running" && generation > last).then_some(generation)
        })
        .await;
        last = generation;
        for daemon in [&second, &first, &second] {
            let (status, answer) = asked(daemon, &agent).await;
            assert_eq!((status, &answer["data"]["output"]), (200, &json!(format!("{word} which code?"))), "{answer}");
        }
    }
}
