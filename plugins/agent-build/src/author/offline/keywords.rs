//! What a clause of the requirement shares with each tool: BM25 over the tools' texts, and their strong keywords.

use std::collections::{HashMap, HashSet};

use bm25::{Document, SearchEngine, SearchEngineBuilder, Tokenizer as _};

use super::{requirement::Requirement, tokenizer::Terms};
use crate::catalogue::CatalogueTool;

/// Candidates below this share of a clause's best score are left out.
pub(super) const SHARE_OF_BEST: f32 = 0.45;
/// The same for a whole sentence, which is searched too, in case splitting it broke a phrase; and for a
/// tool that only one single word speaks for.
pub(super) const HIGH_SHARE_OF_BEST: f32 = 0.8;
/// A keyword that more tools share than this decides nothing.
const MAX_SHARING: usize = 2;

/// A search word: as terms for English, as text for Chinese; and how many tools have it.
struct Keyword {
    text: String,
    terms: Vec<String>,
    tools: usize,
}

impl Keyword {
    fn new(text: String, terms: Vec<String>) -> Self {
        Self { text, terms, tools: 0 }
    }

    /// Two keywords with the same key are one word.
    fn key(&self) -> (String, Vec<String>) {
        if self.terms.is_empty() { (self.text.clone(), Vec::new()) } else { (String::new(), self.terms.clone()) }
    }
}

pub(super) struct Index<'a> {
    tools: &'a [CatalogueTool],
    engine: SearchEngine<u32, u32, Terms>,
    terms: Terms,
    /// Strong keywords of each tool.
    keywords: Vec<Vec<Keyword>>,
    /// What the tools with data are about: such words bring in no other tool. With a price list at hand
    /// "discounts" is no reason for a finance calculator.
    served_terms: Vec<String>,
    served_text: String,
}

impl<'a> Index<'a> {
    pub(super) fn new(tools: &'a [CatalogueTool], requirement: &Requirement) -> Self {
        let terms = Terms::default();
        let has_data =
            |tool: &&CatalogueTool| tool.needs.as_deref().is_some_and(|kind| requirement.data_of(kind).is_some());
        let texts = |tool: &CatalogueTool| {
            let (name, summary, keywords) = (tool.name(), tool.summary(), &tool.keywords);
            [
                format!("{} {} {}", name.en, summary.en, keywords.en.join(" ")),
                format!("{} {} {} ", name.zh, summary.zh, keywords.zh.join(" ")),
            ]
        };
        let (mut served_terms, mut served_text) = (Vec::new(), String::new());
        for [english, chinese] in tools.iter().filter(has_data).map(texts) {
            served_terms.extend(terms.tokenize(&english));
            served_text.push_str(&chinese);
        }
        let documents = tools.iter().zip(0..).map(|(tool, id)| {
            let examples: Vec<&str> = tool.examples.iter().map(|e| e.question.as_str()).collect();
            Document::new(id, texts(tool).join(" ") + &examples.join(" "))
        });
        let engine = SearchEngineBuilder::with_tokenizer_and_documents(Terms::default(), documents).build();
        Self { tools, engine, keywords: strong_keywords(tools, &terms), terms, served_terms, served_text }
    }

    /// The tools a clause asks for, with score and the keywords that decided.
    pub(super) fn search(&self, clause: &str, share: f32) -> Vec<(&'a CatalogueTool, f32, Vec<String>)> {
        let lower = clause.to_lowercase();
        let terms = self.terms.tokenize(clause);
        let hits: Vec<_> = self
            .engine
            .search(clause, 12)
            .into_iter()
            .filter_map(|hit| {
                let at = usize::try_from(hit.document.id).ok()?;
                let tool = self.tools.get(at)?;
                let said = |k: &&Keyword| {
                    if k.terms.is_empty() { lower.contains(k.text.as_str()) } else { contains(&terms, &k.terms) }
                };
                let free = |k: &&Keyword| tool.needs.is_some() || !self.is_served(k);
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
                (!matched.is_empty()).then_some((tool, hit.score, matched))
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

    fn is_served(&self, keyword: &Keyword) -> bool {
        if keyword.terms.is_empty() {
            self.served_text.contains(keyword.text.as_str())
        } else {
            keyword.terms.iter().all(|t| self.served_terms.contains(t))
        }
    }
}

/// The keywords of each tool that few other tools share.
fn strong_keywords(tools: &[CatalogueTool], terms: &Terms) -> Vec<Vec<Keyword>> {
    let of = |tool: &CatalogueTool| -> Vec<Keyword> {
        let english = tool.keywords.en.iter().map(|word| Keyword::new(word.clone(), terms.tokenize(word)));
        // A phrase of which the stop words left one common word ("writing assistant") decides nothing.
        let english = english.filter(|k| k.terms.len() > 1 || (k.terms.len() == 1 && !k.text.contains(' ')));
        let chinese = tool.keywords.zh.iter().map(|word| {
            Keyword::new(word.to_lowercase(), if word.is_ascii() { terms.tokenize(word) } else { Vec::new() })
        });
        english.chain(chinese).collect()
    };
    let mut all: Vec<Vec<Keyword>> = tools.iter().map(of).collect();
    let mut sharing: HashMap<(String, Vec<String>), usize> = HashMap::new();
    for keywords in &all {
        let own: HashSet<_> = keywords.iter().map(Keyword::key).collect();
        own.into_iter().for_each(|key| *sharing.entry(key).or_default() += 1);
    }
    for keywords in &mut all {
        keywords.iter_mut().for_each(|k| k.tools = sharing.get(&k.key()).copied().unwrap_or_default());
        keywords.retain(|k| k.tools <= MAX_SHARING);
    }
    all
}

fn contains(terms: &[String], phrase: &[String]) -> bool {
    terms.windows(phrase.len()).any(|window| window == phrase)
}
