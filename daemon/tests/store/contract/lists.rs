//! Pages.

use std::time::Duration;

use nexus_daemon::{
    backend::{
        error::BackendErrorKind,
        store::{AgentFilter, PageRequest, ProjectFilter, ProjectSort, TaskFilter},
    },
    domain::{control::ControlAction, project::ProjectStatus, task::TaskStatus, time::Timestamp},
};

use super::world::*;

pub async fn pages_do_not_shift_under_inserts(f: &Fixture) {
    let mut ids = Vec::new();
    for _ in 0..25 {
        ids.push(f.create().await.project.project_id);
    }
    ids.reverse();
    let filter = ProjectFilter::default();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let request = PageRequest { page: 1, limit: 10, cursor };
        let found = f.store.list_projects(&filter, &request).await.unwrap();
        assert_eq!(found.total, 25 + (seen.len() / 10) as u64);
        seen.extend(found.items.into_iter().map(|p| p.project_id));
        cursor = found.next_cursor;
        if cursor.is_none() {
            break;
        }
        f.create().await;
    }
    assert_eq!(seen, ids);
    let third = f.store.list_projects(&filter, &page(3, 10)).await.unwrap();
    assert_eq!((third.items.len(), third.total, third.next_cursor), (7, 27, None));
    let beyond = f.store.list_projects(&filter, &page(99, 10)).await.unwrap();
    assert_eq!((beyond.items.len(), beyond.total), (0, 27));
    for bad in ["x", "zz", "00", "é"] {
        let request = PageRequest { page: 1, limit: 10, cursor: Some(bad.into()) };
        let refused = f.store.list_projects(&filter, &request).await.unwrap_err();
        assert_eq!(refused.kind(), BackendErrorKind::Invalid);
    }
}

pub async fn filters_apply_before_the_page(f: &Fixture) {
    for n in 0..12 {
        let mut new = new_project("diamond", 3);
        new.project.user_id = if n % 3 == 0 { "bob".into() } else { "anna".into() };
        new.project.tags = if n % 4 == 0 { vec!["blue".into()] } else { Vec::new() };
        f.store.create_project(new.clone()).await.unwrap();
        if n % 2 == 0 {
            f.control(&new.project.project_id, ControlAction::Cancel).await.unwrap();
        }
    }
    let count = async |filter: ProjectFilter| {
        let found = f.store.list_projects(&filter, &page(1, 2)).await.unwrap();
        assert_eq!(found.items.len() as u64, found.total.min(2));
        assert_eq!(found.next_cursor.is_some(), found.total > 2);
        found.total
    };
    let base = ProjectFilter::default;
    assert_eq!(count(base()).await, 12);
    assert_eq!(count(ProjectFilter { user_id: Some("bob".into()), ..base() }).await, 4);
    assert_eq!(count(ProjectFilter { status: Some(ProjectStatus::Cancelled), ..base() }).await, 6);
    assert_eq!(count(ProjectFilter { tag: Some("blue".into()), ..base() }).await, 3);
    let all = ProjectFilter {
        status: Some(ProjectStatus::Cancelled),
        user_id: Some("bob".into()),
        tag: Some("blue".into()),
        ..base()
    };
    assert_eq!(count(all).await, 1);
    assert_eq!(count(ProjectFilter { user_id: Some("nobody' OR 1=1 --".into()), ..base() }).await, 0);
}

pub async fn sorting_and_searching(f: &Fixture) {
    let start = Timestamp::now();
    for (n, name) in ["beta", "Älpha", "gamma 100%"].into_iter().enumerate() {
        let mut new = new_project("diamond", 3);
        new.project.project_name = name.into();
        new.project.requirement = format!("构建 NUMBER {n}");
        // The same moment twice: the order must still be total.
        new.project.created_at = start.plus(Duration::from_secs(u64::from(n == 2)));
        new.project.updated_at = start.plus(Duration::from_secs(10 - n as u64));
        f.store.create_project(new).await.unwrap();
    }
    let names = async |sort: ProjectSort, q: Option<&str>| {
        let filter = ProjectFilter { sort, q: q.map(str::to_owned), ..ProjectFilter::default() };
        let (mut names, mut cursor) = (Vec::new(), None);
        loop {
            let request = PageRequest { page: 1, limit: 1, cursor };
            let found = f.store.list_projects(&filter, &request).await.unwrap();
            names.extend(found.items.into_iter().map(|p| p.project_name));
            cursor = found.next_cursor;
            if cursor.is_none() {
                return names;
            }
        }
    };
    let (newest, mut oldest) = (names(ProjectSort::Newest, None).await, names(ProjectSort::Oldest, None).await);
    oldest.reverse();
    assert_eq!(newest, oldest);
    assert_eq!((newest.len(), newest[0].as_str()), (3, "gamma 100%"));
    if f.one_unit {
        // A store of one writer knows which came first.
        assert_eq!(newest, ["gamma 100%", "Älpha", "beta"]);
    }
    assert_eq!(names(ProjectSort::RecentlyUpdated, None).await, ["beta", "Älpha", "gamma 100%"]);
    assert_eq!(names(ProjectSort::Name, None).await, ["beta", "gamma 100%", "Älpha"]);
    assert_eq!(names(ProjectSort::Newest, Some("äLPHA")).await, ["Älpha"]);
    assert_eq!(names(ProjectSort::Newest, Some("构建 number 0")).await, ["beta"]);
    assert_eq!(names(ProjectSort::Newest, Some("100%")).await, ["gamma 100%"]);
    assert!(names(ProjectSort::Newest, Some("%")).await.len() == 1, "no wildcard");
}

pub async fn tasks_and_agents_have_pages(f: &Fixture) {
    let (delivery, build) = f.start("agent_build").await;
    f.run_from(&delivery, &build.lease, 0).await;
    f.create().await;
    let all = f.store.list_tasks(&TaskFilter::default(), &page(1, 1)).await.unwrap();
    assert_eq!((all.total, all.items.len()), (2, 1));
    let request = PageRequest { page: 1, limit: 1, cursor: all.next_cursor };
    let second = f.store.list_tasks(&TaskFilter::default(), &request).await.unwrap();
    assert_eq!((&second.items[0].task_id, second.next_cursor), (&build.lease.task_id, None));
    let only = TaskFilter {
        status: Some(TaskStatus::Completed),
        project_id: Some(build.lease.project_id.clone()),
        ..TaskFilter::default()
    };
    assert_eq!(f.store.list_tasks(&only, &page(1, 10)).await.unwrap().total, 1);
    let agents = |category: &str| AgentFilter { category: Some(category.into()), ..AgentFilter::default() };
    assert_eq!(f.store.list_agents(&agents("shop"), &page(1, 10)).await.unwrap().total, 1);
    assert_eq!(f.store.list_agents(&agents("x"), &page(1, 10)).await.unwrap().total, 0);
}
