//! The system prompt and the introduction of the README.

use std::fmt::Write as _;

use crate::{
    catalogue::Catalogue,
    spec::{AgentDesign, AgentPrompt, Introduction, Requirements},
};

const RULES: &str = include_str!("../../../prompts/agent/rules.en.md");
const ZH_RULES: &str = include_str!("../../../prompts/agent/rules.zh.md");

/// The prompt, perhaps with a role and further rules that somebody else wrote.
pub(in crate::author) fn composed(
    catalogue: &Catalogue,
    requirements: &Requirements,
    design: &AgentDesign,
    role: Option<String>,
    own_rules: &[String],
) -> AgentPrompt {
    let language = design.language;
    let say = |en: &str, zh: &str| language.pick(en, zh).to_owned();
    let role = role.unwrap_or_else(|| {
        say(
            &format!("You are {}. {}", design.display_name, design.description),
            &format!("你是{}。{}", design.display_name, design.description),
        )
    });
    let common = language.pick(RULES, ZH_RULES).trim_end();
    let rules = own_rules.iter().fold(common.to_owned(), |rules, rule| format!("{rules}\n- {rule}"));
    let mut text = format!("# {}\n\n{role}\n\n## {}\n\n", design.display_name, say("Task", "任务"));
    for task in served(requirements) {
        let _ = writeln!(text, "- {task}");
    }
    let _ = write!(text, "\n## {}\n\n{rules}\n", say("Rules", "规则"));
    let _ = write!(text, "\n## {}\n\n", say("Tools", "工具"));
    for tool in design.tools.iter().filter_map(|choice| catalogue.tool(&choice.id)) {
        let functions: Vec<String> = tool.about.functions.iter().map(|f| format!("`{}`", f.name)).collect();
        let _ = writeln!(
            text,
            "- {}: {} ({})",
            tool.name().of(language),
            tool.summary().of(language),
            functions.join(", ")
        );
    }
    for tool in &design.to_write {
        let _ = writeln!(text, "- {}: {} (`{}`)", tool.name, tool.summary, tool.id);
    }
    if !requirements.data.is_empty() {
        let _ = write!(text, "\n## {}\n\n", say("Data", "数据"));
        for data in &requirements.data {
            let _ = writeln!(text, "- {} ({}, {})", data.title(), data.kind(), data.len());
        }
    }
    if !design.not_served.is_empty() {
        let _ = write!(text, "\n## {}\n\n", say("What you cannot do", "你做不到的事"));
        for left in &design.not_served {
            let _ = writeln!(text, "- {}: {}", one_line(&left.text), left.reason);
        }
    }
    let rules = rules.lines().map(|rule| rule.trim_start_matches("- ").to_owned()).collect();
    AgentPrompt { role, rules, text }
}

/// The tasks of which something is served. Text that gives orders to a model is none of them.
fn served(requirements: &Requirements) -> impl Iterator<Item = String> {
    let tasks = requirements.reading.tasks.iter();
    let wanted = tasks.filter(|task| task.clauses.iter().any(|clause| clause.not_served.is_none()));
    wanted.map(|task| {
        let mut text = task.text.clone();
        for clause in task.clauses.iter().filter(|clause| clause.not_served.is_some()) {
            text = text.replace(&clause.text, "…");
        }
        one_line(&text)
    })
}

/// Text of the requirement on one line: it cannot begin a part of the prompt of its own.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "'")
}

pub(in crate::author) fn introduction(requirements: &Requirements, design: &AgentDesign) -> Introduction {
    let language = design.language;
    let say = |en: &str, zh: &str| language.pick(en, zh).to_owned();
    let mut notes = Vec::new();
    if design.general {
        notes.push(say(
            "The requirement named nothing that the offline catalogue knows, so the agent got a general set of tools.",
            "需求中没有离线目录认识的能力，因此配备了一组通用工具。",
        ));
    }
    for left in &design.not_served {
        notes.push(format!("{}“{}”: {}", say("Not served: ", "未覆盖："), left.text, left.reason));
    }
    for choice in &design.tools {
        if choice.id == "http_fetch" {
            notes.push(say(
                "It fetches public addresses only; AGENT_FETCH_ALLOW_PRIVATE=1 lifts that.",
                "只抓取公网地址；设置 AGENT_FETCH_ALLOW_PRIVATE=1 可解除限制。",
            ));
        } else if choice.id == "file_search" {
            notes.push(say(
                "Put the files it shall search into the folder `files/`.",
                "把要搜索的文件放入 `files/` 文件夹。",
            ));
        }
    }
    let introduction = format!("{}\n\n> {}", design.description, requirements.summary.replace('\n', " "));
    Introduction { introduction, notes }
}
