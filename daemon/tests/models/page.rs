//! The page about models: what it shows works.

use nexus_model::providers::{Reply, Server};

use crate::world::{World, priced};

const PAGE: &str = include_str!("../../docs/MODELS.md");

/// The blocks of the page that begin with such a fence.
fn blocks(fence: &str) -> Vec<&'static str> {
    let begin = format!("```{fence}\n");
    PAGE.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[tokio::test]
async fn every_request_of_the_page_is_answered() {
    let (chats, responses) = (blocks("json chat"), blocks("json responses"));
    assert_eq!((chats.len(), responses.len()), (2, 1));
    let (world, model) = World::scripted(priced(), (0..3).map(|_| Reply::saying("{}"))).await;
    let token = world.project_token();
    for (path, body) in
        chats.iter().map(|body| ("chat/completions", body)).chain(responses.iter().map(|body| ("responses", body)))
    {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{}/{path}", world.doors.place.base_url)).bearer_auth(&token);
        let answer = request.body((*body).to_owned()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{body}");
        assert!(answer.text().await.unwrap().contains("{}"));
    }
    let requests = model.requests();
    assert_eq!(requests[0].tools[0].name, "price_of");
    assert!(
        requests[1].output.as_ref().unwrap().as_json().find("reason")
            < requests[1].output.as_ref().unwrap().as_json().find("\"tools\"")
    );
    assert_eq!(requests[2].max_tokens, Some(200));
}

#[test]
fn the_server_file_of_the_page_is_one() {
    let toml = blocks("toml");
    assert_eq!(Server::parse("page", toml[0]).unwrap().title, "My server");
}

#[test]
fn the_page_names_the_date_of_the_prices() {
    assert!(PAGE.contains(nexus_daemon::models::AS_OF));
}
