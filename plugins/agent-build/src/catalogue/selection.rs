//! Which tools a requirement asks for: BM25 over the blueprints, clause by clause.
//!
//! BM25 ranks; it cannot tell a weak match from none. So a tool is taken only when the clause also
//! holds one of its own keywords, one that few other tools share.

use std::collections::{BTreeMap, HashMap};

use bm25::{Document, SearchEngine, SearchEngineBuilder, Tokenizer as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Blueprint, Catalogue, tokenizer::Terms};
use crate::requirement::{Requirement, sentences};

/// Candidates below this share of a clause's best score are left out.
const SHARE_OF_BEST: f32 = 0.45;
/// The same for a whole sentence, which is searched too, in case splitting it broke a phrase; and for a
/// tool that only one single word speaks for.
const HIGH_SHARE_OF_BEST: f32 = 0.8;
/// A keyword that more tools share than this decides nothing.
const MAX_SHARING: usize = 2;
const MAX_TOOLS: usize = 10;
/// What an agent gets when its requirement names nothing the catalogue knows.
const GENERAL: [&str; 5] = ["calculator", "unit_converter", "date_calculator", "text_statistics", "text_summary"];
/// Words that alone make no task: a sentence of these only is an introduction.
const PLAIN: [&str; 14] = [
    "friendli", "polit", "kind", "chat", "quick", "good", "daili", "everyday", "offlin", "online", "shop", "team",
    "compani", "custom",
];

/// A tool that was chosen, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    /// The blueprint.
    pub id: String,
    /// BM25 score of the best clause; 0 when data alone decided.
    pub score: f32,
    /// The words that decided.
    pub matched: Vec<String>,
    /// The data set it serves.
    pub data: Option<String>,
}

/// A part of the requirement that no tool serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Uncovered {
    /// The sentence.
    pub text: String,
    /// Why it is not served.
    pub reason: String,
}

/// The outcome of a selection.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The tools, those with data first, then by score.
    pub tools: Vec<Choice>,
    /// What is left.
    pub uncovered: Vec<Uncovered>,
    /// Whether the general set was taken for want of anything better.
    pub general: bool,
}

/// A search word: as terms for English, as text for Chinese; and how many tools have it.
struct Keyword {
    text: String,
    terms: Vec<String>,
    tools: usize,
}

struct Index<'a> {
    blueprints: &'a [Blueprint],
    engine: SearchEngine<u32, u32, Terms>,
    terms: Terms,
    /// Strong keywords of each blueprint.
    keywords: Vec<Vec<Keyword>>,
    /// What the tools with data are about: such words bring in no other tool. With a price list at hand
    /// "discounts" is no reason for a finance calculator.
    served_terms: Vec<String>,
    served_text: String,
}

impl<'a> Index<'a> {
    fn new(blueprints: &'a [Blueprint], requirement: &Requirement) -> Self {
        let terms = Terms::default();
        let has_data = |b: &&Blueprint| b.needs.as_deref().is_some_and(|kind| requirement.data_of(kind).is_some());
        let mut served_terms = Vec::new();
        let mut served_text = String::new();
        for b in blueprints.iter().filter(has_data) {
            served_terms.extend(terms.tokenize(&format!("{} {} {}", b.name.en, b.summary.en, b.keywords.en.join(" "))));
            served_text.push_str(&format!("{} {} {} ", b.name.zh, b.summary.zh, b.keywords.zh.join(" ")));
        }
        let all: Vec<Vec<(String, Vec<String>)>> = blueprints
            .iter()
            .map(|b| {
                let english = b.keywords.en.iter().map(|k| (k.clone(), terms.tokenize(k)));
                let chinese = b
                    .keywords
                    .zh
                    .iter()
                    .map(|k| (k.to_lowercase(), if k.is_ascii() { terms.tokenize(k) } else { Vec::new() }));
                // A phrase of which the stop words left one common word ("writing assistant") decides nothing.
                let whole = |(text, t): &(String, Vec<String>)| t.len() > 1 || (t.len() == 1 && !text.contains(' '));
                english.filter(whole).chain(chinese).collect()
            })
            .collect();
        let mut sharing: HashMap<(String, Vec<String>), usize> = HashMap::new();
        for keywords in &all {
            let mut own: Vec<_> = keywords
                .iter()
                .map(|(text, t)| if t.is_empty() { (text.clone(), Vec::new()) } else { (String::new(), t.clone()) })
                .collect();
            own.sort();
            own.dedup();
            own.into_iter().for_each(|key| *sharing.entry(key).or_default() += 1);
        }
        let count = |text: &str, t: &[String]| {
            sharing
                .get(&if t.is_empty() { (text.to_owned(), Vec::new()) } else { (String::new(), t.to_vec()) })
                .copied()
                .unwrap_or_default()
        };
        let keywords = all
            .into_iter()
            .map(|own| {
                own.into_iter()
                    .map(|(text, terms)| Keyword { tools: count(&text, &terms), text, terms })
                    .filter(|k| k.tools <= MAX_SHARING)
                    .collect()
            })
            .collect();
        let documents = blueprints.iter().zip(0..).map(|(b, id)| {
            let examples: Vec<&str> = b.examples.iter().map(|e| e.question.as_str()).collect();
            let contents = format!(
                "{} {} {} {} {} {} {}",
                b.name.en,
                b.name.zh,
                b.summary.en,
                b.summary.zh,
                b.keywords.en.join(" "),
                b.keywords.zh.join(" "),
                examples.join(" ")
            );
            Document::new(id, contents)
        });
        let engine = SearchEngineBuilder::with_tokenizer_and_documents(Terms::default(), documents).build();
        Self { blueprints, engine, terms, keywords, served_terms, served_text }
    }

