//! Files and folders of a fleet: an agent that outlives its project answers everywhere, what is deleted on one daemon goes
//! on all, and tables that are not a data folder's own take nothing from it.

use super::{BOTH, bucket, home, ready, support::prices::PRICES, with_files};
use crate::support::{Daemon, Home, eventually};
use serde_json::json;

/// Keys of all objects of a bucket, without the one by which daemons try whether they can write.
async fn objects(account: &crate::support::emulator::Account) -> Vec<String> {
    let name = format!("files-{}", account.access_key);
    let answer = account.s3(reqwest::Method::GET, &format!("{name}?list-type=2")).await;
    let text = answer.text().await.unwrap();
    let keys = text.split("<Key>").skip(1).filter_map(|part| part.split("</Key>").next());
    keys.filter(|key| !key.contains("/probe/")).map(str::to_owned).collect()
}

async fn price(daemon: &Daemon, agent: &str) -> String {
    let question = json!({ "input_text": "how much is an apple?" });
    let (status, answer) = daemon.post(&format!("/agents/{agent}/invoke"), &question).await;
    assert_eq!(status, 200, "{answer:#}\n{}", daemon.log());
    answer["data"]["output"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_stays_answers_everywhere_and_goes_everywhere() {
    let (account, one) = ready(BOTH, 1).await;
    let shared = bucket(&account).await;
    let two = home(&account, &account.url, "\"api\"", 1);
    with_files(&one, &shared);
    with_files(&two, &shared);
    let (a, b) = (one.start(), two.start());
    let (project, agent) = a.build_agent(PRICES).await;
    assert!(price(&b, &agent).await.contains('3'), "before");
    let (status, gone) = a.delete(&format!("/projects/{project}?delete_agents=false")).await;
    assert_eq!((status, &gone["data"]["errors"]), (200, &json!([])), "{gone}");
    let left = objects(&account).await;
    assert!(left.iter().any(|key| key.contains(&format!("/agents/{agent}/manifests/"))), "{left:#?}");
    assert!(!left.iter().any(|key| key.contains(&project)), "{left:#?}");
    for daemon in [&a, &b] {
        let said = price(daemon, &agent).await;
        assert!(said.contains('3'), "{said}\n{}", daemon.log());
    }
    // A daemon that has never seen it.
    let _ = b.terminate();
    let three = home(&account, &account.url, "\"api\"", 1);
    with_files(&three, &shared);
    let c = three.start();
    assert!(price(&c, &agent).await.contains('3'), "on a new machine");
    let (_, file) = c.get(&format!("/agents/{agent}/files/code")).await;
    assert!(file.to_string().contains("Entry point of the agent"), "{file:#}");

    // The daemon that was away finds by the record what was deleted meanwhile.
    let (status, gone) = a.delete(&format!("/agents/{agent}")).await;
    assert_eq!((status, &gone["data"]["errors"]), (200, &json!([])), "{gone}");
    assert_eq!(objects(&account).await, Vec::<String>::new(), "nothing is left");
    let stale = |home: &Home| {
        ["projects", "agents"].iter().any(|parent| {
            let found = std::fs::read_dir(home.data().join(parent)).into_iter().flatten().flatten();
            let names: Vec<_> = found.filter_map(|entry| entry.file_name().into_string().ok()).collect();
            names.contains(&project) || names.contains(&agent)
        })
    };
    assert!(stale(&two) && !stale(&one));
    let _b = two.start();
    eventually("its folders go", async || (!stale(&two)).then_some(())).await;
    let _ = c.terminate();
    let _c = three.start();
    eventually("and those of the third", async || (!stale(&three)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_tables_take_nothing_from_a_data_folder() {
    let (_, home) = ready(BOTH, 1).await;
    let daemon = home.start();
    let project = daemon.create("something with files", "noop").await;
    daemon.wait_for(&project, &["completed"]).await;
    let _ = daemon.terminate();
    let file = home.data().join("projects").join(&project).join("notes.md");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "mine").unwrap();
    // Other tables, all of them new, and a folder with and without an id.
    let text = std::fs::read_to_string(home.config()).unwrap();
    home.configure(&text.replace("[backend]", "[backend]\nprefix = \"new-\""));
    let (code, said) = home.run(&["resources", "init"]);
    assert_eq!(code, Some(0), "{said}");
    let refused = home.try_start().err().expect("it is refused");
    assert!(refused.contains("belongs to store") && refused.contains("adopt-folder"), "{refused}");
    let id = home.data().join("store-id");
    let bound = std::fs::read_to_string(&id).unwrap();
    std::fs::remove_file(&id).unwrap();
    let refused = home.try_start().err().expect("it is refused");
    assert!(refused.contains("knows none") && refused.contains(&project), "{refused}");
    assert!(file.exists() && !id.exists());
    // Its own tables take it again, by what lies there.
    home.configure(&text);
    let daemon = home.start();
    assert_eq!((std::fs::read_to_string(&id).unwrap(), file.exists()), (bound, true));
    assert_eq!(daemon.get(&format!("/projects/{project}")).await.0, 200);
}

/// Two daemons on one data folder would take each other's files for their own, whatever the store: the second is refused,
/// by whatever path it comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_folder_is_one_daemons() {
    let (account, one) = ready(BOTH, 1).await;
    let daemon = one.start();
    let mut two = home(&account, &account.url, BOTH, 1);
    let link = two.path().join("by-another-name");
    std::os::unix::fs::symlink(one.data(), &link).unwrap();
    let pid = format!("(process {})", daemon.pid());
    for place in [one.data(), link.clone()] {
        two.place_data(place);
        let refused = two.try_start().err().expect("it is refused");
        for part in ["in use by another daemon", &pid, "--data-dir"] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
    }
    // The file that says who has it is gone: the folder is the same.
    std::fs::remove_file(link.join("nexusd.lock")).unwrap();
    assert!(two.try_start().err().expect("it is refused").contains("in use by another daemon"));
    assert_eq!(daemon.get("/projects").await.0, 200, "{}", daemon.log());
    // However the first one ends, nothing is left in the way.
    daemon.kill();
    let daemon = two.start();
    assert_eq!(daemon.get("/projects").await.0, 200);
}
