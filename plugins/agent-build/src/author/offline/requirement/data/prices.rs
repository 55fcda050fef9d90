//! Price lists in running text: `apple 3 EUR, pear 4 EUR`, `苹果3元，梨4元`, `Tea costs $2.`

use super::{amount, heading};
use crate::{
    author::offline::requirement::language::is_cjk,
    spec::{DataSet, PriceItem},
};

const CUES: &[&str] = &["price", "cost", "menu", "tariff", "fee", "sell", "价", "菜单", "卖", "收费"];
const LEADING: &[&str] = &["and ", "or ", "a ", "an ", "the ", "our ", "plus ", "也", "和", "及", "以及", "还有", "、"];
const TRAILING: &[&str] = &[
    " costs",
    " cost",
    " is",
    " are",
    " for",
    " at",
    " sells for",
    " sell for",
    " priced at",
    " price",
    " each",
    " only",
    "的价格是",
    "的价格为",
    "价格为",
    "价格是",
    "价格",
    "售价",
    "单价",
    "卖",
    "为",
    "是",
    "要",
    "每个",
    "一个",
    "每件",
    "每只",
    "each",
];
const MAX_NAME_WORDS: usize = 6;

/// Takes a price list out of a sentence; what is left of the sentence, or None when it holds no list.
pub(super) fn extract(sentence: &str, found: &mut Vec<DataSet>) -> Option<String> {
    let lower = sentence.to_lowercase();
    let cue = CUES.iter().any(|word| lower.contains(word));
    let (head, body) = split_head(sentence);
    let amounts = amount::find(body, cue && !head.is_empty());
    let mut items = Vec::new();
    let mut from = 0;
    let mut first = None;
    for money in &amounts {
        let before = body.get(from..money.start).unwrap_or_default();
        let (name, per) = name_in(before);
        from = money.end;
        if let Some(name) = name {
            first.get_or_insert(money.start);
            let per = if money.per.is_empty() { per } else { money.per.clone() };
            items.push(PriceItem { name, amount: money.value.clone(), currency: money.currency.clone(), per });
        }
    }
    let enough = if cue || lower.contains(" is ") { 1 } else { 2 };
    let clean = items.len() * 2 > amounts.len();
    // A lone amount in a sentence without a list's colon is often no price: "a budget of 100 USD".
    if items.len() < enough || !clean || (items.len() == 1 && head.is_empty() && !states_price(&lower)) {
        return None;
    }
    if items.iter().all(|item| item.currency.is_empty()) {
        let currency = amount_free_currency(head);
        items.iter_mut().for_each(|item| item.currency.clone_from(&currency));
    }
    let title = if head.is_empty() { String::from("Prices") } else { heading(head) };
    found.push(DataSet::Prices { id: String::new(), title, items });
    let tail = body.get(from..).unwrap_or_default().trim_matches(|c: char| !c.is_alphanumeric());
    Some(
        format!(
            "{head} {}",
            if tail.split_whitespace().count() > 2 || tail.chars().filter(|c| is_cjk(*c)).count() > 3 {
                tail
            } else {
                ""
            }
        )
        .trim()
        .to_owned(),
    )
}

/// The part up to the colon that announces the list, and the list.
fn split_head(sentence: &str) -> (&str, &str) {
    match sentence.split_once([':', '：']) {
        // "apple: 3 EUR, pear: 4 EUR" has no head: the colon belongs to the first item.
        Some((head, body))
            if body.chars().take_while(|c| !c.is_ascii_digit()).any(|c| c.is_alphabetic() && !"€$£¥".contains(c))
                && !body.trim_start().starts_with("EUR") =>
        {
            (head, body)
        }
        Some((head, body)) => head.rsplit_once(['.', '。']).map_or(("", sentence), |(h, _)| (h, body)),
        None => ("", sentence),
    }
}

fn states_price(lower: &str) -> bool {
    [" costs ", " cost ", " is ", " are ", "售价", "价格"].iter().any(|verb| lower.contains(verb))
        && lower.split_whitespace().count() <= 9
}

/// The currency named beside the list: "prices in EUR:", "price list (USD):".
fn amount_free_currency(head: &str) -> String {
    head.split(|c: char| !c.is_alphanumeric() && !"€$£¥".contains(c))
        .find(|word| {
            ["eur", "usd", "gbp", "cny", "rmb", "jpy", "chf", "euro", "euros", "dollars", "€", "$", "£", "¥"]
                .contains(&word.to_lowercase().as_str())
        })
        .map(amount::currency)
        .or_else(|| {
            ["欧元", "美元", "英镑", "日元", "元"]
                .iter()
                .find(|name| head.contains(**name))
                .map(|name| (*name).to_owned())
        })
        .unwrap_or_default()
}

