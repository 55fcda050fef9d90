//! Would the exam see it? An agent that says nothing, and agents whose tools have faults: changed figures, swapped rows, a
//! step too far, another unit, a tool that is gone. The share that is caught is the exam's own score.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use nexus_evaluation::Outcome;
use nexus_plugin_api::{payload::StageRequest, sdk::StageHandler as _, sdk::testing::Recorder};
use serde_json::Value;

use super::{Frozen, exam};
use crate::{
    catalogue::Catalogue,
    settings::Settings,
    stages::{BuildStage, STAGES, Shared},
    verify::RunningAgent,
};

/// What is changed of the figures of a result, of its rows, of the arguments; `faults.py` has them all.
const OF_FIGURES: &[&str] = &[
    "one_more",
    "one_less",
    "tenfold",
    "a_tenth",
    "thousandfold",
    "negative",
    "two_percent_more",
    "half",
    "cut_off",
    "digits_turned",
    "zero",
    "pounds_for_kilograms",
    "three_more",
    "ten_less",
    "doubled",
    "hundredfold",
    "a_tenth_less",
    "first_lost",
    "last_lost",
    "rotated",
    "values_turned",
    "same_for_all",
    "raises",
    "arguments_moved",
];

/// What is changed where a tool is for words: its figures are an ornament there.
const OF_WORDS: &[&str] = &[
    "text_turned",
    "text_cut",
    "text_shifted",
    "text_lost",
    "text_halved",
    "text_without_vowels",
    "text_without_blanks",
    "words_turned",
    "words_lost",
    "words_doubled",
    "digits_moved",
    "first_sign_lost",
    "last_sign_lost",
    "every_third_lost",
    "neighbours_swapped",
    "middle_lost",
    "last_word_lost",
    "first_lost",
    "last_lost",
    "only_first",
    "values_turned",
    "same_for_all",
    "raises",
    "arguments_cut",
];

/// What a unit is called: for tools that convert.
const OF_UNITS: &[&str] = &["text_turned", "text_shifted", "text_lost"];

fn faults_for(tool: &str) -> Vec<&'static str> {
    match tool {
        "faq_answers" | "notes_search" | "opening_hours" | "text_classifier" | "text_transform" | "text_summary"
        | "pattern_extract" | "encode_text" | "hash_text" | "json_query" | "markdown_table" | "file_search" => {
            OF_WORDS.to_vec()
        }
        "exchange_rates" | "unit_converter" => [OF_FIGURES, OF_UNITS].concat(),
        _ => OF_FIGURES.to_vec(),
    }
}

/// A requirement for each tool, in the words of somebody who wants just that.
const WANTED: &[(&str, &str)] = &[
    (
        "price_list",
        "An agent that answers questions about prices: apple 3 EUR, pear 4.20 EUR, plum 2.50 EUR, fig 7.60 EUR, melon 5 EUR.",
    ),
    ("price_list", "水果店报价助手，价格：苹果3元，梨4.5元，香蕉6元，西瓜12元，榴莲80元。"),
    (
        "table_lookup",
        "An assistant for this table:\n\nplant,water,height\nFern,2,60\nAloe,7,45\nOlive,1,200\nIvy,4,90\n",
    ),
    (
        "faq_answers",
        "Answer these.\nQ: Do you ship abroad? A: Yes, within 14 days.\nQ: Can I return it? A: Within 30 days, unworn.\nQ: Where are you? A: Mill Lane 4, Ashford.\n",
    ),
    (
        "notes_search",
        "A helper for our house rules. The laundry is in the cellar next to the boiler. Bicycles belong into the courtyard shed. Rubbish is collected on Tuesday mornings.",
    ),
    (
        "opening_hours",
        "An agent that tells our opening hours: Monday to Thursday 8:00-18:30, Friday 9:30-16:00, Saturday 10:15-12:45, Sunday closed.",
    ),
    (
        "text_classifier",
        "Sort tickets into these categories:\nBilling: invoice, refund, payment\nShipping: parcel, courier, tracking\nBugs: crash, freeze, error\n",
    ),
    ("exchange_rates", "Convert money at these rates: 1 EUR = 1.08 USD, 1 EUR = 162 JPY, 1 GBP = 1.17 EUR."),
    ("calculator", "An agent that is a calculator for sums, products and percentages."),
    ("unit_converter", "An agent that converts kg to pounds, miles to km, inches to cm and fahrenheit to celsius."),
    (
        "date_calculator",
        "An agent that counts the days between two dates, tells the weekday of a date, and adds days to a date.",
    ),
    (
        "finance_calculator",
        "An agent that calculates the monthly payment of a loan and the compound interest of savings.",
    ),
    ("number_statistics", "An agent that computes mean and median of a list of numbers."),
    ("number_bases", "An agent that converts numbers between binary, decimal and hexadecimal."),
    ("text_statistics", "An agent that counts the words of a text and how often a word appears."),
    ("text_transform", "An agent that changes texts to uppercase and makes slugs of titles."),
    ("text_summary", "An agent that summarises a text in a few sentences."),
    ("pattern_extract", "An agent that extracts email addresses and links from texts."),
    ("encode_text", "An agent that encodes and decodes Base64."),
    ("hash_text", "An agent that computes SHA-256 and MD5 checksums of texts."),
    ("json_query", "An agent that validates JSON and reads values out of JSON."),
    ("markdown_table", "An agent that turns CSV into Markdown tables."),
    ("csv_query", "An agent that answers questions about pasted CSV: averages, totals by group."),
    ("random_generator", "An agent that generates passwords and rolls dice."),
    ("file_search", "An agent that lists and searches the files in its folder."),
];