    /// The tools a clause asks for, with score and the keywords that decided.
    fn search(&self, clause: &str, share: f32) -> Vec<(&'a Blueprint, f32, Vec<String>)> {
        let lower = clause.to_lowercase();
        let terms = self.terms.tokenize(clause);
        let hits: Vec<_> = self
            .engine
            .search(clause, 12)
            .into_iter()
            .filter_map(|hit| {
                let at = usize::try_from(hit.document.id).ok()?;
                let blueprint = self.blueprints.get(at)?;
                let said = |k: &&Keyword| {
                    if k.terms.is_empty() { lower.contains(k.text.as_str()) } else { contains(&terms, &k.terms) }
                };
                let free = |k: &&Keyword| blueprint.needs.is_some() || !self.is_served(k);
                // A single word without context ("… and URLs") decides only when no other tool has it.
                let clear = |k: &&Keyword| terms.len() > 1 || k.tools == 1;
                let matched: Vec<String> = self
                    .keywords
                    .get(at)?
                    .iter()
                    .filter(said)
                    .filter(free)
                    .filter(clear)
                    .map(|k| k.text.clone())
                    .collect();
                (!matched.is_empty()).then_some((blueprint, hit.score, matched))
            })
            .collect();
        let best = hits.iter().map(|(_, score, _)| *score).fold(0.0, f32::max);
        hits.into_iter()
            .filter(|(_, score, matched)| {
                *score
                    >= best
                        * if matched.len() == 1 && matched.iter().all(|m| !m.contains(' ') && m.is_ascii()) {
                            HIGH_SHARE_OF_BEST
                        } else {
                            share
                        }
            })
            .collect()
    }
}

impl Index<'_> {
    fn is_served(&self, keyword: &Keyword) -> bool {
        if keyword.terms.is_empty() {
            self.served_text.contains(keyword.text.as_str())
        } else {
            keyword.terms.iter().all(|t| self.served_terms.contains(t))
        }
    }
}

fn contains(terms: &[String], phrase: &[String]) -> bool {
    terms.windows(phrase.len()).any(|window| window == phrase)
}

