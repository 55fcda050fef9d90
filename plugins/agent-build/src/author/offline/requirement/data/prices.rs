//! Price lists in running text: `apple 3 EUR, pear 4 EUR`, `苹果3元，梨4元`, `Tea costs $2.`, `latte: small 3, large 4`.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    super::{
        source::{Range, at, at_colon, place},
        speech,
    },
    Entry,
    amount::{self, Amount},
    apart,
    measured::measures,
    names, sizes,
};
use crate::spec::PriceItem;

static SLASHED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let number = r"\d+(?:[.,]\d{1,2})?";
    Regex::new(&format!(r"^(?P<base>[^/\d]*?)[\s:：(（]*(?P<names>[^\s/\d:：(（]+(?:\s?/\s?[^\s/\d:：)）]+)+)[)）]?[\s:：=–—-]*(?P<sign>\p{{Sc}})?(?P<numbers>{number}(?:\s?/\s?\p{{Sc}}?\s?{number})+)\s*(?P<unit>\p{{Sc}}|[A-Za-z]{{3,7}}|元|块)?\.?$")).ok()
});

const CUES: &[&str] =
    &["price", "cost", "menu", "tariff", "fee", "sell", "charge", "价", "菜单", "卖", "收费", "资费", "费用", "票"];

/// How the text that may hold prices stands in the requirement.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Setting {
    /// A heading says that prices follow.
    pub(super) cue: bool,
    /// The line of a list.
    pub(super) line: bool,
    /// Numbers with two decimals are prices here.
    pub(super) decimals: bool,
}

/// Prices found in a sentence or a line.
pub(super) struct Prices {
    pub(super) entries: Vec<(Range, Entry)>,
    /// The text before the list: up to its colon.
    pub(super) head: Range,
    /// Whether the list says more than the entries hold.
    pub(super) says_more: bool,
}

/// Whether a heading or a sentence announces prices.
pub(super) fn announces(text: &str) -> bool {
    let lower = text.to_lowercase();
    CUES.iter().any(|word| lower.contains(word))
        || ["€", "$", "£", "¥", "(eur", "(usd", "(元", "（元"].iter().any(|sign| lower.contains(sign))
}

/// Whether a requirement says that it states prices: `Prices in GBP`, 价格如下.
pub(super) fn are_announced(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["price", "menu", "tariff", "fees", "价格", "价目", "收费", "单价", "报价", "菜单"]
        .iter()
        .any(|word| lower.contains(word))
}

pub(super) fn read(text: &str, range: &Range, setting: Setting) -> Option<Prices> {
    let sentence = at(text, range);
    let lower = sentence.to_lowercase();
    let (head, body) = split_head(sentence);
    let cue = setting.cue || announces(head) || CUES.iter().any(|word| lower.contains(word));
    let bare = setting.cue && setting.line || cue && !head.is_empty() || setting.decimals && all_decimals(body);
    let ends = !bare && setting.decimals && amount::find(body).is_empty() && sizes::ends_in_prices(body);
    let mut amounts = if bare || ends { amount::find_any(body) } else { amount::find_listed(body) };
    if ends {
        amounts.retain(|a| sizes::is_price(&a.value) && sizes::ends_part(body, a.end));
    }
    let amounts: Vec<Amount> = amounts.into_iter().filter(|a| !measures(body, a)).collect();
    let amounts = without_names(body, amounts);
    let mut list = List {
        text,
        body,
        currency: list_currency(head, sentence),
        headed: false,
        items: Vec::new(),
        base: String::new(),
        tailed: None,
        says_more: false,
    };
    let priced = setting.cue || setting.decimals;
    if !(list.slashed(head) || priced && list.sized()) {
        list.read(&amounts, head);
    }
    let List { mut items, says_more, .. } = list;
    let direct =
        amounts.first().is_some_and(|a| body.get(..a.start).is_some_and(|b| b.trim_end().ends_with([':', '：'])));
    // "Tours on Saturdays, 15 dollars per person" states a price by its unit.
    let rated =
        amounts.first().is_some_and(|a| !a.currency.is_empty() && !a.per.is_empty()) && !apart::is_conditional(&lower);
    // "Beeswax candle 6€." says nothing else.
    let rated = rated || amounts.first().is_some_and(|a| setting.decimals && apart::is_all(body, a));
    let enough = if cue || setting.line || direct || rated || states_price(&lower) { 1 } else { 2 };
    // A lone amount in a sentence without a list's colon is often no price: "a budget of 100 USD".
    let lone = items.len() == 1 && head.is_empty() && !setting.line && !direct && !rated && !states_price(&lower);
    if items.len() < enough || items.len() * 2 <= amounts.len() || lone {
        return None;
    }
    let whole =
        !speech::is_task(head) && items.iter().all(|(_, item)| !item.variant.is_empty() && item.base.is_empty());
    if whole && names::usable(head) && head.split_whitespace().count() <= 4 {
        items.iter_mut().for_each(|(_, item)| {
            item.base = head.trim().to_owned();
            item.name = format!("{} {}", item.base, item.variant);
        });
    }
    if setting.line && items.len() > 1 && items.iter().all(|(_, item)| item.base.is_empty()) {
        apart::headed(body, items.iter_mut().map(|(_, item)| item));
    }
    items.iter_mut().filter(|(_, item)| item.base.is_empty()).for_each(|(_, item)| item.variant.clear());
    let entries = items.into_iter().map(|(range, item)| (range, Entry::Price(item))).collect();
    Some(Prices { entries, head: place(text, head), says_more })
}

