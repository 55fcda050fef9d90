//! Budgets and daemons that die: 10,000 reservations side by side, with a `kill -9` after each quarter. Nothing is overdrawn, and
//! every coin is where it belongs: what was settled as it was settled, what was not as it was set aside.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use nexus_daemon::{
    backend::store::{Account, Amount, Booking, NewCall, prelude::*},
    domain::time::Timestamp,
};

use super::{new_file, open};

const FILE: &str = "NEXUS_TEST_BOOKS_FILE";
const PART: &str = "NEXUS_TEST_BOOKS_PART";
const CALLS: u64 = 10_000;
const PARTS: u64 = 4;
const PROJECTS: u64 = 4;
/// Some two thirds of what is asked for.
const LIMIT: u64 = CALLS * 50 / PROJECTS * 2 / 3;

fn most(number: u64) -> u64 {
    number * 37 % 100 + 1
}

fn project(number: u64) -> String {
    format!("project:{}", number % PROJECTS)
}

/// Not a test of its own: what the killed process does. It says what it did after it was durable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let (Ok(file), Ok(part)) = (std::env::var(FILE), std::env::var(PART)) else { return };
    let (store, ..) = open(Path::new(&file)).unwrap();
    let part: u64 = part.parse().unwrap();
    let first = part * CALLS / PARTS;
    let calls = (first..first + CALLS / PARTS).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let id = format!("c{number}");
            let account = Account { name: project(number), most_cost: Some(LIMIT), most_tokens: None };
            let ends_at = Timestamp::now().plus(Duration::from_secs(60));
            let new = NewCall {
                call_id: id.clone(),
                most: Amount { cost: most(number), tokens: 1 },
                ends_at,
                accounts: vec![account],
            };
            if store.reserve_call(new).await.unwrap() != Booking::Done {
                return;
            }
            println!("\nR {number}");
            // Every third call is still under way when the process dies.
            if number % 3 != 0 {
                store.settle_call(&id, Some(Amount { cost: most(number) / 2, tokens: 1 })).await.unwrap();
                println!("\nS {number}");
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    println!("\nE 0");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn ten_thousand_reservations_with_restarts_overdraw_nothing() {
    let (_dir, file) = new_file();
    let (mut reserved, mut settled) = (BTreeMap::new(), BTreeMap::new());
    for part in 0..PARTS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["sqlite::overdraft::child", "--exact", "--nocapture", "--test-threads=1"])
            .env(FILE, &file)
            .env(PART, part.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The first ones die in the middle of their work, the last one after it.
        let patience = if part + 1 < PARTS { CALLS / PARTS } else { u64::MAX };
        for (seen, line) in (0_u64..).zip(BufReader::new(child.stdout.take().unwrap()).lines()) {
            let line = line.unwrap();
            let (kind, number) = line.split_once(' ').unwrap_or_default();
            let number = number.parse::<u64>().unwrap_or_default();
            match kind {
                "R" => drop(reserved.insert(number, most(number))),
                "S" => drop(settled.insert(number, most(number) / 2)),
                _ => {}
            }
            if kind == "E" || seen >= patience {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (store, ..) = open(&file).unwrap();
        for number in 0..PROJECTS {
            let used = store.account(&project(number)).await.unwrap().used.cost;
            assert!(used <= LIMIT, "{used} of {LIMIT} after part {part}");
        }
        store.close().await.unwrap();
    }

    // What the file says itself, call by call, is what its accounts say.
    let (store, ..) = open(&file).unwrap();
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    let kept = rusqlite::Connection::open(&file).unwrap();
    let mut all = kept.prepare("SELECT call_id, state, cost FROM model_calls").unwrap();
    let calls: Vec<(String, String, u64)> = all
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs())))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for (id, state, cost) in &calls {
        let number: u64 = id[1..].parse().unwrap();
        let expected = if state == "settled" { most(number) / 2 } else { most(number) };
        assert_eq!(*cost, expected, "{id} is {state}");
        *sums.entry(project(number)).or_default() += cost;
        // What a dead process said was durable, and is there.
        if settled.contains_key(&number) {
            assert_eq!(state, "settled", "{id}");
        }
    }
    assert!(reserved.keys().all(|number| calls.iter().any(|(id, ..)| *id == format!("c{number}"))));
    for number in 0..PROJECTS {
        let name = project(number);
        assert_eq!(
            store.account(&name).await.unwrap().used.cost,
            sums.get(&name).copied().unwrap_or_default(),
            "{name}"
        );
    }
    assert!(reserved.len() > 1_000 && settled.len() > 500, "{} reserved, {} settled", reserved.len(), settled.len());
}
