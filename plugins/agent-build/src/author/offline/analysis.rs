//! The analysed requirement.

use super::{
    coverage,
    requirement::{
        Requirement,
        hostile::is_hostile,
        language::is_cjk,
        subject::{brief, owner, subject},
    },
};
use crate::{
    author::AuthorError,
    catalogue::Catalogue,
    spec::{ClauseKind, Language, Requirements, Task},
};

pub(in crate::author) fn analyse(
    catalogue: &Catalogue,
    project_name: &str,
    text: &str,
) -> Result<Requirements, AuthorError> {
    let names_ability = |words: &str| coverage::names_ability(catalogue, words);
    let requirement = Requirement::read(text, &names_ability).map_err(|e| AuthorError::Unanswerable(e.to_string()))?;
    let Requirement { language, mut reading, data } = requirement;
    coverage::judge(catalogue, text, &mut reading, &data, language);
    let (coverage, not_served) = coverage::coverage(&reading, &data, language);
    let first = reading.tasks.first().map_or("", |task| task.text.as_str());
    let serving = reading.tasks.iter().flat_map(|task| &task.clauses).flat_map(|clause| &clause.served_by).next();
    let ability = serving.and_then(|id| catalogue.tool(id)).map(|tool| tool.name().of(language).to_owned());
    let title = title(project_name, &reading.tasks, text, ability, language);
    let mut acceptance: Vec<String> = data.iter().map(|set| known_data(language, set.title(), set.len())).collect();
    acceptance.extend(reading.tasks.iter().filter_map(|task| served(language, task)));
    let qualities = [
        ("Answers come from tools and given data only; nothing is invented.", "回答只来自工具和所给数据，不编造。"),
        ("What it cannot do it says, with the reason.", "做不到的事如实说明原因。"),
        ("Follow-up questions are understood within a session.", "同一会话内能理解追问。"),
    ];
    Ok(Requirements {
        language,
        title,
        summary: shortened(if first.is_empty() { text } else { first }, 300),
        reading,
        data,
        coverage,
        not_served,
        to_write: Vec::new(),
        qualities: qualities.iter().map(|(en, zh)| language.pick(en, zh).to_owned()).collect(),
        acceptance,
    })
}

/// What the agent is called: its subject, never an order to a model.
fn title(project_name: &str, tasks: &[Task], text: &str, ability: Option<String>, language: Language) -> String {
    // A short name is meant as one; a sentence is the beginning of the requirement, which says more as a whole.
    let sentence =
        project_name.split_whitespace().count() > 5 || project_name.chars().filter(|c| is_cjk(*c)).count() > 12;
    let own = if sentence { "" } else { project_name };
    let usable = |name: &&str| name.chars().any(char::is_alphanumeric) && !is_hostile(name);
    let named = |name: &str| Some(name).filter(usable).map(subject);
    let title = named(own).or_else(|| owner(text).filter(|name| usable(&name.as_str())));
    // What whoever orders the agent calls it, else what it is for.
    let told = tasks.iter().map(|task| task.text.as_str()).chain(text.lines().take(3)).chain([project_name]);
    let title =
        title.or_else(|| told.filter(usable).find_map(|text| brief(&subject(text)))).or(ability).unwrap_or_default();
    let title = shortened(title.trim_end_matches(|c: char| c.is_whitespace() || ":：.。!！?？,，".contains(c)), 80);
    if title.is_empty() { language.pick("Assistant", "助手").to_owned() } else { title }
}

fn known_data(language: Language, title: &str, count: usize) -> String {
    language
        .pick(
            &format!("Every one of the {count} entries of \"{title}\" can be asked for."),
            &format!("“{title}”的 {count} 条内容都能查询到。"),
        )
        .to_owned()
}

/// What of a task can be asked of the finished agent.
fn served(language: Language, task: &Task) -> Option<String> {
    let clauses =
        task.clauses.iter().filter(|clause| clause.kind == ClauseKind::Ability && !clause.served_by.is_empty());
    let asked: Vec<&str> = clauses.map(|clause| clause.text.as_str()).collect();
    let list = asked.join(language.pick("; ", "；"));
    (!asked.is_empty()).then(|| shortened(&format!("{}: {list}", task.id), 200))
}

/// A text of at most so many characters.
pub(in crate::author) fn shortened(text: &str, limit: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= limit {
        line
    } else {
        line.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
    }
}
