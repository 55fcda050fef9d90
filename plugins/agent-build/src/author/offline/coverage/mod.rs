//! What of a requirement the catalogue's tools serve, clause by clause, and what nothing serves.
//!
//! A tool serves a clause when its `does` names what the clause says: a verb and an object, or an object that alone
//! names the ability. [`beyond`] knows what no tool can do. Data words choose no tool: clauses that are data are not
//! looked at.

pub(crate) mod beyond;
mod data;
mod words;

use crate::{
    catalogue::{Catalogue, CatalogueTool},
    spec::{Clause, ClauseKind, Coverage, DataSet, Language, Limit, Reading, Span, Uncovered},
};

use super::requirement::{clauses_of, speech};
use data::Known;
use words::{Phrase, Words};

/// The tools' abilities, ready to be matched.
struct Abilities<'a> {
    tools: Vec<(&'a CatalogueTool, Vec<Group>)>,
}

struct Group {
    verbs: Vec<Phrase>,
    objects: Vec<Phrase>,
    unless: Option<String>,
    weak: bool,
    at_least: usize,
}

impl<'a> Abilities<'a> {
    fn of(catalogue: &'a Catalogue) -> Self {
        let phrases = |texts: &[String]| texts.iter().filter_map(|text| Phrase::new(text)).collect();
        let group = |does: &crate::catalogue::Does| Group {
            verbs: phrases(&does.verbs),
            objects: phrases(&does.objects),
            unless: does.unless.clone(),
            weak: does.weak,
            at_least: does.at_least,
        };
        Self { tools: catalogue.tools().iter().map(|tool| (tool, tool.does.iter().map(group).collect())).collect() }
    }

    /// The tools that do what a clause says, with the verb that it has or takes over.
    fn serving(&self, words: &Words, inherited: &Words, has: impl Fn(&str) -> bool) -> Vec<&'a CatalogueTool> {
        let serves = |group: &&Group| {
            let verb = group.verbs.is_empty() || group.verbs.iter().any(|verb| words.has(verb) || inherited.has(verb));
            verb && group.objects.iter().filter(|object| words.has(object)).count() >= group.at_least
                && !group.unless.as_deref().is_some_and(&has)
        };
        let with = |weak: bool| -> Vec<&'a CatalogueTool> {
            let of = |groups: &[Group]| groups.iter().any(|group| group.weak == weak && serves(&group));
            self.tools.iter().filter(|(_, groups)| of(groups)).map(|(tool, _)| *tool).collect()
        };
        let strong = with(false);
        if strong.is_empty() { with(true) } else { strong }
    }

    fn verb_of(&self, text: &str) -> Option<String> {
        let words = Words::new(text);
        let verbs = self.tools.iter().flat_map(|(_, groups)| groups).flat_map(|group| &group.verbs);
        let mut found: Option<String> = None;
        for verb in verbs.filter(|verb| words.has(verb)) {
            let name = match verb {
                Phrase::Chinese(text) | Phrase::Exact(text) => text.clone(),
                Phrase::Stems(stems) => stems.join(" "),
            };
            if found.as_ref().is_none_or(|known| known.len() < name.len()) {
                found = Some(name);
            }
        }
        found
    }
}

/// Whether words without a verb name something that an agent could, or could not, do.
pub(crate) fn names_ability(catalogue: &Catalogue, text: &str) -> bool {
    let words = Words::new(text);
    let abilities = Abilities::of(catalogue);
    let named = abilities.serving(&words, &words, |_| false).iter().any(|tool| tool.needs.is_none());
    named || beyond::limit(text, Language::En).is_some()
}

/// Says of every clause of the tasks what serves it or why nothing does.
pub(crate) fn judge(catalogue: &Catalogue, text: &str, reading: &mut Reading, data: &[DataSet], language: Language) {
    let abilities = Abilities::of(catalogue);
    let known = Known::of(data);
    let typed = reading.data.iter().filter(|datum| datum.kind != "notes" && datum.entry.is_some());
    let taken: Vec<Span> = typed.map(|datum| datum.span).collect();
    for task in &mut reading.tasks {
        // A clause without a verb has that of the one before, the first that of the sentence.
        let mut inherited = abilities.verb_of(&task.text).unwrap_or_default();
        let mut clauses: Vec<Clause> = clauses_of(text, task.span, &taken)
            .into_iter()
            .map(|(span, words)| {
                let clause = judged(&abilities, catalogue, &known, &inherited, (span, words), language);
                if let Some(verb) = abilities.verb_of(&clause.text) {
                    inherited = verb;
                }
                clause
            })
            .collect();
        forgive(text, &mut clauses);
        task.clauses = clauses;
    }
}

/// What names the agent before a colon, and scraps among things that are served, ask for nothing by themselves.
fn forgive(text: &str, clauses: &mut [Clause]) {
    let served = clauses.iter().any(|clause| !clause.served_by.is_empty());
    for clause in clauses {
        let behind = text.get(clause.span.end..).unwrap_or_default().trim_start();
        let names = behind.starts_with([':', '：']);
        let words = clause.text.split_whitespace().count();
        let scrap = served && !speech::is_task(&clause.text) && words <= 3 && clause.text.chars().count() <= 20;
        let scrap =
            scrap || served && words <= 5 && clause.not_served.as_ref().is_some_and(|limit| limit.ability == "answers");
        let vague = clause.not_served.as_ref().is_some_and(|limit| {
            ["unknown", "answers"].contains(&limit.ability.as_str()) || limit.needs == "data" && scrap
        });
        if vague && (names || scrap) {
            clause.not_served = None;
            clause.kind = ClauseKind::Context;
        }
    }
}

