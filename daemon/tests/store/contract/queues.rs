//! The queue: SQS's semantics.

use std::time::{Duration, Instant};

use nexus_daemon::domain::queue::Receive;
use nexus_daemon::{
    backend::{queue::Delivery, store::GivenUp},
    domain::{
        control::ControlAction,
        failure::{ErrorInfo, FailureKind},
        project::ProjectStatus,
        queue::QueueName,
        time::Timestamp,
    },
};

use super::world::*;

const BUILD: QueueName = QueueName::Build;

async fn send(f: &Fixture, body: &str, priority: u8) {
    f.queue.send(BUILD, body.to_owned(), priority).await.unwrap();
}

async fn wait_for_one(f: &Fixture) -> Delivery {
    f.queue.receive(BUILD, 1, Duration::from_secs(5)).await.unwrap().pop().expect("a message")
}

pub async fn higher_priorities_first_and_none_starves(f: &Fixture) {
    if !f.one_unit {
        return what_comes_together_is_sorted(f).await;
    }
    for n in 0..40 {
        for priority in 1..=5 {
            send(f, &format!("{priority}:{n}"), priority).await;
        }
    }
    let mut order = Vec::new();
    while order.len() < 200 {
        for delivery in f.queue.receive(BUILD, 3, Duration::ZERO).await.unwrap() {
            let (priority, n) = delivery.body.split_once(':').unwrap();
            order.push((priority.parse::<u8>().unwrap(), n.parse::<usize>().unwrap()));
            f.queue.delete(&delivery.receipt).await.unwrap();
        }
    }
    assert_eq!(order[0].0, 5);
    let of = |p: u8, within: usize| order[..within].iter().filter(|(q, _)| *q == p).count();
    assert!(of(5, 31) > of(4, 31) && of(4, 31) > of(3, 31) && of(3, 31) > of(2, 31), "{:?}", &order[..31]);
    assert!(of(1, 40) >= 1, "the last is served too: {:?}", &order[..40]);
    for p in 1..=5 {
        let lane: Vec<usize> = order.iter().filter(|(q, _)| *q == p).map(|(_, n)| *n).collect();
        assert_eq!(lane, (0..40).collect::<Vec<_>>(), "first in, first out within priority {p}");
    }
}

/// A service that knows no priorities: they order what comes together.
async fn what_comes_together_is_sorted(f: &Fixture) {
    for priority in [1, 4, 2, 5, 3] {
        send(f, &priority.to_string(), priority).await;
    }
    let (mut taken, mut rounds) = (Vec::new(), 0);
    while taken.len() < 5 {
        let together = f.queue.receive(BUILD, 10, Duration::from_secs(1)).await.unwrap();
        let order: Vec<u8> = together.iter().map(|delivery| delivery.body.parse().unwrap()).collect();
        assert!(order.is_sorted_by(|a, b| a >= b), "{order:?}");
        taken.extend(order);
        rounds += 1;
    }
    assert!(rounds < 5, "they come together");
}

