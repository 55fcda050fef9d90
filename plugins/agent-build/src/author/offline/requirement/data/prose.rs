//! Prose, sentence by sentence. A sentence may be both task and fact, and may hold data of several kinds.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    super::{
        language::is_cjk,
        sentences,
        source::{Range, at, at_colon, place, says, trim, trimmed},
        speech,
    },
    Entry, Found, categories, heading, hours,
    lists::{Mode, Reader},
    pairs,
    prices::{self, Setting},
    rates, rules,
};

impl Reader<'_> {
    pub(super) fn prose(&mut self, range: Option<Range>) {
        let Some(range) = range else { return };
        for sentence in self.with_openings(sentences::split(self.text, &range)) {
            for statement in self.statements(sentence) {
                self.sentence(statement);
            }
        }
    }

    /// The sentences; a few words that open a line stay with what follows them: "Lost my card. A new one costs 5 pounds."
    fn with_openings(&self, sentences: Vec<Range>) -> Vec<Range> {
        let mut joined: Vec<Range> = Vec::new();
        for sentence in sentences {
            let opens = |before: &Range| {
                let words = at(self.text, before);
                let line = self
                    .text
                    .get(..before.start)
                    .is_none_or(|text| text.is_empty() || text.trim_end_matches(' ').ends_with('\n'));
                line && words.ends_with('.')
                    && (2..=4).contains(&words.split_whitespace().count())
                    && !words.contains(|c: char| c.is_ascii_digit())
                    && !speech::is_task(words)
                    && !speech::states(words)
                    && !self.text.get(before.end..sentence.start).unwrap_or_default().contains('\n')
                    && !speech::is_task(at(self.text, &sentence))
            };
            match joined.last_mut().filter(|before| opens(before)) {
                Some(before) => before.end = sentence.end,
                None => joined.push(sentence),
            }
        }
        joined
    }

    /// The statements of a sentence that semicolons set apart: hours; prices; rules. Categories and wishes stay together.
    fn statements(&self, sentence: Range) -> Vec<Range> {
        let inside = at(self.text, &sentence);
        let parts: Vec<Range> = inside
            .split(['；', ';'])
            .map(|part| trim(self.text, &place(self.text, part)))
            .filter(|part| says(self.text, part))
            .collect();
        let facts = parts.iter().filter(|part| at(self.text, part).chars().any(|c| c.is_ascii_digit())).count();
        let apart = !self.sorting
            && parts.len() > 1
            && facts > 1
            && parts.iter().skip(1).all(|part| !speech::is_task(at(self.text, part)))
            && parts.iter().all(|part| {
                let part = at(self.text, part);
                part.matches(['(', '（']).count() == part.matches([')', '）']).count()
            });
        if apart { parts } else { vec![sentence] }
    }

    fn sentence(&mut self, range: Range) {
        let sentence = at(self.text, &range);
        let task = self.sets_task(&range);
        // "Desk bot: open Mon–Fri 9–17, closed on Sundays" is a task and a fact.
        let open = task && hours::read(self.text, &range, false).is_some();
        if let Some((head, body)) = at_colon(sentence).filter(|(head, _)| open && speech::is_task(head)) {
            let (head, body) = (place(self.text, head), place(self.text, body));
            self.task(trim(self.text, &head));
            return self.sentence(trim(self.text, &body));
        }
        if let Some((rates, first)) = rates::read(self.text, &range) {
            self.listed(&range, first, Found::new(rates), task, false);
        } else if let Some((found, first)) =
            self.sorting.then(|| categories::read(self.text, &range, self.knows_categories())).flatten()
        {
            self.listed(&range, first, Found::new(found), true, false);
        } else if let Some((found, head)) = pairs::inline(self.text, &range)
            .filter(|_| !self.is_priced(&range) && hours::read(self.text, &range, false).is_none())
        {
            self.listed(&range, head.end, found, task, false);
        } else if !self.typed(&range, task) {
            self.plain(range, task);
        }
    }

    fn is_priced(&self, range: &Range) -> bool {
        prices::read(self.text, range, Setting { decimals: self.money, ..Setting::default() }).is_some()
    }

    fn knows_categories(&self) -> bool {
        self.parts.found.iter().any(|found| matches!(found.entries.first(), Some((_, Entry::Category(_)))))
    }

    /// Whether a sentence sets a task, where it stands.
    fn sets_task(&self, range: &Range) -> bool {
        let sentence = at(self.text, range);
        match self.title.as_ref().map_or(Mode::Any, |title| title.mode) {
            // A list of wishes may hold a fact: "Glass goes to the container at the end of the street."
            Mode::Tasks => {
                // So does what the house says of itself: "We ship within 2 business days. Returns: 14 days."
                let first = sentence.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
                let of_house = ["we", "our", "us"].contains(&first.as_str()) && speech::states(sentence)
                    || at_colon(sentence).is_some_and(|(head, _)| pairs::is_about(head.trim()));
                return speech::is_task(sentence)
                    || !of_house
                        && (!(sentence.ends_with(['.', '。']) && speech::states(sentence))
                            || (self.names_ability)(sentence));
            }
            Mode::Facts if !speech::is_task(sentence) => return false,
            _ => {}
        }
        if speech::is_task(sentence) {
            return true;
        }
        if self.lists_abilities(range) {
            return true;
        }
        // "Quizmaster that thinks up questions": the requirement begins with what is wanted.
        if !says(self.text, &(0..range.start)) && speech::describes_agent(sentence) {
            return true;
        }
        let words = sentence.split_whitespace().count();
        let plain = !sentence.contains(|c: char| c.is_ascii_digit())
            && !speech::states(sentence)
            && !speech::is_house_fact(sentence);
        // "Spare parts finder for the workshop." says at the beginning what is wanted.
        let first =
            !says(self.text, &(0..range.start)) && words <= 8 && sentence.chars().filter(|c| is_cjk(*c)).count() <= 10;
        if plain && (first || words <= 12 && speech::is_manner(sentence)) {
            return true;
        }
        let bare = speech::bare(sentence);
        // "能…" behind a task goes on with it; "可以带宠物" on its own is a fact.
        let goes_on = self.after_task
            && ["Also ", "also ", "plus ", "Plus ", "能", "还能", "也能", "可以", "还可以", "也可以", "会", "支持"]
                .iter()
                .any(|start| bare.starts_with(start));
        let goes_on = goes_on || self.after_task && (sentence.starts_with("Also ") || sentence.starts_with("also "));
        if goes_on && (self.names_ability)(bare) {
            return true;
        }
        let short = sentence.split_whitespace().count() <= 25 && sentence.chars().filter(|c| is_cjk(*c)).count() <= 40;
        // A Chinese statement holds such words too easily: only where a wish begins or goes on.
        let chinese = sentence.chars().filter(|c| is_cjk(*c)).count() > words;
        let placed = !chinese || self.after_task || !says(self.text, &(0..range.start));
        placed
            && short
            && !speech::is_house_fact(sentence)
            && !speech::states(sentence)
            && !sentence.contains(|c: char| c.is_ascii_digit())
            && (self.names_ability)(sentence)
    }

    /// "Dungeon master's sidekick - rolls dice (2d6), flips coins": a sentence whose clauses name abilities is a wish, be it
    /// without a verb. At the beginning of the requirement one is enough; elsewhere a statement may use such words, too.
    fn lists_abilities(&self, range: &Range) -> bool {
        let sentence = at(self.text, range);
        if speech::is_owner(sentence) || speech::is_house_fact(sentence) || self.is_priced(range) {
            return false;
        }
        let clauses = sentences::clauses(self.text, range);
        let parts: Vec<&str> = clauses
            .iter()
            .flat_map(|clause| at(self.text, clause).split(" - "))
            .flat_map(|part| part.split(" – "))
            .flat_map(|part| part.split(" — "))
            .flat_map(|part| part.split(" + "))
            .collect();
        let named = parts.iter().filter(|part| (self.names_ability)(part)).count();
        let chinese = sentence.chars().filter(|c| is_cjk(*c)).count() > sentence.split_whitespace().count();
        let first = !says(self.text, &(0..range.start));
        if first {
            return named > 0 && named * 3 >= parts.len();
        }
        named > 1 && named * 2 >= parts.len() && !speech::states(sentence) && (!chinese || self.after_task)
    }

    /// A list with what stands before it: a task, or the title of the list.
    fn listed(&mut self, range: &Range, first: usize, found: Found, task: bool, says_more: bool) {
        let head = trimmed(self.text, &(range.start..first), |c| c.is_whitespace() || ":：,，(（".contains(c));
        let named = says(self.text, &head);
        let end = found.entries.iter().map(|(range, _)| range.end).max().unwrap_or(range.end);
        let tail = trimmed(self.text, &(end..range.end), |c| !c.is_alphanumeric());
        let more = says(self.text, &tail)
            && (at(self.text, &tail).split_whitespace().count() > 1
                || at(self.text, &tail).chars().filter(|c| is_cjk(*c)).count() > 2);
        let title = heading(at(self.text, &head));
        if task {
            self.task(if more || says_more || !named { range.clone() } else { head });
            self.parts.found.push(found.titled(&title, None));
        } else if named && title.split_whitespace().count() <= 8 {
            self.parts.found.push(found.titled(&title, Some(head)));
        } else {
            self.add(found);
        }
        if !task && (more || says_more || named && title.split_whitespace().count() > 8) {
            self.passage(range);
        }
        self.after_task = task;
    }

    /// Hours, rules and prices of a sentence. Returns whether there are any.
    fn typed(&mut self, range: &Range, task: bool) -> bool {
        let mut any = false;
        let spoken = self.title.as_ref().is_some_and(|title| hours::speaks_of_hours(&title.text));
        if let Some(table) = hours::read(self.text, range, spoken) {
            any = true;
            let first = table.entries.iter().map(|(range, _)| range.start).min().unwrap_or(range.start);
            let last = table.entries.iter().map(|(range, _)| range.end).max().unwrap_or(range.end);
            self.parts.found.push(Found::new(table.entries));
            // The words themselves are kept, too: they may say more.
            self.passage_of_fact(range, task, &(first..last));
        }
        let rule = rules::read(self.text, range).filter(|_| !task);
        if let Some(rule) = rule {
            any = true;
            self.parts.found.push(Found::new(vec![rule]));
            self.passage(range);
        }
        let cue = self.title.as_ref().is_some_and(|title| prices::announces(&title.text));
        let setting = Setting { cue, line: false, decimals: self.money && !task };
        let list = prices::read(self.text, range, setting);
        if let Some(list) = list.filter(|list| !task || list.entries.len() > 1 || says(self.text, &list.head)) {
            let first = list.entries.iter().map(|(range, _)| range.start).min().unwrap_or(range.start);
            let first = if says(self.text, &list.head) { list.head.end } else { first };
            let head = range.start..first;
            let more = list.says_more && !any;
            self.listed(
                range,
                if says(self.text, &trim(self.text, &head)) && says(self.text, &list.head) {
                    first
                } else {
                    range.start
                },
                Found::new(list.entries),
                task,
                more,
            );
            any = true;
        } else if any && task {
            self.task(range.clone());
        }
        any
    }

    /// The fact of a sentence: all of it, or what a task says in brackets or tells to pass on.
    fn passage_of_fact(&mut self, range: &Range, task: bool, hours: &Range) {
        if !task {
            self.after_task = false;
            self.passage(range);
            return;
        }
        let sentence = at(self.text, range);
        let facts = bracketed_facts(sentence);
        if let Some(fact) = speech::told(sentence) {
            self.passage(&place(self.text, fact));
        } else if facts.is_empty() {
            self.passage(hours);
        }
        for fact in facts {
            self.passage(&place(self.text, fact));
        }
    }

    fn plain(&mut self, range: Range, task: bool) {
        let sentence = at(self.text, &range);
        if speech::is_courtesy(sentence) {
            self.parts.tasks.push(range);
            return;
        }
        if !task {
            self.after_task = false;
            // What only repeats the title of a table is its title.
            match self.parts.found.iter_mut().find(|found| !found.title.is_empty() && found.title == heading(sentence))
            {
                Some(found) => found.head.push(range),
                None => self.passage(&range),
            }
            return;
        }
        if let Some(fact) = speech::told(sentence) {
            self.passage(&place(self.text, fact));
        }
        for fact in bracketed_facts(sentence).into_iter().chain(rate_of(sentence)) {
            self.passage(&place(self.text, fact));
        }
        self.task(range);
    }
}

