//! The main job: a sentence becomes an agent that answers, through the real binary, plugins and Python. On the embedded
//! backend; `cloud` runs the same on the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
mod main_job;
mod support;

use support::Home;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_becomes_an_agent_that_answers() {
    main_job::one_agent(&Home::new("")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_requirements_give_ten_different_agents() {
    main_job::ten_agents(&Home::new("")).await;
}