pub async fn a_waiting_receive_wakes_at_once(f: &Fixture) {
    let queue = f.queue.clone();
    let waiting = tokio::spawn(async move {
        let found = queue.receive(BUILD, 1, Duration::from_secs(20)).await.unwrap();
        (found, Instant::now())
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    f.create().await;
    let sent = Instant::now();
    let (found, at) = waiting.await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(at.saturating_duration_since(sent) < Duration::from_millis(300));
    let nothing = Instant::now();
    assert!(f.queue.receive(BUILD, 1, Duration::from_millis(50)).await.unwrap().is_empty());
    assert!(nothing.elapsed() >= Duration::from_millis(50));
}

pub async fn a_message_comes_again_after_its_time(f: &Fixture) {
    send(f, "x", 3).await;
    let first = wait_for_one(f).await;
    assert!(f.receive_one(BUILD).await.is_none());
    let begun = Instant::now();
    let second = wait_for_one(f).await;
    assert!(begun.elapsed() + Duration::from_millis(100) > f.visibility, "{:?}", begun.elapsed());
    assert!(begun.elapsed() < f.visibility + Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!((first.receive_count, second.receive_count), (1, 2));
}

pub async fn an_old_receipt_does_nothing(f: &Fixture) {
    send(f, "x", 3).await;
    let first = wait_for_one(f).await;
    let second = wait_for_one(f).await;
    assert_eq!(f.queue.extend(std::slice::from_ref(&first.receipt), Duration::from_secs(60)).await.unwrap(), [false]);
    f.queue.release(&first.receipt, Duration::ZERO, Receive::Uncounted).await.unwrap();
    f.queue.dead_letter(&first.receipt, "no").await.unwrap();
    f.queue.delete(&first.receipt).await.unwrap();
    assert!(f.receive_one(BUILD).await.is_none(), "the second holder still hides it");
    assert_eq!(f.queue.extend(std::slice::from_ref(&second.receipt), Duration::from_secs(60)).await.unwrap(), [true]);
    f.queue.delete(&second.receipt).await.unwrap();
    f.queue.delete(&second.receipt).await.unwrap();
    let depth = f.queue.depth(BUILD).await.unwrap();
    assert_eq!((depth.visible, depth.in_flight), (0, 0));
    assert_eq!(f.queue.extend(&[second.receipt], Duration::from_secs(60)).await.unwrap(), [false]);
}

pub async fn extending_keeps_it_hidden(f: &Fixture) {
    send(f, "x", 3).await;
    let first = wait_for_one(f).await;
    for _ in 0..4 {
        tokio::time::sleep(f.visibility / 2).await;
        assert_eq!(f.queue.extend(std::slice::from_ref(&first.receipt), f.visibility).await.unwrap(), [true]);
    }
    assert!(f.receive_one(BUILD).await.is_none());
    f.queue.extend(&[first.receipt], Duration::ZERO).await.unwrap();
    assert_eq!(wait_for_one(f).await.receive_count, 2);
}

pub async fn too_many_receives_go_to_the_dead_letters(f: &Fixture) {
    let new = f.create().await;
    for count in 1..=3 {
        let delivery = wait_for_one(f).await;
        assert_eq!(delivery.receive_count, count);
        f.queue.release(&delivery.receipt, Duration::ZERO, Receive::Counted).await.unwrap();
    }
    assert!(f.receive_one(BUILD).await.is_none());
    // The move may be committed together with a later write.
    let mut dead = Vec::new();
    for _ in 0..100 {
        dead = f.queue.unsettled_dead_letters(QueueName::BuildDead, 10).await.unwrap();
        if !dead.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(dead.len(), 1);
    assert!(dead[0].reason.contains("3 times"), "{}", dead[0].reason);
    assert!(dead[0].body.contains(new.project.project_id.as_str()));
    assert_eq!(f.queue.depth(QueueName::BuildDead).await.unwrap().visible, 1);
    f.queue.settle_dead_letter(&dead[0].id).await.unwrap();
    f.queue.settle_dead_letter(&dead[0].id).await.unwrap();
    assert!(f.queue.unsettled_dead_letters(QueueName::BuildDead, 10).await.unwrap().is_empty());
    // It can be read there, and no count moves it on.
    for _ in 0..5 {
        let letter = f.receive_one(QueueName::BuildDead).await.unwrap();
        f.queue.release(&letter.receipt, Duration::ZERO, Receive::Counted).await.unwrap();
    }
}

pub async fn progress_forgets_earlier_receives(f: &Fixture) {
    f.create().await;
    for stage in 0..6 {
        let (delivery, build) = f.take("w1").await;
        f.step(&build.lease, &[STAGES[stage]], &[STAGES[stage + 1]]).await.unwrap();
        if f.one_unit {
            assert_eq!(delivery.receive_count, 1);
            f.queue.release(&delivery.receipt, Duration::ZERO, Receive::Counted).await.unwrap();
            continue;
        }
        // The service moves it by its own count; the letter's task goes on, since it made progress.
        f.store.extend_leases(std::slice::from_ref(&build.lease), Timestamp::now()).await.unwrap();
        let reason = ErrorInfo::outside(FailureKind::Infrastructure, "given up");
        assert_eq!(f.store.fail_task(&build.lease.task_id, reason).await.unwrap(), GivenUp::Spared);
    }
    let project = &f.store.list_projects(&Default::default(), &page(1, 1)).await.unwrap().items[0].project_id;
    f.control(project, ControlAction::Cancel).await.unwrap();
    assert_eq!(f.status(project).await.0, ProjectStatus::Cancelled);
    assert!(f.nothing_to_do(BUILD).await);
}

pub async fn releasing_counts_or_not(f: &Fixture) {
    send(f, "x", 3).await;
    for _ in 0..10 {
        let delivery = wait_for_one(f).await;
        assert_eq!(delivery.receive_count, 1);
        f.queue.release(&delivery.receipt, Duration::ZERO, Receive::Uncounted).await.unwrap();
    }
    let delivery = wait_for_one(f).await;
    f.queue.release(&delivery.receipt, Duration::from_millis(150), Receive::Counted).await.unwrap();
    assert!(f.receive_one(BUILD).await.is_none());
    let begun = Instant::now();
    assert_eq!(wait_for_one(f).await.receive_count, 2);
    assert!(begun.elapsed() > Duration::from_millis(100));
}

pub async fn moving_by_hand_is_settled(f: &Fixture) {
    send(f, "not a message", 3).await;
    let delivery = wait_for_one(f).await;
    f.queue.dead_letter(&delivery.receipt, "it is no message").await.unwrap();
    assert!(f.receive_one(BUILD).await.is_none());
    assert!(f.queue.unsettled_dead_letters(QueueName::BuildDead, 10).await.unwrap().is_empty());
    assert_eq!(f.receive_one(QueueName::BuildDead).await.unwrap().body, "not a message");
    assert!(f.queue.send(BUILD, "x".repeat(300_000), 3).await.is_err());
}

pub async fn depth_is_true(f: &Fixture) {
    for _ in 0..3 {
        send(f, "x", 3).await;
    }
    let delivery = wait_for_one(f).await;
    let depth = f.queue.depth(BUILD).await.unwrap();
    assert_eq!((depth.visible, depth.in_flight), (2, 1));
    assert_eq!(depth.oldest.is_some(), f.one_unit);
    f.queue.release(&delivery.receipt, Duration::from_secs(60), Receive::Uncounted).await.unwrap();
    let depth = f.queue.depth(BUILD).await.unwrap();
    assert_eq!((depth.visible, depth.in_flight), (2, 0));
    assert_eq!(f.queue.depth(QueueName::Deploy).await.unwrap(), Default::default());
}

pub async fn a_receive_that_waits_sees_what_another_lets_go(f: &Fixture) {
    send(f, "x", 3).await;
    let queue = f.queue.clone();
    // Two wait; the one that gets it drops it without a word.
    let other = tokio::spawn(async move { queue.receive(BUILD, 1, Duration::from_secs(10)).await.unwrap() });
    let queue = f.queue.clone();
    let begun = Instant::now();
    let both = queue.receive(BUILD, 1, Duration::from_secs(10)).await.unwrap();
    let theirs = other.await.unwrap();
    assert_eq!((both.len(), theirs.len()), (1, 1));
    assert!(begun.elapsed() < f.visibility + Duration::from_secs(1), "{:?}", begun.elapsed());
}
