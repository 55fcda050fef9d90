//! The agent of a price list, which many tests have built: what it is made from, and a question that shows it at work.

use serde_json::{Value, json};

use super::{Daemon, eventually};

/// A sentence that becomes the agent.
pub const PRICES: &str = "Build an agent that answers questions about this price list: apple 3 EUR, pear 4 EUR.";

/// The same of an agent with tools of two kinds.
pub const PRICES_AND_UNITS: &str = "Build an agent that answers questions about this price list: apple 3 EUR, pear 4 EUR, plum 2.50 EUR. It should also convert kg to lb.";

impl Daemon {
    /// Has such an agent built, and waits until it runs: the project and the agent.
    pub async fn build_agent(&self, requirement: &str) -> (String, String) {
        let project = self.create(requirement, "agent_build").await;
        self.wait_for(&project, &["completed"]).await;
        let agent = self.wait_for_agent(&project).await["agent_id"].as_str().expect("an id").to_owned();
        (project, agent)
    }

    async fn asked(&self, agent: &str) -> (u16, Value) {
        self.post(&format!("/agents/{agent}/invoke"), &json!({"input_text": "3 pears?"})).await
    }

    /// The agent knows its prices, and answers at once.
    pub async fn knows_prices(&self, agent: &str) {
        let (status, answer) = self.asked(agent).await;
        assert_eq!(status, 200, "{answer}");
        is_right(&answer);
    }

    /// The agent knows its prices as soon as it can be asked.
    pub async fn comes_to_know_prices(&self, agent: &str) {
        let answer = eventually("the agent answers", async || {
            let (status, answer) = self.asked(agent).await;
            (status == 200).then_some(answer)
        });
        is_right(&answer.await);
    }
}

fn is_right(answer: &Value) {
    assert!(answer["data"]["output"].as_str().is_some_and(|text| text.contains("12")), "{answer}");
}
