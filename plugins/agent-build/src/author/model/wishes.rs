//! What rules did not understand of a requirement: the model says of each such wish what can serve it. Data and figures
//! that rules have read stay as they are.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Deserialize;

use super::{
    ModelAuthor,
    ask::{Alias, Question, schema},
    context::Sections,
};
use crate::{
    author::{
        AuthorError, Brief,
        offline::{coverage, is_task},
    },
    catalogue::Catalogue,
    spec::{Clause, ClauseKind, Limit, Requirements, Span, Task},
};

/// The stage, which is also the folder of the prompts.
const STEP: &str = "requirements_analysis";
/// More wishes at once are more than a small model keeps apart.
const MOST: usize = 12;

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "title": {"type": "string", "minLength": 2, "maxLength": 80, "description": "A short name for the agent: what it is for. No sentence."},
    "summary": {"type": "string", "minLength": 10, "maxLength": 400, "description": "What is wanted, in one or two sentences, in the language of the requirement."},
    "wishes": {
      "type": "array",
      "description": "One entry for every numbered open wish, in their order. Empty when there are none.",
      "items": {
        "type": "object",
        "properties": {
          "number": {"type": "integer", "description": "The number of the open wish."},
          "asks_for": {"type": "string", "minLength": 3, "description": "What the wish asks the agent to do, in a few words."},
          "served_by": {"type": "string", "enum": ["vetted_tool", "python_function", "free_writing", "internet_or_device", "unknown_facts", "no_wish"], "description": "vetted_tool: a tool of the list gives exactly this. python_function: a formula or a short function computes it from what the user types, the same result each time. free_writing: a text has to be invented, translated or judged. internet_or_device: it needs the internet, mail, accounts or devices. unknown_facts: it needs facts that neither the user nor the requirement gives. no_wish: it asks for nothing."},
          "vetted_tool": {"type": "string", "description": "The id of the vetted tool, or an empty text."},
          "reason": {"type": "string", "minLength": 3, "maxLength": 240, "description": "Why, in one short sentence, in the language of the requirement."}
        },
        "required": ["number", "asks_for", "served_by", "vetted_tool", "reason"],
        "additionalProperties": false
      }
    }
  },
  "required": ["title", "summary", "wishes"],
  "additionalProperties": false
}"#;

#[derive(Debug, Deserialize)]
struct Understanding {
    title: String,
    summary: String,
    wishes: Vec<Judgement>,
}