struct Exam {
    folder: tempfile::TempDir,
    requirement: &'static str,
    frozen: Frozen,
    tools: Vec<String>,
}

impl Exam {
    /// Builds the agent up to its folder, without the stage that verifies it.
    async fn prepare(requirement: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shared = Arc::new(Shared::new(Settings::default()).unwrap());
        let mut inputs: BTreeMap<String, Value> = BTreeMap::new();
        for (stage, number) in STAGES.iter().zip(1..).filter(|(stage, _)| stage.name != "agent_developer_manager") {
            let (_recorder, cx) = Recorder::new();
            let request = StageRequest {
                project_id: "proj_test".into(),
                project_name: "Exam".into(),
                requirement: requirement.into(),
                user_id: "tester".into(),
                tags: Vec::new(),
                stage: stage.name.into(),
                stage_number: number,
                attempt: 1,
                workspace: folder.path().to_owned(),
                inputs: inputs.clone(),
                options: Value::Null,
                deployment: Value::Null,
                models: None,
            };
            let result = BuildStage::new(stage, Arc::clone(&shared)).run(request, cx).await;
            let result = result.unwrap_or_else(|failure| panic!("{requirement}: {}: {}", stage.name, failure.message));
            inputs.insert(stage.name.into(), Value::Object(result.output));
        }
        let record = &inputs["requirements_analysis"]["acceptance_cases"];
        let text = fs::read_to_string(folder.path().join(record["path"].as_str().unwrap())).unwrap();
        let frozen = Frozen::read(&text, record["sha256"].as_str().unwrap()).unwrap();
        let choices = inputs["agent_design"]["tools"].as_array().unwrap();
        let tools = choices.iter().map(|choice| choice["id"].as_str().unwrap().to_owned()).collect();
        Self { folder, requirement, frozen, tools }
    }

    fn agent(&self) -> std::path::PathBuf {
        self.folder.path().join("agent")
    }

    async fn start(&self) -> RunningAgent {
        RunningAgent::start("python3", &self.agent(), Duration::from_secs(60)).await.unwrap()
    }

    /// The cases that pass, and all that it says: also to the questions of the catalogue's own, which are none of the exam's.
    async fn sit(&self, agent: &RunningAgent, tool: &str) -> (BTreeSet<String>, Vec<String>) {
        // An agent that does not even answer passes nothing.
        let Ok(exam) = exam::ask(self.requirement, &self.frozen, agent).await else { return Default::default() };
        let mut said: Vec<String> = exam.acceptance.items.iter().map(|item| item.answer.clone()).collect();
        let passed = exam.acceptance.items.into_iter().filter(|item| item.outcome == Outcome::Passed);
        let passed = passed.map(|item| item.question).collect();
        for (number, example) in Catalogue::embedded().unwrap().tool(tool).unwrap().examples.iter().enumerate() {
            let answer = agent.invoke(&example.question, &format!("a-question-beside-the-exam-{number:010}")).await;
            let text = answer.ok().and_then(|answer| answer["output"].as_str().map(str::to_owned));
            said.push(text.unwrap_or_default());
        }
        if tool == "random_generator" {
            // Each time another: only its shape can be compared.
            let shape = |text: &String| text.chars().map(|c| if c.is_whitespace() { c } else { 'x' }).collect();
            said = said.iter().map(shape).collect();
        }
        (passed, said)
    }
}