/// The part up to the colon that announces the list, and the list.
fn split_head(sentence: &str) -> (&str, &str) {
    let Some((head, body)) = at_colon(sentence) else { return ("", sentence) };
    let first = amount::find_any(body).first().map_or(0, |a| a.start);
    // "apple: 3 EUR, pear: 4 EUR" has no head: the colon belongs to the first item.
    let named = body.get(..first).is_some_and(|before| !names::before(before).name.is_empty());
    if named && amount::find(head).is_empty() && !body.trim_start().starts_with("EUR") {
        (head, body)
    } else {
        ("", sentence)
    }
}

/// The amounts but for numbers that belong to a name: in "iPhone 14 Pro - 560" only the last is set off.
fn without_names(body: &str, amounts: Vec<Amount>) -> Vec<Amount> {
    let set_off = |amount: &Amount| {
        body.get(..amount.start).unwrap_or_default().trim_end().ends_with(['-', '–', '—', ':', '：', '='])
    };
    let in_name = |pair: &[Amount]| {
        let [first, second] = pair else { return false };
        let between = body.get(first.end..second.start).unwrap_or_default();
        first.currency.is_empty()
            && set_off(second)
            && !set_off(first)
            && !between.contains([',', ';', '，', '、', '；', '\n'])
    };
    let names: Vec<bool> = amounts.windows(2).map(in_name).chain([false]).collect();
    amounts.into_iter().zip(names).filter(|(_, in_name)| !in_name).map(|(amount, _)| amount).collect()
}

fn states_price(lower: &str) -> bool {
    let says = !apart::is_conditional(lower)
        && [
            " costs ", " cost ", " is ", " are ", " at ", " for ", " pay ", " pays ", " from ", " each", " apiece",
            "售价", "价格", "元", "块",
        ]
        .iter()
        .any(|verb| lower.contains(verb));
    says && lower.split_whitespace().count() <= 12
}

/// The currency of a list: named in its head or in a bracket, as in "(EUR)" or （单位：元）.
fn list_currency(head: &str, sentence: &str) -> String {
    let named = currency_of(head);
    let brackets =
        sentence.split(['(', '（', '[', '【']).skip(1).filter_map(|rest| rest.split([')', '）', ']', '】']).next());
    let short =
        brackets.filter(|inside| inside.chars().count() <= 14 && !inside.contains(|c: char| c.is_ascii_digit()));
    if named.is_empty() { short.map(currency_of).find(|c| !c.is_empty()).unwrap_or_default() } else { named }
}