fn judged(
    abilities: &Abilities<'_>,
    catalogue: &Catalogue,
    known: &Known,
    inherited: &str,
    (span, text): (Span, String),
    language: Language,
) -> Clause {
    let verb = abilities.verb_of(&text).unwrap_or_else(|| inherited.to_owned());
    let object = data::object_of(&text);
    let mut clause =
        Clause { text, span, kind: ClauseKind::Ability, verb, object, served_by: Vec::new(), not_served: None };
    let said = clause.text.as_str();
    let beyond = beyond::limit(said, language);
    let wishes = ["want", "need", "like", "looking", "想", "要", "需"].iter().any(|word| said.contains(word));
    if speech::is_owner(said) && !wishes {
        clause.kind = ClauseKind::Context;
        return clause;
    }
    if speech::forbids(said) {
        clause.kind = ClauseKind::Manner;
        return clause;
    }
    let words = Words::new(said);
    let matched = abilities.serving(&words, &Words::new(inherited), |kind| known.has(kind));
    // "Write a summary of an article" is what a tool does, though it speaks of writing.
    let done = |limit: &Limit| {
        limit.ability == "writing"
            && matched.iter().any(|tool| ["text_summary", "random_generator", "text_transform"].contains(&tool.id()))
    };
    if let Some(limit) = beyond.filter(|limit| !done(limit)) {
        clause.not_served = Some(limit);
        return clause;
    }
    if speech::is_manner(said) {
        clause.kind = ClauseKind::Manner;
        return clause;
    }
    let (able, lacking): (Vec<&CatalogueTool>, Vec<&CatalogueTool>) =
        matched.into_iter().partition(|tool| tool.needs.as_deref().is_none_or(|kind| known.has(kind)));
    clause.served_by = able.iter().map(|tool| tool.id().to_owned()).collect();
    let asked = known.asked(said, language);
    for kind in asked.kinds.iter() {
        let tools = catalogue.tools().iter().filter(|tool| tool.needs.as_deref() == Some(kind));
        tools.for_each(|tool| clause.served_by.push(tool.id().to_owned()));
    }
    clause.served_by.sort();
    clause.served_by.dedup();
    if !clause.served_by.is_empty() {
        return clause;
    }
    let names_only = speech::names_agent(said)
        || !speech::is_task(said) && inherited.is_empty() && abilities.verb_of(said).is_none();
    if asked.background || names_only || speech::is_background(said) || speech::is_courtesy(said) {
        clause.kind = ClauseKind::Context;
        return clause;
    }
    clause.not_served = Some(match lacking.first() {
        Some(tool) => Limit {
            ability: tool.id().to_owned(),
            reason: format!(
                "{}{}",
                language.pick("it needs data that the requirement does not give: ", "所需的数据没有在需求中给出："),
                tool.name().of(language)
            ),
            needs: "data".into(),
        },
        None if asked.wants_data => Limit {
            ability: "answers".into(),
            reason: language
                .pick("the requirement gives nothing that it could be answered from", "需求中没有可用来回答的资料")
                .to_owned(),
            needs: "data".into(),
        },
        None => Limit {
            ability: "unknown".into(),
            reason: language
                .pick(
                    "no tool of the offline catalogue does this; it needs a language model",
                    "离线目录中没有合适的工具，需要语言模型",
                )
                .to_owned(),
            needs: "model".into(),
        },
    });
    clause
}

/// How much of a requirement is served, and what is not.
pub(crate) fn coverage(reading: &Reading, data: &[DataSet], language: Language) -> (Coverage, Vec<Uncovered>) {
    let mut not_served: Vec<Uncovered> = Vec::new();
    for (clause, limit) in reading.limits() {
        let left = Uncovered {
            text: clause.text.clone(),
            reason: limit.reason.clone(),
            ability: limit.ability.clone(),
            needs: limit.needs.clone(),
        };
        if !not_served.contains(&left) {
            not_served.push(left);
        }
    }
    if not_served.is_empty()
        && data.is_empty()
        && !reading.tasks.iter().flat_map(|task| &task.clauses).any(|clause| !clause.served_by.is_empty())
    {
        let text = reading
            .tasks
            .first()
            .map(|task| task.text.clone())
            .or_else(|| reading.not_understood.first().map(|part| part.text.clone()));
        let reason = language.pick(
            "it names neither something to do nor data to answer from, so the agent got general tools",
            "没有说明要做什么，也没有给出资料，因此只配备了通用工具",
        );
        not_served.push(Uncovered {
            text: text.unwrap_or_default(),
            reason: reason.into(),
            ability: "unknown".into(),
            needs: "data".into(),
        });
        return (Coverage::Partial, not_served);
    }
    let clauses = || reading.tasks.iter().flat_map(|task| &task.clauses);
    let served = clauses().any(|clause| !clause.served_by.is_empty());
    // What somebody tells of himself beside a wish that nobody can serve is no data to answer from.
    let typed = data.iter().any(|set| set.kind() != "notes" || set.len() > 3);
    let coverage = match (not_served.is_empty(), served || typed || not_served.is_empty() && !data.is_empty()) {
        (true, _) => Coverage::Full,
        (false, true) => Coverage::Partial,
        (false, false) => Coverage::None,
    };
    (coverage, not_served)
}