#[derive(Clone, Debug, Deserialize)]
struct Judgement {
    number: usize,
    asks_for: String,
    served_by: Server,
    vetted_tool: String,
    reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Server {
    VettedTool,
    PythonFunction,
    FreeWriting,
    InternetOrDevice,
    UnknownFacts,
    NoWish,
}

/// Where an open wish stands in the reading.
#[derive(Clone, Copy, Debug)]
enum Place {
    Clause { task: usize, clause: usize },
    NotUnderstood(usize),
}

struct Wish {
    /// Fragments of one sentence are one wish.
    places: Vec<Place>,
    text: String,
    /// The vetted tool that rules chose by words alone, which may have been mistaken.
    chosen: Option<String>,
}

/// A wish that a function can serve.
#[derive(Clone, Debug)]
pub(super) struct FunctionWish {
    /// In the requirement's words.
    pub(super) text: String,
    pub(super) asks_for: String,
    /// Where its clauses stand: task and clause.
    pub(super) places: Vec<(usize, usize)>,
}

/// Asks about the open wishes, and writes the judgements into the reading. What a function can serve comes back.
pub(super) async fn judge(
    author: &ModelAuthor,
    brief: &Brief,
    requirements: &mut Requirements,
) -> Result<Vec<FunctionWish>, AuthorError> {
    let wishes = open_wishes(author.catalogue, requirements);
    let tools: BTreeMap<&str, &crate::catalogue::CatalogueTool> = usable(author.catalogue, requirements);
    let numbered = wishes.iter().enumerate().map(|(at, wish)| {
        let chosen = wish.chosen.as_ref().map(|tool| format!(" (perhaps by the vetted tool {tool})"));
        format!("{}. {}{}", at + 1, one_line(&wish.text), chosen.unwrap_or_default())
    });
    let numbered = numbered.collect::<Vec<_>>().join("\n");
    let mut listed = String::new();
    for tool in tools.values() {
        let _ = writeln!(listed, "- {}: {}", tool.id(), tool.summary().of(requirements.language));
    }
    let question = Question {
        step: STEP,
        alias: Alias::Smart,
        language: requirements.language,
        sections: Sections::default()
            .with("Requirement", brief.requirement.clone())
            .with("Vetted tools", listed)
            .list("Understood by rules already", understood(author.catalogue, requirements)),
        values: vec![("wishes", if numbered.is_empty() { "(none)".to_owned() } else { numbered })],
        schema: schema("understanding", SCHEMA)?,
    };
    let check = |told: &Understanding| problems(told, wishes.len(), &tools);
    let told: Understanding = author.interviewer.ask(brief, &question, check).await?;
    requirements.title = one_line(&told.title);
    requirements.summary = told.summary;
    let mut functions = Vec::new();
    // From behind, so that places stay as they are while parts move to the tasks.
    let mut judged: Vec<(&Wish, &Judgement)> = wishes
        .iter()
        .enumerate()
        .filter_map(|(at, wish)| Some((wish, told.wishes.iter().find(|one| one.number == at + 1)?)))
        .collect();
    judged.reverse();
    for (wish, judgement) in judged {
        let mut places = Vec::new();
        for place in &wish.places {
            places.extend(placed(requirements, *place, judgement));
        }
        if judgement.served_by == Server::PythonFunction {
            let text = wish.text.clone();
            functions.push(FunctionWish { text, asks_for: judgement.asks_for.clone(), places });
            continue;
        }
        // What rules chose stays, whatever a model thinks of it.
        if wish.chosen.is_some() {
            continue;
        }
        for (task, at) in places {
            let clause = requirements.reading.tasks.get_mut(task).and_then(|task| task.clauses.get_mut(at));
            if let Some(clause) = clause {
                settle(clause, judgement);
            }
        }
    }
    functions.reverse();
    Ok(functions)
}

/// Writes into a clause what can serve it, or why nothing does.
fn settle(clause: &mut Clause, judgement: &Judgement) {
    let limit = |ability: &str, needs: &str| {
        Some(Limit { ability: ability.to_owned(), reason: judgement.reason.clone(), needs: needs.to_owned() })
    };
    match judgement.served_by {
        Server::VettedTool => {
            clause.served_by = vec![judgement.vetted_tool.clone()];
            clause.not_served = None;
        }
        // Its sketch decides.
        Server::PythonFunction => {}
        // The agent may run without a model.
        Server::FreeWriting => clause.not_served = limit("language_model", "model"),
        Server::InternetOrDevice => clause.not_served = limit("connection", "connection"),
        Server::UnknownFacts => clause.not_served = limit("answers", "data"),
        Server::NoWish => {
            clause.not_served = None;
            clause.kind = ClauseKind::Context;
        }
    }
}

/// The clauses that rules found no tool for and do not know to be impossible, the parts that they did not understand, and
/// those for which they chose a tool by its words alone.
fn open_wishes(catalogue: &Catalogue, requirements: &Requirements) -> Vec<Wish> {
    let open = all(requirements)
        .filter(|(_, _, clause)| clause.not_served.as_ref().is_some_and(|limit| limit.ability == "unknown"));
    let mut wishes: Vec<Wish> = Vec::new();
    for (task, clause, one) in open {
        let place = Place::Clause { task, clause };
        // A fragment without a verb says nothing without its sentence.
        let sentence = requirements.reading.tasks.get(task).map_or("", |task| task.text.as_str());
        let text = if is_task(&one.text) { one.text.as_str() } else { sentence };
        match wishes.iter_mut().find(|wish| wish.text == text) {
            Some(wish) => wish.places.push(place),
            None => wishes.push(Wish { places: vec![place], text: text.to_owned(), chosen: None }),
        }
    }
    let parts = requirements.reading.not_understood.iter().enumerate();
    wishes.extend(
        parts
            .filter(|(_, part)| part.text.split_whitespace().count() > 2 || part.text.chars().count() > 8)
            .map(|(at, part)| Wish { places: vec![Place::NotUnderstood(at)], text: part.text.clone(), chosen: None }),
    );
    // What has data is sure; a tool without any was chosen because the words are alike.
    let by_words = |clause: &Clause| {
        let tool = catalogue.tool(clause.served_by.first()?)?;
        (clause.served_by.len() == 1 && tool.needs.is_none()).then(|| tool.id().to_owned())
    };
    let chosen = all(requirements).filter_map(|(task, clause, one)| {
        by_words(one).map(|tool| Wish {
            places: vec![Place::Clause { task, clause }],
            text: one.text.clone(),
            chosen: Some(tool),
        })
    });
    wishes.extend(chosen);
    wishes.truncate(MOST);
    wishes
}

/// Every clause with its place.
fn all(requirements: &Requirements) -> impl Iterator<Item = (usize, usize, &Clause)> {
    let tasks = requirements.reading.tasks.iter().enumerate();
    tasks.flat_map(|(task, one)| one.clauses.iter().enumerate().map(move |(at, clause)| (task, at, clause)))
}

/// The clause of a wish; a part that was not understood becomes a task first, unless it asks for nothing.
fn placed(requirements: &mut Requirements, place: Place, judgement: &Judgement) -> Option<(usize, usize)> {
    match place {
        Place::Clause { task, clause } => Some((task, clause)),
        Place::NotUnderstood(_) if judgement.served_by == Server::NoWish => None,
        Place::NotUnderstood(at) => {
            let reading = &mut requirements.reading;
            if at >= reading.not_understood.len() {
                return None;
            }
            let part = reading.not_understood.remove(at);
            reading.tasks.push(Task {
                id: format!("R{}", reading.tasks.len() + 1),
                text: part.text.clone(),
                span: part.span,
                clauses: vec![clause_of(&part.text, part.span)],
            });
            Some((reading.tasks.len() - 1, 0))
        }
    }
}

fn clause_of(text: &str, span: Span) -> Clause {
    Clause {
        text: text.to_owned(),
        span,
        kind: ClauseKind::Ability,
        verb: String::new(),
        object: String::new(),
        served_by: Vec::new(),
        not_served: Some(Limit { ability: "unknown".into(), reason: String::new(), needs: "model".into() }),
    }
}

/// The vetted tools that work with what the requirement brings along.
fn usable<'a>(
    catalogue: &'a Catalogue,
    requirements: &Requirements,
) -> BTreeMap<&'a str, &'a crate::catalogue::CatalogueTool> {
    let has = |kind: &str| requirements.data.iter().any(|set| set.kind() == kind);
    let tools = catalogue.tools().iter().filter(|tool| tool.needs.as_deref().is_none_or(has));
    tools.map(|tool| (tool.id(), tool)).collect()
}