/// The currency named beside the list: "prices in EUR:", "price list (USD):".
fn currency_of(head: &str) -> String {
    let named =
        ["eur", "usd", "gbp", "cny", "rmb", "jpy", "chf", "euro", "euros", "dollars", "pounds", "€", "$", "£", "¥"];
    head.split(|c: char| !c.is_alphanumeric() && !"€$£¥".contains(c))
        .find(|word| named.contains(&word.to_lowercase().as_str()))
        .map(amount::currency)
        .or_else(|| {
            ["欧元", "美元", "英镑", "日元", "元"]
                .iter()
                .find(|name| head.contains(**name))
                .map(|name| (*name).to_owned())
        })
        .unwrap_or_default()
}

/// A list while it is read.
struct List<'a> {
    text: &'a str,
    body: &'a str,
    currency: String,
    /// The head names what all items are variants of: "Membership: adult …, junior …".
    headed: bool,
    items: Vec<(Range, PriceItem)>,
    /// What the last items were variants of.
    base: String,
    /// What the words behind the amounts are variants of.
    tailed: Option<String>,
    says_more: bool,
}

impl<'a> List<'a> {
    /// "Milkshake S/M/L 3.50/4.20/4.90 €": as many names as amounts, both between slashes.
    fn slashed(&mut self, head: &str) -> bool {
        let Some(captures) = SLASHED.as_ref().and_then(|regex| regex.captures(self.body)) else { return false };
        let part = |name: &str| captures.name(name).map_or("", |m| m.as_str());
        let numbers: Vec<&str> =
            part("numbers").split('/').map(|n| n.trim().trim_start_matches(['€', '$', '£', '¥'])).collect();
        let variants: Vec<&str> = part("names").split('/').map(str::trim).collect();
        let base = names::before(part("base")).name;
        let base = if base.is_empty() { names::before(head).name } else { base };
        if numbers.len() != variants.len() || base.is_empty() {
            return false;
        }
        let sign = [part("sign"), part("unit")]
            .into_iter()
            .find(|sign| !sign.is_empty())
            .map(amount::currency)
            .unwrap_or_default();
        let currency = if sign.is_empty() { self.currency.clone() } else { sign };
        let whole = place(self.text, captures.get(0).map_or("", |m| m.as_str()));
        for (variant, number) in variants.iter().zip(numbers) {
            self.variant(&whole, &base, variant, number, currency.clone());
        }
        true
    }

    /// "margherita S 7 M 9 L 11"
    fn sized(&mut self) -> bool {
        let Some((base, sizes)) = sizes::row(self.body) else { return false };
        let base = names::before(base).name;
        let whole = place(self.text, self.body.trim());
        for size in sizes.iter().filter(|_| !base.is_empty()) {
            let currency = if size.sign.is_empty() { self.currency.clone() } else { amount::currency(size.sign) };
            self.variant(&whole, &base, size.name, size.number, currency);
        }
        !base.is_empty()
    }

    fn variant(&mut self, whole: &Range, base: &str, variant: &str, number: &str, currency: String) {
        let (name, amount) = (names::joined(base, variant), amount::decimal(number));
        let (base, variant) = (base.to_owned(), variant.to_owned());
        self.items.push((whole.clone(), PriceItem { name, amount, currency, base, variant, ..PriceItem::default() }));
    }

    fn read(&mut self, amounts: &[Amount], head: &str) {
        let mut from = 0;
        for (number, money) in amounts.iter().enumerate() {
            let next = amounts.get(number + 1).map_or(self.body.len(), |a| a.start);
            let before = self.body.get(from..money.start).unwrap_or_default();
            let tail = self.tail(money.end, next, number + 1 < amounts.len());
            let end = money.end + tail.len();
            self.item(
                before,
                money,
                tail,
                head,
                amounts
                    .get(number + 1)
                    .is_some_and(|next| !names_something(self.body.get(end..next.start).unwrap_or_default())),
            );
            from = end;
        }
        let rest = self.body.get(from..).unwrap_or_default();
        self.says_more |= says_more(rest);
        // Prices without a sign have that of the head, or of the list's other prices.
        let other = self.items.iter().map(|(_, item)| item.currency.clone()).find(|c| !c.is_empty());
        let currency = if self.currency.is_empty() { other.unwrap_or_default() } else { self.currency.clone() };
        self.items
            .iter_mut()
            .filter(|(_, item)| item.currency.is_empty())
            .for_each(|(_, item)| item.currency.clone_from(&currency));
    }

