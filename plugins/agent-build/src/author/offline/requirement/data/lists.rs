//! The lines of a requirement: headings, lists under them, and prose.

use super::{
    super::{
        language::is_cjk,
        source::{Range, at, has_mark, lines, says, trim, trimmed, unmarked},
        speech,
    },
    Entry, Found, Parts, heading, hours, pairs,
    prices::{self, Setting},
    rates,
};

/// What a heading says of the lines under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    #[default]
    Any,
    Tasks,
    Facts,
}

#[derive(Clone, Debug)]
pub(super) struct Title {
    pub(super) text: String,
    pub(super) range: Range,
    pub(super) mode: Mode,
    /// Whether something was read under it, so that its place is told.
    pub(super) used: bool,
}

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) names_ability: &'a dyn Fn(&str) -> bool,
    pub(super) sorting: bool,
    /// Whether the requirement speaks of money at all.
    pub(super) money: bool,
    /// Whether it says what currency its bare numbers are in: "(all euros)", （单位：元）.
    pub(super) declared: bool,
    pub(super) parts: Parts,
    pub(super) title: Option<Title>,
    /// Whether the sentence before set a task.
    pub(super) after_task: bool,
    pairs: Vec<pairs::Pair>,
}

const TASK_TITLES: &str = "should|task|tasks|feature|features|function|functions|requirement|requirements|abilities|capabilities|it can|can do|must|needs to|what it does|should do|able to|goals|use cases|功能|任务|要求|需求|能做|能力|可以做|应该|要能|目标";
const FACT_TITLES: &str = "info|information|facts|about us|about|details|know|notes|policies|policy|house rules|rules|good to know|practical|contact|faq|信息|资料|须知|说明|政策|规定|简介|介绍|关于|常识|联系";

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, names_ability: &'a dyn Fn(&str) -> bool, parts: Parts) -> Self {
        let sorting = super::categories::is_sorting(text);
        let shop = ["店", "会员", "折", "营业", "顾客", "菜单"].iter().any(|word| text.contains(word));
        let money = !super::amount::find(text).is_empty() || prices::announces(text) || shop;
        let declared = super::apart::declares_currency(text);
        Self { text, names_ability, sorting, money, declared, parts, title: None, after_task: false, pairs: Vec::new() }
    }

    /// Reads a stretch of the text that no table and no question took.
    pub(super) fn read(&mut self, range: &Range) {
        let all = lines(self.text, range);
        let mut prose: Option<Range> = None;
        for (number, line) in all.iter().enumerate() {
            let rest = all.get(number + 1..).unwrap_or_default();
            let item =
                says(self.text, line) && (self.is_title(line, rest) || self.item(line, number, &all, prose.is_some()));
            if !says(self.text, line) || item {
                self.prose(prose.take());
                if !item {
                    self.flush();
                }
                continue;
            }
            // Marks begin a sentence of their own; other lines may go on with the one before.
            if has_mark(self.text, line) {
                self.prose(prose.take());
            }
            self.flush();
            prose = Some(prose.map_or_else(|| line.clone(), |before| before.start..line.end));
        }
        self.prose(prose);
        self.flush();
    }

    pub(super) fn finish(mut self) -> Parts {
        self.leave_title();
        self.parts
    }

    fn content(&self, line: &Range) -> &'a str {
        at(self.text, &unmarked(self.text, line))
    }

    /// A heading opens a part; one that is a task as well is both.
    fn is_title(&mut self, line: &Range, rest: &[Range]) -> bool {
        // Of several sentences on a line the last one is the heading.
        let sentences = super::sentences::split(self.text, line);
        if let [before @ .., last] = sentences.as_slice()
            && !before.is_empty()
            && self.content(line).ends_with([':', '：'])
        {
            before.iter().cloned().for_each(|sentence| self.prose(Some(sentence)));
            return self.is_title(&last.clone(), rest);
        }
        let whole = trim(self.text, line);
        let raw = at(self.text, &whole);
        let content = self.content(line);
        let bare = content.trim_end_matches('*').trim();
        let colon = bare.ends_with([':', '：']) && bare.chars().count() <= 160;
        let framed = raw.starts_with('#')
            || raw.starts_with("**") && raw.ends_with("**")
            || raw.starts_with('【') && raw.ends_with('】');
        let words = content.split_whitespace().count();
        let next = rest.iter().find(|line| says(self.text, line));
        let listed = next.is_some_and(|next| {
            let following = self.content(next);
            let money = prices::read(
                self.text,
                &unmarked(self.text, next),
                Setting { cue: prices::announces(content), line: true, decimals: false },
            )
            .is_some();
            has_mark(self.text, next) && !has_mark(self.text, line)
                || money
                || hours::read(self.text, &unmarked(self.text, next), true).is_some()
                || pairs::split(self.text, &unmarked(self.text, next)).is_some() && following.len() < 120
        });
        let plain = words <= 5
            && content.chars().count() <= 40
            && !content.ends_with(['.', '!', '?', '。', '！', '？', ',', '，'])
            && !content.contains([':', '：', '=', ','])
            && !content.contains(|c: char| c.is_ascii_digit())
            && !has_mark(self.text, line)
            && listed;
        if !(colon || framed || plain) {
            return false;
        }
        self.flush();
        self.leave_title();
        let mode = mode(content);
        let range = trimmed(self.text, &unmarked(self.text, line), |c| c.is_whitespace() || "：:*#=】【".contains(c));
        let long = words > 2 || content.chars().filter(|c| is_cjk(*c)).count() > 4;
        let task = speech::is_task(content) && long && !(framed && mode != Mode::Any);
        if task {
            self.task(range.clone());
        }
        let mode = if colon && mode == Mode::Any && task && (self.names_ability)(content) { Mode::Any } else { mode };
        self.title = Some(Title { text: heading(content), range, mode, used: task });
        true
    }

    /// Whether a line is an entry of data by itself.
    fn item(&mut self, line: &Range, number: usize, all: &[Range], in_prose: bool) -> bool {
        let range = unmarked(self.text, line);
        let content = at(self.text, &range);
        let mode = self.title.as_ref().map_or(Mode::Any, |t| t.mode);
        let title = self.title.as_ref().map_or(String::new(), |t| t.text.clone());
        if mode == Mode::Tasks
            || in_prose && content.starts_with(|c: char| c.is_lowercase()) && self.goes_on_from(number, all)
            || super::sentences::split(self.text, &range).len() > 1
        {
            return false;
        }
        if let Some(table) = hours::read(self.text, &range, hours::speaks_of_hours(&title))
            .filter(|t| !t.says_more && !speech::is_task(content))
        {
            self.flush();
            self.passage(&range);
            self.add(Found::new(table.entries));
            return true;
        }
        if speech::is_task(content) {
            return false;
        }
        // One category a line: "Travel (flight, hotel)".
        let one = content.ends_with([')', '）']) && self.sorting;
        if let Some((category, _)) = one.then(|| super::categories::read(self.text, &range, true)).flatten()
            && category.len() == 1
        {
            self.flush();
            self.add(Found::new(category));
            return true;
        }
        if let Some((rates, _)) = rates::read(self.text, &range) {
            self.flush();
            self.add(Found::new(rates));
            return true;
        }
        let cue = prices::announces(&title) || self.declared || decimals(content) && self.neighbour(number, all);
        let short = content.chars().count() <= 160 && super::rules::read(self.text, &range).is_none();
        let list = prices::read(self.text, &range, Setting { cue, line: true, decimals: self.money })
            .filter(|_| short && !self.sorting_line(content));
        if let Some(list) = list {
            self.flush();
            if list.says_more {
                self.passage(&range);
            }
            let mut found = Found::new(list.entries);
            let head = trim(self.text, &list.head);
            if says(self.text, &head) {
                found = found.titled(&heading(at(self.text, &head)), Some(head));
            }
            self.add(found);
            return true;
        }
        if let Some(pair) = pairs::split(self.text, &range) {
            self.pairs.push(pair);
            return true;
        }
        false
    }

    /// Whether the line before is so long that it was broken here: this one goes on with its sentence.
    fn goes_on_from(&self, number: usize, all: &[Range]) -> bool {
        let before = number.checked_sub(1).and_then(|before| all.get(before));
        before.is_some_and(|line| self.content(line).chars().count() > 45)
    }

    fn sorting_line(&self, content: &str) -> bool {
        self.sorting && content.contains([',', '、', '，']) && content.contains([':', '：'])
    }

    /// Whether a line beside this one ends like a price, too.
    fn neighbour(&self, number: usize, all: &[Range]) -> bool {
        let near = [number.checked_sub(1), Some(number + 1)];
        near.into_iter().flatten().filter_map(|n| all.get(n)).any(|line| decimals(self.content(line)))
    }

    /// Ends a block of `name: value` lines.
    fn flush(&mut self) {
        let block = std::mem::take(&mut self.pairs);
        if block.is_empty() {
            return;
        }
        let title = self.title.as_ref().map_or(String::new(), |t| t.text.clone());
        if prices::are_announced(self.text) && block.len() > 1 && block.iter().all(pairs::Pair::is_numeric) {
            for pair in block {
                let setting = Setting { cue: true, line: true, decimals: true };
                match prices::read(self.text, &pair.whole, setting) {
                    Some(list) => self.add(Found::new(list.entries)),
                    None => self.prose(Some(pair.whole)),
                }
            }
            return;
        }
        let (found, left) = pairs::found(self.text, block, &title, self.sorting);
        for one in found {
            self.add(one);
        }
        for range in left {
            self.prose(Some(range));
        }
    }

    /// Adds what was found under the title.
    pub(super) fn add(&mut self, mut found: Found) {
        if let Some(title) = self.title.as_mut().filter(|title| !title.text.is_empty()) {
            let place = (!title.used).then(|| title.range.clone());
            found = found.titled(&title.text, place);
            title.used = true;
        }
        self.parts.found.push(found);
    }

    /// A fact in the requirement's words; what stands above it belongs to it.
    pub(super) fn passage(&mut self, range: &Range) {
        let words = at(self.text, range).split_whitespace().collect::<Vec<_>>().join(" ");
        let mut head = None;
        let mut passage = words;
        if let Some(title) = self.title.as_mut() {
            let general = FACT_TITLES.split('|').any(|word| title.text.to_lowercase() == word)
                || title.text.split_whitespace().count() > 4;
            if !general
                && !title.text.is_empty()
                && !speech::is_task(at(self.text, &title.range))
                && has_mark_before(self.text, range)
            {
                passage = format!("{}: {passage}", title.text);
            }
            if !title.used {
                head = Some(title.range.clone());
                title.used = true;
            }
        }
        let mut found = Found::new(vec![(range.clone(), Entry::Passage(passage))]);
        found.head.extend(head);
        self.parts.found.push(found);
    }

    pub(super) fn task(&mut self, range: Range) {
        if let Some(title) = self.title.as_mut().filter(|t| !t.used && t.mode == Mode::Tasks) {
            title.used = true;
            let head = title.range.clone();
            self.parts.tasks.push(head);
        }
        self.parts.tasks.push(range);
        self.after_task = true;
    }

    /// A title under which nothing was found may be that of a table; else it says what it says.
    fn leave_title(&mut self) {
        let Some(title) = self.title.take().filter(|title| !title.used && says(self.text, &title.range)) else {
            return;
        };
        let table = self.parts.found.iter_mut().find(|found| found.title == title.text && !title.text.is_empty());
        match table {
            Some(table) => table.head.push(title.range),
            None if title.mode == Mode::Tasks
                || speech::is_task(at(self.text, &title.range))
                || (self.names_ability)(&title.text) =>
            {
                self.parts.tasks.push(title.range)
            }
            None => {
                let passage = at(self.text, &title.range).to_owned();
                self.parts.found.push(Found::new(vec![(title.range, Entry::Passage(passage))]));
            }
        }
    }
}