/// The rate that a task gives: "calculate the VAT at 19% on net amounts".
fn rate_of(sentence: &str) -> Option<&str> {
    static RATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:vat|gst|hst|sales tax|tax|commission|service charge)(?: rate)?(?: is| of| at|:| =)?\s*\(?\d{1,2}(?:[.,]\d{1,2})?\s?%|\d{1,2}(?:[.,]\d{1,2})?\s?% (?:vat|gst|hst|sales tax|tax|commission|service charge)\b|(?:增值税|税率|税点|佣金|提成|服务费)(?:率)?(?:是|为|按|：|:)?\s*\d{1,2}(?:\.\d{1,2})?\s?%").ok()
    });
    RATE.as_ref().and_then(|regex| regex.find(sentence)).map(|found| found.as_str())
}

/// What a task says in brackets of the house it is for: `for my café (dogs welcome, cash only)`.
fn bracketed_facts(sentence: &str) -> Vec<&str> {
    let mut facts = Vec::new();
    let mut rest = sentence;
    while let Some(open) = rest.find(['(', '（']) {
        let inside = rest.get(open..).unwrap_or_default();
        let Some(close) = inside.find([')', '）']) else { break };
        let content = inside.get(inside.chars().next().map_or(1, char::len_utf8)..close).unwrap_or_default();
        let example = ["e.g", "for example", "like ", "such as", "i.e", "例如", "比如", "如"]
            .iter()
            .any(|word| content.trim_start().to_lowercase().starts_with(word));
        let spoken = speech::states(content)
            || content.contains(|c: char| c.is_ascii_digit()) && content.split_whitespace().count() > 1;
        if !example && spoken && !speech::is_task(content) {
            facts.push(content);
        }
        rest = inside.get(close..).unwrap_or_default();
    }
    facts
}