fn seed(agent: &Path, tool: &str) {
    let path = agent.join(format!("tools/{tool}.py"));
    let code = fs::read_to_string(&path).unwrap() + include_str!("faults.py");
    fs::write(path, code).unwrap();
}

/// Seeds every fault into one tool: how many came into effect, and those that nothing noticed.
async fn score(tool: &'static str, requirement: &'static str) -> (usize, Vec<String>, usize, Duration) {
    let exam = Exam::prepare(requirement).await;
    assert!(exam.tools.iter().any(|one| one == tool), "{requirement}: {:?} has no {tool}", exam.tools);
    let agent = exam.agent();
    seed(&agent, tool);
    let switch = |fault: &str| fs::write(agent.join("fault"), fault).unwrap();
    switch("none");
    let running = exam.start().await;
    let begun = Instant::now();
    let (baseline, right) = exam.sit(&running, tool).await;
    let took = begun.elapsed();
    let (mut effective, mut missed) = (0, Vec::new());
    for fault in faults_for(tool) {
        switch(fault);
        let (passed, said) = exam.sit(&running, tool).await;
        // What nobody can see, as a score that is never told, is no fault of an answer.
        if said == right {
            continue;
        }
        effective += 1;
        if passed.is_superset(&baseline) {
            missed.push(format!("{tool}: {fault}"));
        }
    }
    running.stop().await.unwrap();
    // A tool that is not there at all.
    let manifest = agent.join("manifest.json");
    let mut whole: Value = serde_json::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
    whole["tools"].as_array_mut().unwrap().retain(|one| one["id"] != tool);
    fs::write(&manifest, whole.to_string()).unwrap();
    let running = exam.start().await;
    effective += 1;
    if exam.sit(&running, tool).await.0.is_superset(&baseline) {
        missed.push(format!("{tool}: not there"));
    }
    running.stop().await.unwrap();
    (effective, missed, baseline.len(), took)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeded_faults_are_caught() {
    let (mut all, mut missed, mut lines) = (0, Vec::new(), Vec::new());
    for (tool, requirement) in WANTED {
        let (effective, unseen, passed, took) = score(tool, requirement).await;
        lines.push(format!(
            "{tool}: {} of {effective} caught, {passed} cases pass, exam {} ms",
            effective - unseen.len(),
            took.as_millis()
        ));
        all += effective;
        missed.extend(unseen);
    }
    let caught = all - missed.len();
    let report = format!("{}\n{caught} of {all} seeded faults caught; not seen: {missed:?}", lines.join("\n"));
    eprintln!("{report}");
    assert!(caught * 100 >= all * 95, "{report}");
    let tools: BTreeSet<&str> = WANTED.iter().map(|(tool, _)| *tool).collect();
    for tool in Catalogue::embedded().unwrap().tools() {
        // A build has no network to test the fetching of pages by: it is reported as unproven.
        assert!(tools.contains(tool.id()) || tool.id() == "http_fetch", "{} has no faults seeded", tool.id());
    }
}

/// Agents that answer everything with one sentence, whatever it is.
#[tokio::test]
async fn an_empty_agent_fails() {
    for (_, requirement) in WANTED {
        let exam = Exam::prepare(requirement).await;
        let due = exam.frozen.cases.iter().filter(|case| case.unproven.is_none() && case.oracle.is_due()).count();
        assert!(due >= 1, "{requirement}: {due} cases are due");
        for said in ["", "I cannot answer that.", "OK", "42", requirement] {
            let turn = |case: &super::Case| {
                let turn = nexus_evaluation::Turn { requirement, earlier: &[], question: &case.ask };
                let answer = nexus_evaluation::Answer { text: said.to_owned(), calls: Vec::new() };
                nexus_evaluation::judge(turn, &case.oracle, &answer).verdict == nexus_evaluation::Verdict::Right
            };
            let asked = exam.frozen.cases.iter().filter(|case| case.unproven.is_none());
            let failed = asked.filter(|case| !turn(case)).count();
            assert!(failed >= 1, "{requirement}: {said:?} passes everything");
        }
    }
}
