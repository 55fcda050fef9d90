//! Clients that watch a project from its begin to its end, over kills and restarts.

use super::{client::Client, support::sse};

/// Reads one connection's events behind `after`, to its end; whether the project's end was told.
pub(super) async fn stream(client: &Client, id: &str, after: u64, mut told: impl FnMut(&sse::Frame)) -> bool {
    let (_, url) = client.world.reachable(None, usize::try_from(after).unwrap_or(0)).await;
    let request = reqwest::Client::new().get(format!("{url}/api/v2/projects/{id}/events"));
    let Ok(response) = request.header("last-event-id", after.to_string()).send().await else { return false };
    if response.status() != 200 {
        return matches!(response.status().as_u16(), 204 | 404);
    }
    let mut stream = sse::Stream::new(response);
    while let Some(frame) = stream.next().await {
        if frame.event.as_deref() == Some("end") {
            return true;
        }
        told(&frame);
    }
    false
}

/// What is to be known of an event.
pub(super) fn gist(frame: &sse::Frame) -> String {
    let data = &frame.data;
    format!("{} {} {} {}", data["type"], data["stage_name"], data["status"], data["attempt"])
}

/// Watches a project until its end or the end of the run, and notes what it is told.
pub(super) async fn project(client: Client, id: String) {
    let mut last = 0_u64;
    loop {
        let after = last;
        let told = stream(&client, &id, after, |frame| {
            if frame.event.as_deref() == Some("resync") {
                client.say(format!("{id}: resync"));
                return;
            }
            let Some(seq) = frame.data["seq"].as_u64() else { return };
            let ledger = &client.world.ledger;
            ledger
                .check(seq == last + 1, &[&id], || format!("event {seq} was told after {last} (stream from {after})"));
            last = seq;
            let what = gist(frame);
            let before = ledger.project(&id, |project| project.told.insert(seq, what.clone()));
            ledger.check(before.is_none_or(|before| before == what), &[&id], || {
                format!("event {seq} was told in two ways")
            });
        });
        tokio::select! {
            ended = told => if ended { return },
            () = client.world.over.cancelled() => return,
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
