//! The analysed requirement.

use super::requirement::{Requirement, subject::subject};
use crate::spec::{Language, Requirements, Task};

pub(super) fn analyse(project_name: &str, requirement: Requirement) -> Requirements {
    let language = requirement.language;
    let first = requirement.tasks.first().map_or(project_name, String::as_str);
    let tasks = requirement
        .tasks
        .iter()
        .zip(1..)
        .map(|(text, number)| Task { id: format!("R{number}"), text: text.clone() })
        .collect();
    let mut acceptance: Vec<String> =
        requirement.data.iter().map(|data| known_data(language, data.title(), data.len())).collect();
    acceptance.push(
        language
            .pick(
                "Every example question of the design is answered by the tool named for it.",
                "设计中的每个示例问题都由指定的工具回答。",
            )
            .to_owned(),
    );
    acceptance.push(
        language
            .pick(
                "All unit tests of the agent pass; it starts, answers /ping and an invocation, and stops when told.",
                "单元测试全部通过；能启动、响应 /ping 和一次调用，并能正常停止。",
            )
            .to_owned(),
    );
    let qualities = [
        ("Answers come from tools and given data only; nothing is invented.", "回答只来自工具和所给数据，不编造。"),
        ("Every answer names the tool, its arguments and its result.", "每个回答都给出所用工具、参数和结果。"),
        ("Follow-up questions are understood within a session.", "同一会话内能理解追问。"),
        ("Runs without network and without packages.", "无需网络，无需第三方软件包。"),
    ];
    Requirements {
        language,
        title: shortened(&subject(if project_name.trim().is_empty() { first } else { project_name }), 80),
        summary: shortened(first, 300),
        tasks,
        data: requirement.data,
        qualities: qualities.iter().map(|(en, zh)| language.pick(en, zh).to_owned()).collect(),
        acceptance,
    }
}

fn known_data(language: Language, title: &str, count: usize) -> String {
    language
        .pick(
            &format!("Every one of the {count} entries of \"{title}\" can be asked for."),
            &format!("“{title}”的 {count} 条内容都能查询到。"),
        )
        .to_owned()
}

/// A text of at most so many characters.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= limit {
        line
    } else {
        line.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
    }
}