    /// What belongs to an amount behind it: up to the next separator.
    fn tail(&self, from: usize, next: usize, more: bool) -> &'a str {
        let rest = self.body.get(from..next).unwrap_or_default();
        let mut depth = 0_i32;
        for (at, c) in rest.char_indices() {
            match c {
                '(' | '（' => depth += 1,
                ')' | '）' => {
                    depth -= 1;
                    if depth < 0 {
                        return rest.get(..at).unwrap_or_default();
                    }
                }
                ',' | ';' | '，' | '；' | '、' | '。' | '\n' | '/' | '|' if depth == 0 => {
                    return rest.get(..at).unwrap_or_default();
                }
                '.' if depth == 0
                    && rest.get(at + 1..).is_none_or(|r| r.is_empty() || r.starts_with(char::is_whitespace)) =>
                {
                    return rest.get(..at).unwrap_or_default();
                }
                ' ' if depth == 0
                    && [" and ", " or ", " but ", " plus "]
                        .iter()
                        .any(|j| rest.get(at..).unwrap_or_default().starts_with(j)) =>
                {
                    return rest.get(..at).unwrap_or_default();
                }
                _ => {}
            }
        }
        // Without a separator the words before the next amount are the next item's name.
        match (more, rest.find(['）', ')'])) {
            (false, _) => rest,
            (true, Some(at)) if rest.trim_start().starts_with(['(', '（']) => rest
                .get(..at + rest.get(at..).and_then(|r| r.chars().next()).map_or(1, char::len_utf8))
                .unwrap_or_default(),
            (true, _) => "",
        }
    }

    fn item(&mut self, before: &'a str, money: &Amount, tail: &'a str, head: &str, next_unnamed: bool) {
        let parsed = names::before(before);
        let (mut name, mut note) = (parsed.name, parsed.note);
        let mut per = if money.per.is_empty() { parsed.per } else { money.per.clone() };
        // "Deposit is 50 EUR per bike" is no price of a bike; "in the basement, $1.75 a wash" is that of a wash.
        let set_off = name.is_empty() || apart::is_otherwise(&name) || before.trim_end().ends_with([',', '，']);
        let each =
            self.body.get(money.start..money.end).is_some_and(|text| text.contains(" a ") || text.contains(" an "));
        if let Some(bought) = apart::bought(&per).filter(|_| set_off && each) {
            (name, per) = (bought, String::new());
        } else if apart::is_otherwise(&name) {
            note = name;
            name = names::before(head).name;
        }
        name = apart::without_times(&name).to_owned();
        let mut after = tail.trim();
        if let Some((inside, rest)) =
            bracket(after).map(|(inside, rest)| (if names_unit(inside) { "" } else { inside }, rest))
        {
            note = if note.is_empty() { inside.to_owned() } else { format!("{note}, {inside}") };
            after = rest.trim();
        }
        // "peak (weekdays after 17:00)" has its note behind the name.
        if let Some((inside, _)) = after.find(['(', '（']).and_then(|open| bracket(after.get(open..)?)) {
            note = if note.is_empty() { inside.to_owned() } else { format!("{note}, {inside}") };
            after = after.split(['(', '（']).next().unwrap_or_default().trim();
        }
        let mut own = None;
        if name.is_empty()
            && let Some((base, variant)) = apart::told_apart(self.items.last_mut().map(|(_, item)| item), &note)
        {
            name = names::joined(&base, &variant);
            own = Some((base, variant));
            note.clear();
        }
        if !after.is_empty() {
            let behind = names::after(after);
            if !behind.is_empty() && name.is_empty() {
                after = "";
                own = self.tailed.clone().map(|base| (base, behind.clone()));
                name = own.as_ref().map_or(behind, |(base, variant)| names::joined(base, variant));
            } else if !behind.is_empty() && (next_unnamed || names::is_variant(&behind)) {
                // "Court hire: £8 off-peak, £12 peak": what stands behind the amounts tells them apart.
                after = "";
                self.tailed = Some(name.clone());
                own = Some((name.clone(), behind.clone()));
                name = names::joined(&name, &behind);
            }
        }
        if !before.trim().is_empty() && own.is_none() {
            self.tailed = None;
        }
        self.says_more |= parsed.says_more || !after.is_empty() && !names::is_filler(after);
        let mut part = names::Variant::of(&name, &self.base);
        if let Some((base, variant)) = own {
            part = names::Variant::Own { base, variant };
        } else if self.headed && part == names::Variant::None {
            part = names::Variant::OfEarlier { variant: name.clone() };
        }
        if name.is_empty() {
            self.says_more = true;
            return;
        }
        let mut item = PriceItem {
            name,
            amount: money.value.clone(),
            currency: money.currency.clone(),
            per,
            to: money.to.clone(),
            note: if parsed.from { from_note(note) } else { note },
            ..PriceItem::default()
        };
        match part {
            names::Variant::None => self.base = item.name.clone(),
            names::Variant::Own { base, variant } => {
                item.name = if item.name.starts_with(&variant) && !item.name.starts_with(&base) {
                    item.name
                } else {
                    names::joined(&base, &variant)
                };
                self.base.clone_from(&base);
                (item.base, item.variant) = (base, variant);
            }
            names::Variant::OfEarlier { variant } => {
                let base = if self.items.is_empty()
                    && names::usable(head)
                    && head.split_whitespace().count() <= 4
                    && !announces(head)
                    && !speech::is_task(head)
                {
                    self.headed = true;
                    names::before(head).name
                } else {
                    // "Adult swim 5.20, kids 3.10": the kids swim, too, and are no adults.
                    let adult = self.base.split_once(' ').filter(|(who, _)| names::is_person(who));
                    adult.map_or_else(|| self.base.clone(), |(_, rest)| rest.to_owned())
                };
                if !base.is_empty() {
                    item.name = names::joined(&base, &variant);
                    self.base.clone_from(&base);
                }
                (item.base, item.variant) = (base, variant);
            }
        }
        let start = parsed
            .start
            .map_or_else(|| place(self.text, self.body).start + money.start, |piece| place(self.text, piece).start);
        let end = (place(self.text, self.body).start + money.end + tail.len()).max(start);
        // The first item of the variants was named before they were known.
        self.items.push((start..end, item));
    }
}

