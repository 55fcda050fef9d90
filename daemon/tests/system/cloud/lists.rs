//! What pages of lists cost: requests to the tables, which do not grow with them.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use nexus_daemon::{
    backend::{
        aws::dynamodb::DynamoStore,
        store::{NewProject, PageRequest, ProjectFilter, ProjectSort, prelude::*},
    },
    domain::workflow::Workflow,
    events::EventHub,
};

use super::{
    BOTH, ready,
    support::{
        emulator::Account,
        tree::{stage, workflow},
    },
};

const LIMIT: u64 = 50;

fn store(account: &Account) -> Arc<DynamoStore> {
    let queues = account.queues(Duration::from_secs(60));
    DynamoStore::new(account.store_options(queues), EventHub::new())
}

async fn fill(store: &DynamoStore, numbers: std::ops::Range<usize>) {
    let workflow = Workflow::build(workflow(vec![stage("only", &[])])).unwrap();
    let create = |n: usize| {
        let mut new =
            NewProject::queued(&workflow, format!("number {n}: {}", "a requirement of some length. ".repeat(20)));
        new.project.project_name = format!("project {:03}", n * 7 % 500);
        new.project.user_id = format!("user-{}", n % 5);
        new.project.tags = vec![format!("tag-{}", n % 3)];
        store.create_project(new)
    };
    futures::stream::iter(numbers.map(create)).buffer_unordered(8).for_each(|made| async { made.unwrap() }).await;
}

/// Follows the cursor to the end: rows, and the most requests that a page cost.
async fn follow(store: &DynamoStore, filter: &ProjectFilter) -> (usize, u64) {
    let (mut seen, mut most) = (std::collections::HashSet::new(), 0);
    let mut page = PageRequest { page: 1, limit: LIMIT, cursor: None };
    loop {
        // Twice: totals are counted once in a while, and not with each page.
        let mut costs = Vec::new();
        let mut found = None;
        for _ in 0..2 {
            let before = store.requests();
            found = Some(store.list_projects(filter, &page).await.unwrap());
            costs.push(store.requests() - before);
        }
        most = most.max(*costs.iter().min().unwrap());
        let found = found.unwrap();
        for project in &found.items {
            assert!(seen.insert(project.project_id.clone()), "twice: {}", project.project_id);
        }
        match found.next_cursor {
            Some(next) => page.cursor = Some(next),
            None => {
                assert_eq!(found.total, seen.len() as u64);
                return (seen.len(), most);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_costs_the_same_however_many_there_are() {
    let (account, _) = ready(BOTH, 1).await;
    let store = store(&account);
    let all = ProjectFilter::default;
    let lists = [
        ("newest", all()),
        ("oldest", ProjectFilter { sort: ProjectSort::Oldest, ..all() }),
        ("of a status", ProjectFilter { status: Some("queued".parse().unwrap()), ..all() }),
        ("of a user", ProjectFilter { user_id: Some("user-3".into()), ..all() }),
        (
            "of a user and a status",
            ProjectFilter { user_id: Some("user-3".into()), status: Some("queued".parse().unwrap()), ..all() },
        ),
        ("with a tag", ProjectFilter { tag: Some("tag-1".into()), ..all() }),
        ("with a text", ProjectFilter { q: Some("A REQUIREMENT".into()), ..all() }),
        ("by name", ProjectFilter { sort: ProjectSort::Name, ..all() }),
        ("by last change", ProjectFilter { sort: ProjectSort::RecentlyUpdated, ..all() }),
    ];
    fill(&store, 0..100).await;
    let mut few = Vec::new();
    for (_, filter) in &lists {
        few.push(follow(&store, filter).await);
    }
    fill(&store, 100..500).await;
    for ((name, filter), (rows, requests)) in lists.iter().zip(few) {
        let (many_rows, many) = follow(&store, filter).await;
        println!("projects {name}: {requests} requests a page of {rows} rows, {many} of {many_rows}");
        assert!(many_rows >= rows * 4, "{name}");
        assert!(many <= requests, "{name}: {many} requests instead of {requests}");
    }
}