/// Whether the line on which a range stands begins with the mark of a list.
fn has_mark_before(text: &str, range: &Range) -> bool {
    let start = text.get(..range.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    has_mark(text, &(start..range.end))
}

fn decimals(content: &str) -> bool {
    let number = content.rsplit(|c: char| c.is_whitespace()).next().unwrap_or_default();
    let mut parts = number.split(['.', ',']);
    let whole = parts.next().unwrap_or_default();
    let part = parts.next().unwrap_or_default();
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    digits(whole)
        && digits(part)
        && part.len() == 2
        && parts.next().is_none()
        && content.chars().any(char::is_alphabetic)
}

fn mode(content: &str) -> Mode {
    let lower = content.to_lowercase();
    // "Guests should be able to ask anything that is in my house notes:" announces the notes.
    let last = lower.trim_end_matches([':', '：', ' ', '*']).rsplit([' ', '，', ',']).next().unwrap_or_default();
    if ["notes", "info", "information", "facts", "handbook", "manual", "guide", "rules"].contains(&last)
        || ["资料如下", "信息如下", "资料", "须知", "如下信息", "以下资料", "以下信息"]
            .iter()
            .any(|word| last.ends_with(word))
    {
        return Mode::Facts;
    }
    let word = |word: &&str| {
        if word.is_ascii() {
            format!(" {lower} ").replace([':', '#', '*'], " ").contains(&format!(" {word} "))
        } else {
            lower.contains(*word)
        }
    };
    if FACT_TITLES.split('|').filter(|w| w.chars().count() > 1).any(|w| word(&w)) && !speech::is_task(content) {
        Mode::Facts
    } else if TASK_TITLES.split('|').any(|w| word(&w)) {
        Mode::Tasks
    } else {
        Mode::Any
    }
}
