//! A slice of the evaluation set: agents are built and asked as people would. The whole set runs by command
//! (`nexusd eval daemon/evals/set`); these bars hold always: nobody is told a wrong figure or nonsense, and the same
//! requirement gives the same agent each time.

use std::path::Path;

use serde_json::Value;

use crate::support::Home;

/// Some requirements of each kind, in both languages.
const SLICE: &str = "bakery-messages,fruit-stall-zh,clinic-hours,library-hours-zh,shop-faq,return-faq-zh,units-zh,travel-rates,mortgage-helper,\
     dates-zh,lab-stats,ticket-sorter,complaint-zh,staff-directory,hr-handbook,shop-everything,price-watcher,weather-sms-zh,just-help,injected-prices";

#[test]
fn agents_of_a_fixed_slice_state_no_wrong_figure_and_are_the_same_each_time() {
    let home = Home::new("");
    let set = Path::new(env!("CARGO_MANIFEST_DIR")).join("evals/set");
    let (results, journal) = (home.path().join("results.json"), home.path().join("journal.jsonl"));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (set, file, kept) = (text(&set), text(&results), text(&journal));
    let command = ["eval", &set, "--only", SLICE, "--runs", "3", "--jobs", "2", "--results", &file, "--journal", &kept];
    let (code, said) = home.run(&command);
    assert_eq!(code, Some(0), "{said}");
    let read = || -> Value { serde_json::from_str(&std::fs::read_to_string(&results).unwrap()).unwrap() };
    let found = read();
    let total = &found["total"];
    let bad: Vec<&Value> = found["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| {
            case["outcomes"]
                .as_array()
                .unwrap()
                .iter()
                .any(|one| one == "nonsense" || (one == "wrong" && case["figures"] == true))
        })
        .collect();
    assert!(total["wrong_figures"] == 0 && total["nonsense"] == 0, "{bad:#?}");
    assert_eq!(total["passed_once"], total["passed_always"], "pass^3 is pass@3: {said}");
    assert_eq!(total["agent_missing"], 0, "{:#}", found["missing"]);
    // Judged again from the journal: not one difference, and nothing is built for it.
    std::fs::remove_file(&results).unwrap();
    let (code, said) = home.run(&command);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(read(), found);
    let (code, said) = home.run(&["eval", "--compare", &file, &file]);
    assert!(code == Some(0) && said.contains("p = 1.0000") && said.contains("worse: 0"), "{said}");
}