fn understood(catalogue: &Catalogue, requirements: &Requirements) -> Vec<String> {
    let needs = |id: &str| catalogue.tool(id).and_then(|tool| tool.needs.as_deref());
    let clauses = requirements.reading.tasks.iter().flat_map(|task| &task.clauses);
    let has_data = |id: &String| requirements.data.iter().any(|set| needs(id) == Some(set.kind()));
    let served = clauses.filter(|clause| clause.served_by.iter().any(has_data));
    let data = requirements.data.iter().map(|set| format!("data: {} ({} entries)", set.title(), set.len()));
    served.map(|clause| format!("“{}” by {}", clause.text, clause.served_by.join(", "))).chain(data).collect()
}

fn problems(
    told: &Understanding,
    count: usize,
    tools: &BTreeMap<&str, &crate::catalogue::CatalogueTool>,
) -> Vec<String> {
    let mut problems = Vec::new();
    for number in 1..=count {
        match told.wishes.iter().filter(|one| one.number == number).count() {
            1 => {}
            0 => problems.push(format!("wishes: the open wish {number} has no entry")),
            more => problems.push(format!("wishes: the open wish {number} has {more} entries, it must have one")),
        }
    }
    for wish in &told.wishes {
        // One that nobody numbered is not looked at.
        if (1..=count).contains(&wish.number)
            && wish.served_by == Server::VettedTool
            && !tools.contains_key(wish.vetted_tool.as_str())
        {
            problems.push(format!(
                "wishes: `{}` is no vetted tool; name the id of one of the list, or choose another `served_by`",
                wish.vetted_tool
            ));
        }
    }
    problems
}

/// Coverage anew, by what serves the clauses now.
pub(super) fn cover(requirements: &mut Requirements) {
    let (coverage, not_served) = coverage::coverage(&requirements.reading, &requirements.data, requirements.language);
    requirements.coverage = coverage;
    requirements.not_served = not_served;
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