/// `(vegan) each` as what the bracket holds and what follows.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let open = text.chars().next().filter(|c| matches!(c, '(' | '（' | '['))?;
    let close = text.find([')', '）', ']'])?;
    let inside = text.get(open.len_utf8()..close)?.trim();
    let rest = text.get(close..)?;
    Some((inside, rest.get(rest.chars().next()?.len_utf8()..).unwrap_or_default()))
}

/// Whether a bracket only says what the prices are in.
fn names_unit(inside: &str) -> bool {
    inside.contains("单位")
        || !currency_of(inside).is_empty()
            && inside.chars().count() <= 8
            && !inside.contains(|c: char| c.is_ascii_digit())
}

/// The note of a price that is the lowest of several.
fn from_note(note: String) -> String {
    if note.is_empty() { "from".to_owned() } else { format!("from, {note}") }
}

/// Whether a text before an amount can name its item.
fn names_something(before: &str) -> bool {
    !names::before(before).name.is_empty()
}

/// Whether every number of a text has two decimals, as prices have.
fn all_decimals(text: &str) -> bool {
    let numbers: Vec<&str> = text
        .split(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','))
        .map(|n| n.trim_matches(['.', ',']))
        .filter(|n| !n.is_empty())
        .collect();
    let priced = |number: &&str| number.rsplit_once(['.', ',']).is_some_and(|(_, part)| part.len() == 2);
    !numbers.is_empty() && numbers.iter().all(priced)
}

fn says_more(rest: &str) -> bool {
    let rest = rest.trim_matches(|c: char| !c.is_alphanumeric());
    !rest.is_empty() && !names::is_filler(rest)
}

#[cfg(test)]
mod tests;
