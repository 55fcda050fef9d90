//! A language model builds an agent through the daemon's gate: it says what a test wrote, all else is real.

#[allow(dead_code, unreachable_pub, reason = "the plugin's own tests use the rest of it")]
#[path = "../../../plugins/agent-build/tests/model/answers.rs"]
mod answers;
#[allow(dead_code, unreachable_pub, reason = "the plugin's own tests use the rest of it")]
#[path = "../../../plugins/agent-build/tests/model/double.rs"]
mod double;
#[allow(dead_code, unreachable_pub, reason = "the plugin's own tests use the rest of it")]
#[path = "../../../plugins/shared/model/tests/support/server.rs"]
mod server;

use serde_json::{Value, json};

use super::support::{Daemon, Home};
use double::Double;

/// Tokens cost 3 and 15 dollars a million.
fn settings(url: &str) -> String {
    format!(
        "[models]\ndiscover = false\n[models.providers.double]\nkind = \"openai\"\nserver = \"vllm\"\nbase_url = \"{url}\"\nkey_variable = \"KEY_OF_DOUBLE\"\n\
         [models.routes]\nfast = [\"double/quick\"]\nsmart = [\"double/clever\"]\njudge = [\"double/clever\"]\n\
         [pricing.clever]\ninput_usd_per_million = 3.0\noutput_usd_per_million = 15.0\n\
         [pricing.quick]\ninput_usd_per_million = 3.0\noutput_usd_per_million = 15.0\n"
    )
}

fn sum(stages: &Value, field: &str) -> u64 {
    stages.as_array().into_iter().flatten().filter_map(|stage| stage[field].as_u64()).sum()
}

async fn create(daemon: &Daemon, budget: &Value) -> String {
    let body = json!({ "requirement": answers::REQUIREMENT, "project_name": "Gym", "budget": budget });
    let (status, created) = daemon.post("/projects", &body).await;
    assert_eq!(status, 201, "{created}");
    created["data"]["project_id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn nine_stages_add_up_to_the_token_and_a_spent_budget_is_waited_for() {
    let double = Double::start(|object, _, _| answers::good(object)).await;
    let mut home = Home::new(&settings(&double.access().base_url)).open_to_all();
    home.set("KEY_OF_DOUBLE", &double.access().token);
    let daemon = home.start();

    // Too little for the first question.
    let project = create(&daemon, &json!({ "tokens": 10 })).await;
    let paused = daemon.wait_for(&project, &["paused"]).await;
    assert_eq!(paused["error_info"]["kind"], "budget_exhausted", "{paused:#}");
    assert_eq!(double.asked(), Vec::<String>::new(), "nothing was sent");
    let raise = daemon.http().put(daemon.at(&format!("/projects/{project}/budget")));
    let raised = raise.json(&json!({ "tokens": 1_000_000 })).send().await.expect("an answer");
    assert_eq!(raised.status(), 200);
    let (status, resumed) = daemon.post(&format!("/projects/{project}/control"), &json!({ "action": "resume" })).await;
    assert_eq!(status, 200, "{resumed}");
    let done = daemon.wait_for(&project, &["completed"]).await;

    // No stage was paid for twice.
    let asked = double.asked();
    assert_eq!(asked.len(), 10, "{asked:?}");
    let (input, output) = double.tokens();
    assert!(input > 0 && output > 0);
    let stages = &done["stages"];
    assert_eq!((sum(stages, "input_tokens"), sum(stages, "output_tokens")), (input, output), "{stages:#}");
    let (_, spent) = daemon.get(&format!("/projects/{project}/budget")).await;
    assert_eq!(spent["data"]["used_tokens"], json!(input + output), "{spent}");
    let picodollars = input * 3_000_000 + output * 15_000_000;
    let used = spent["data"]["used_usd"].as_f64().expect("dollars");
    #[expect(clippy::cast_precision_loss, reason = "a test's sum is small")]
    let cost = picodollars as f64 / 1e12;
    assert!((used - cost).abs() < 1e-12, "{used} {cost}");
    let told = done["aggregated_metrics"]["total_cost"].as_f64().expect("dollars");
    assert!((told - cost).abs() < 1e-9, "the stages cost {told}, the books say {cost}");
    let manager = stages.as_array().into_iter().flatten().find(|stage| stage["stage_name"] == "tools_developer");
    assert_eq!(manager.expect("the stage")["metrics"]["model_id"], "double/clever", "{manager:#?}");

    // The agent runs without a model, and with what was written for it.
    let agent = daemon.wait_for_agent(&project).await;
    let agent = agent["agent_id"].as_str().expect("an id");
    let ask = json!({ "input_text": "What is the BMI of 81 kg and 1.8 m?" });
    let (status, answer) = daemon.post(&format!("/agents/{agent}/invoke"), &ask).await;
    assert!(status == 200 && answer["data"]["output"].as_str().is_some_and(|text| text.contains("25")), "{answer:#}");
}