/// The item's name in the text before its amount, and a unit such as in 苹果每斤.
fn name_in(before: &str) -> (Option<String>, String) {
    let mut name = before.trim().trim_matches(|c: char| ",;，、；:：=-–—|.。•*>".contains(c) || c.is_whitespace());
    if let Some((_, last)) = name.rsplit_once([',', ';', '，', '、', '；', '\u{1}']) {
        name = last.trim();
    }
    loop {
        let shorter = LEADING
            .iter()
            .find_map(|word| strip_start(name, word))
            .or_else(|| TRAILING.iter().find_map(|word| strip_end(name, word)));
        match shorter.map(|s| s.trim().trim_end_matches([':', '：', '=', '-', '–', '(', '（'])) {
            Some(shorter) if !shorter.is_empty() => name = shorter.trim(),
            _ => break,
        }
    }
    let mut per = String::new();
    if let Some((item, unit)) = name.rsplit_once('每')
        && !item.is_empty()
        && (1..=3).contains(&unit.chars().count())
    {
        per = unit.to_owned();
        name = item.trim();
    }
    for joint in [" that ", " where ", " knows ", " with ", " which ", "知道", "其中"] {
        if name.split_whitespace().count() > MAX_NAME_WORDS || is_cjk(joint.chars().next().unwrap_or(' ')) {
            name = name.rsplit_once(joint).map_or(name, |(_, last)| last.trim());
        }
    }
    let words = name.split_whitespace().count();
    let ends_open = ["of", "to", "from", "over", "under", "than", "above", "below", "about", "up", "by"]
        .contains(&name.rsplit(' ').next().unwrap_or_default().to_lowercase().as_str());
    let usable =
        name.chars().any(char::is_alphabetic) && words <= MAX_NAME_WORDS && name.chars().count() <= 60 && !ends_open;
    (usable.then(|| name.to_owned()), per)
}

fn strip_start<'a>(name: &'a str, word: &str) -> Option<&'a str> {
    let head = name.get(..word.len())?;
    (head.eq_ignore_ascii_case(word) && name.len() > word.len()).then(|| name.get(word.len()..)).flatten()
}

fn strip_end<'a>(name: &'a str, word: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(word.len())?;
    let tail = name.get(at..)?;
    (tail.eq_ignore_ascii_case(word) && at > 0).then(|| name.get(..at)).flatten()
}

/// Joins the price lists that follow each other; of items with one name the last price counts.
pub(super) fn joined(found: Vec<DataSet>) -> Vec<DataSet> {
    let mut all: Vec<PriceItem> = Vec::new();
    let mut heading = String::new();
    let mut rest = Vec::new();
    for data in found {
        match data {
            DataSet::Prices { items, title, .. } => {
                if heading.is_empty() || heading == "Prices" {
                    heading = title;
                }
                for item in items {
                    match all.iter_mut().find(|known| known.name.to_lowercase() == item.name.to_lowercase()) {
                        Some(known) => *known = item,
                        None => all.push(item),
                    }
                }
            }
            other => rest.push(other),
        }
    }
    if !all.is_empty() {
        rest.insert(0, DataSet::Prices { id: String::new(), title: heading, items: all });
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        extract(text, &mut found);
        joined(found)
            .into_iter()
            .flat_map(|data| if let DataSet::Prices { items, .. } = data { items } else { Vec::new() })
            .map(|i| {
                format!(
                    "{}={}{}{}",
                    i.name,
                    i.amount,
                    i.currency,
                    if i.per.is_empty() { String::new() } else { format!("/{}", i.per) }
                )
            })
            .collect()
    }

    #[test]
    fn lists_in_running_text() {
        assert_eq!(
            read("Answers questions about this price list: apple 3 EUR, pear 4 EUR, plum 2.50 EUR."),
            ["apple=3EUR", "pear=4EUR", "plum=2.50EUR"]
        );
        assert_eq!(read("苹果 3元, 梨 4元，香蕉每斤5.5元"), ["苹果=3元", "梨=4元", "香蕉=5.5元/斤"]);
        assert_eq!(
            read("Apples cost $3, pears cost $4 and green plums are $2"),
            ["Apples=3USD", "pears=4USD", "green plums=2USD"]
        );
        assert_eq!(read("Price list (EUR): tea 2, coffee 3.20"), ["tea=2EUR", "coffee=3.20EUR"]);
        assert_eq!(
            read("Menu: salt and pepper squid 12 USD; fish & chips 9 USD"),
            ["salt and pepper squid=12USD", "fish & chips=9USD"]
        );
        assert_eq!(read("apple: 3 EUR, pear: 4 EUR"), ["apple=3EUR", "pear=4EUR"]);
        assert_eq!(read("价格：咖啡25元、茶15元、果汁18元"), ["咖啡=25元", "茶=15元", "果汁=18元"]);
    }

    #[test]
    fn not_every_amount_is_a_price() {
        assert!(read("It converts 100 USD to EUR").is_empty());
        assert!(read("Plan a trip with a budget of 500 EUR").is_empty());
        assert!(read("Split a bill of 80 EUR and a tip of 8 EUR").is_empty());
    }
}
