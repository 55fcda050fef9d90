//! A deployment is one of the fleet, not of the daemon that carries it out.

use serde_json::{Value, json};

use super::{
    BOTH, PRICES, bucket, home, ready,
    support::{Daemon, eventually},
};

/// An agent that answers one word.
fn code(word: &str) -> String {
    format!(
        r#"
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def say(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.say({{"status": "Healthy"}})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.say({{"output": "{word}"}})


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#
    )
}

async fn asked(daemon: &Daemon, agent: &str) -> (u16, Value) {
    daemon.post(&format!("/agents/{agent}/invoke"), &json!({"input_text": "which code?"})).await
}

/// After new code is deployed, whichever daemon is asked answers with it, and those that ran the old one as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redeployment_reaches_every_daemon() {
    let (account, mut one) = ready(BOTH, 1).await;
    let shared = bucket(&account).await;
    let mut two = home(&account, &account.url, BOTH, 1);
    for home in [&mut one, &mut two] {
        let settings = std::fs::read_to_string(home.config()).unwrap();
        home.configure(&settings.replace("[worker]", &format!("{shared}\n[worker]")));
    }
    let (first, second) = (one.start(), two.start());
    let project = first.create(PRICES, "agent_build").await;
    first.wait_for(&project, &["completed"]).await;
    let agent = first.wait_for_agent(&project).await["agent_id"].as_str().unwrap().to_owned();
    // Both have a process of it.
    for daemon in [&first, &second] {
        let (status, answer) = asked(daemon, &agent).await;
        assert_eq!(status, 200, "{answer}");
    }
    let mut last = 0;
    for (writer, word) in [(&first, "one"), (&second, "two"), (&first, "three")] {
        let body = json!({"content": code(word), "redeploy": true});
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
            assert_eq!((status, &answer["data"]["output"]), (200, &json!(word)), "{answer}");
        }
    }
}