/// Chooses the tools for a requirement.
#[must_use]
pub fn select(catalogue: &Catalogue, requirement: &Requirement) -> Selection {
    let index = Index::new(catalogue.blueprints(), requirement);
    let mut chosen: BTreeMap<&str, Choice> = BTreeMap::new();
    let mut selection = Selection::default();
    for sentence in &requirement.tasks {
        let mut covered = false;
        let mut lacking: Option<&Blueprint> = None;
        let mut parts: Vec<(String, f32)> =
            sentences::clauses(sentence).into_iter().map(|clause| (clause, SHARE_OF_BEST)).collect();
        if parts.len() > 1 {
            parts.push((sentence.clone(), HIGH_SHARE_OF_BEST));
        }
        for (part, share) in &parts {
            for (blueprint, score, matched) in index.search(part, *share) {
                if blueprint.needs.as_deref().is_some_and(|kind| requirement.data_of(kind).is_none()) {
                    lacking.get_or_insert(blueprint);
                    continue;
                }
                covered = true;
                let choice = chosen.entry(&blueprint.id).or_insert_with(|| Choice {
                    id: blueprint.id.clone(),
                    score: 0.0,
                    matched: Vec::new(),
                    data: None,
                });
                choice.score = choice.score.max((score * 100.0).round() / 100.0);
                for word in matched {
                    if !choice.matched.contains(&word) {
                        choice.matched.push(word);
                    }
                }
            }
        }
        // The heading of a list is served by the tool for that list.
        let heads_data = requirement.data.iter().any(|data| sentence.contains(data.title()));
        if !covered && !heads_data && says_something(&index.terms, sentence) {
            selection.uncovered.push(uncovered(sentence, lacking, requirement));
        }
    }
    for blueprint in catalogue.blueprints() {
        if let Some(data) = blueprint.needs.as_deref().and_then(|kind| requirement.data_of(kind)) {
            let choice = chosen.entry(&blueprint.id).or_insert_with(|| Choice {
                id: blueprint.id.clone(),
                score: 0.0,
                matched: Vec::new(),
                data: None,
            });
            choice.data = Some(data.id().to_owned());
        }
    }
    if chosen.is_empty() {
        selection.general = true;
        selection.tools = GENERAL
            .iter()
            .map(|id| Choice { id: (*id).to_owned(), score: 0.0, matched: Vec::new(), data: None })
            .collect();
        return selection;
    }
    selection.tools = chosen.into_values().collect();
    selection.tools.sort_by(|a, b| {
        b.data.is_some().cmp(&a.data.is_some()).then(b.score.total_cmp(&a.score)).then(a.id.cmp(&b.id))
    });
    selection.tools.truncate(MAX_TOOLS);
    selection
}

fn says_something(terms: &Terms, sentence: &str) -> bool {
    terms.tokenize(sentence).iter().filter(|term| !PLAIN.contains(&term.as_str())).count() > 1
}

fn uncovered(sentence: &str, lacking: Option<&Blueprint>, requirement: &Requirement) -> Uncovered {
    let reason = match lacking {
        Some(blueprint) => {
            requirement
                .language
                .pick("needs data that the requirement does not give: ", "需要的数据没有在需求中给出：")
                .to_owned()
                + blueprint.name.of(requirement.language)
        }
        None => requirement
            .language
            .pick(
                "no tool of the offline catalogue serves this; it needs a language model",
                "离线目录中没有合适的工具，需要语言模型",
            )
            .to_owned(),
    };
    Uncovered { text: sentence.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(text: &str) -> Vec<String> {
        let requirement = Requirement::read(text).unwrap();
        let selection = select(Catalogue::embedded().unwrap(), &requirement);
        assert!(!selection.general, "{text}");
        selection.tools.into_iter().map(|t| t.id).collect()
    }

    #[test]
    fn tools_follow_the_requirement() {
        let is = |text: &str, expected: &[&str]| {
            let mut found = tools(text);
            found.sort();
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(found, expected, "{text}");
        };
        is(
            "Build an agent that answers questions about this price list: apple 3 EUR, pear 4 EUR. It should also convert kg to lb.",
            &["price_list", "unit_converter"],
        );
        is("An agent that computes days between dates and weekdays.", &["date_calculator"]);
        is(
            "I need a text assistant: summarise articles, count words and extract email addresses.",
            &["text_summary", "text_statistics", "pattern_extract"],
        );
        is("Compute SHA-256 checksums and encode or decode base64", &["hash_text", "encode_text"]);
        is("Analyse CSV data and query JSON documents", &["csv_query", "json_query"]);
        is("Fetch web pages and summarize them", &["http_fetch", "text_summary"]);
        is("做一个日期计算助手，能计算两个日期相差多少天，还能查询星期几。", &["date_calculator"]);
        is("文本工具：统计字数、生成摘要、提取邮箱", &["text_statistics", "text_summary", "pattern_extract"]);
        is("水果店助手：苹果 3元，梨 4元。可以把公斤换算成磅。", &["price_list", "unit_converter"]);
        is("Search the files in a folder", &["file_search"]);
        is("Generate passwords and UUIDs", &["random_generator"]);
    }

    #[test]
    fn what_cannot_be_served_is_told() {
        let requirement = Requirement::read("Convert kg to lb. Write romantic poems about the autumn sea.").unwrap();
        let selection = select(Catalogue::embedded().unwrap(), &requirement);
        assert_eq!(selection.tools.len(), 1);
        assert_eq!(selection.uncovered.len(), 1);
        let vague = Requirement::read("Compose symphonies for elephants").unwrap();
        let selection = select(Catalogue::embedded().unwrap(), &vague);
        assert!(selection.general);
        assert_eq!(selection.uncovered.len(), 1);
    }
}
