//! What a sentence is about, for names and headings: "Build an agent that answers questions about this
//! price list" is about a price list.

use std::sync::LazyLock;

use regex::Regex;

/// Words that say what to do or for whom, not about what.
const FILLER: &str = "a|about|agent|ai|an|and|answer|answers|any|app|assistant|based|bot|build|can|chatbot|create|develop|\
    following|for|from|give|gives|have|help|helper|helps|how|i|in|is|it|make|me|my|need|new|of|on|our|\
    please|project|question|questions|service|should|simple|small|some|system|that|the|their|these|this|\
    those|to|tool|users|want|which|who|will|with|would|write";
/// Beginnings of sentences that ask for an agent.
const REQUESTS: [&str; 10] =
    ["build", "create", "make", "write", "develop", "please", "i need", "i want", "i would like", "give me"];
/// The same in Chinese, longest first.
const ZH_REQUESTS: [&str; 12] =
    ["请帮我", "帮我", "我想要", "我需要", "我要", "请", "构建", "创建", "开发", "制作", "搭建", "做"];

/// The content words of a text, in lower case.
pub(crate) fn content_words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .filter(|word| FILLER.split('|').all(|filler| filler != word))
        .collect()
}

static CALLED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\b(?:called|named)\s+[\x22“']?(?P<n>\p{Lu}[\w&'’.-]*(?:\s+(?:&|and|of|the|\p{Lu}[\w&'’-]*))*)|(?:叫|名叫|名为)[“「]?(?P<z>[^，。！,.”」\s]{2,10})").ok()
});
static WHOSE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let ends = r"(?:\s+(?:in|on|at|near|with|that|which|where|who|called|named|and|so|to|from|customers|please)\b|\s*[.,:;!?(—–-]|\s*$)";
    Regex::new(&format!(r"(?i)\b(?:for|of|in|at)\s+(?:my|our)\s+(?:little |small |tiny |local |new |own |family )*(?P<a>\p{{L}}[\w'’ -]{{2,32}}?){ends}|\b(?:i|we) (?:run|own|have|manage|are|operate)\s+(?:an?|the)\s+(?:little |small |tiny |local |new |family |cosy )*(?P<b>\p{{L}}[\w'’ -]{{2,32}}?){ends}|\bwe're\s+an?\s+(?:little |small |tiny |local |new |family )*(?P<c>\p{{L}}[\w'’ -]{{2,32}}?){ends}|(?:给|为|帮)(?:我们|我|我家|咱们)?的?(?P<d>[\u{{4e00}}-\u{{9fff}}]{{2,10}}?)(?:做|写|搞|弄|建|开发|设计|的客)|我们?(?:是|开了?一?家|经营一?家|有一?家)一?[家个所]?(?P<e>[\u{{4e00}}-\u{{9fff}}]{{2,10}}?)(?:[，。,.：:]|$)|我家?是?开(?P<f>[\u{{4e00}}-\u{{9fff}}]{{2,6}}?)的"))
    .ok()
});

/// Whose agent it is, or what its house is called, when a text of some length tells it.
pub(crate) fn owner(text: &str) -> Option<String> {
    if text.split_whitespace().count() < 5 && text.chars().count() < 14 {
        return None;
    }
    let named = |regex: &LazyLock<Option<Regex>>, groups: &[&str]| {
        let captures = regex.as_ref()?.captures(text)?;
        groups
            .iter()
            .find_map(|group| captures.name(group))
            .map(|m| m.as_str().trim().trim_end_matches(['.', ',']).to_owned())
    };
    let owner = named(&CALLED, &["n", "z"]).or_else(|| named(&WHOSE, &["a", "b", "c", "d", "e", "f"]))?;
    let general = [
        "customers",
        "users",
        "people",
        "team",
        "client",
        "clients",
        "visitors",
        "boss",
        "kids",
        "friends",
        "guests",
        "own",
        "website",
        "phone",
    ];
    let usable = owner.chars().count() >= 2 && !general.contains(&owner.to_lowercase().as_str());
    let mut letters = owner.chars();
    let first = letters.next().filter(|_| usable)?;
    Some(first.to_uppercase().collect::<String>() + letters.as_str())
}

/// What a request for an agent is about, else the text as it is.
pub(crate) fn subject(text: &str) -> String {
    let text = text.trim();
    if let Some(owner) = owner(text) {
        return owner;
    }
    if let Some(subject) = chinese(text) {
        return subject.to_owned();
    }
    let lower = text.to_ascii_lowercase();
    let asks = REQUESTS.iter().any(|r| lower.strip_prefix(r).is_some_and(|rest| rest.starts_with(' ')));
    if !asks || !text.is_ascii() {
        return text.to_owned();
    }
    let words = content_words(text).into_iter().take(6).collect::<Vec<_>>().join(" ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        None => text.to_owned(),
    }
}

/// A subject as a name: its first phrase, without what only leads to it. A sentence with a verb, an order or a greeting is
/// none.
pub(crate) fn brief(text: &str) -> Option<String> {
    let ends =
        [" - ", " – ", " — ", ":", "：", "，", "。", ",", ";", "；", "(", "（", ". ", "!", "！", "?", "？", "～", "\n"];
    let end = ends.iter().filter_map(|mark| text.find(mark)).min().unwrap_or(text.len());
    let mut name = text.get(..end)?.trim().trim_end_matches(['.', '。']);
    for lead in ["my ", "our ", "a ", "an ", "the ", "need ", "i need ", "we need ", "i want ", "some "] {
        name = name
            .get(..lead.len())
            .filter(|head| head.eq_ignore_ascii_case(lead))
            .map_or(name, |_| name.get(lead.len()..).unwrap_or(name));
    }
    for tail in [" pls", " plz", " please", " thanks"] {
        name = name.strip_suffix(tail).unwrap_or(name);
    }
    // "HR helper that answers from our handbook"
    let clause = [" that ", " which ", " who ", " to answer ", " 4 "].iter().filter_map(|mark| name.find(mark)).min();
    let name = name.get(..clause.unwrap_or(name.len()))?.trim();
    let words = name.split_whitespace().count();
    let lower = name.to_lowercase();
    let spoken = [
        "i",
        "i'm",
        "i'd",
        "we",
        "we're",
        "you",
        "it",
        "hi",
        "hello",
        "hey",
        "there",
        "this",
        "these",
        "if",
        "when",
        "something",
        "please",
    ]
    .contains(&lower.split_whitespace().next().unwrap_or_default())
        || [" should ", " wants ", " want ", " need ", " needs ", " is ", " are ", " must ", " can "]
            .iter()
            .any(|verb| format!("{lower} ").contains(verb))
        || ["我", "你", "能", "把", "请", "帮", "每天", "如果", "可以", "想", "要", "对"]
            .iter()
            .any(|start| name.starts_with(start));
    let agent = super::speech::names_agent(name);
    let order = !agent && super::speech::is_task(name) && !name.chars().any(super::language::is_cjk);
    let fits = (1..=6).contains(&words) && (2..=40).contains(&name.chars().count()) && !spoken && !order;
    let mut letters = name.chars();
    let first = letters.next().filter(|_| fits)?;
    Some(first.to_uppercase().collect::<String>() + letters.as_str())
}

fn chinese(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(shorter) = ZH_REQUESTS.iter().find_map(|r| rest.strip_prefix(r)) {
        rest = shorter;
    }
    if rest.len() == text.len() {
        return None;
    }
    let rest = ["一个", "一款", "个"].iter().find_map(|measure| rest.strip_prefix(measure)).unwrap_or(rest);
    let rest = rest.split(['，', '。', '：', '；', ',', ':']).next().unwrap_or(rest).trim();
    (rest.chars().count() >= 2).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_phrase() {
        for (text, name) in [
            ("Dungeon master's sidekick - rolls any dice (2d6, d20)", Some("Dungeon master's sidekick")),
            ("My garden notes, I want to ask them things", Some("Garden notes")),
            ("HR helper that answers from our handbook:", Some("HR helper")),
            ("Swimming pool info bot pls!", Some("Swimming pool info bot")),
            ("小区物业机器人，业主问得最多的：", Some("小区物业机器人")),
            ("Convert ounces, pounds, cups", None),
            ("Incoming mails should be labelled.", None),
            ("We sell web hosting.", None),
            ("Hi there!", None),
            ("能帮顾客约时间最好", None),
        ] {
            assert_eq!(brief(text).as_deref(), name, "{text}");
        }
    }

    #[test]
    fn a_request_is_about_its_subject() {
        assert_eq!(subject("Build an agent that answers questions about this price list"), "Price list");
        assert_eq!(subject("I need a helper that converts units"), "Converts units");
        assert_eq!(subject("构建一个价格助手，回答下面价目表的问题"), "价格助手");
        assert_eq!(subject("Fruit shop"), "Fruit shop");
        assert_eq!(subject("Build an agent"), "Build an agent");
        assert_eq!(subject("Hi! I run a little bakery in Leeds called Crumb & Co. Could you help?"), "Crumb & Co");
        assert_eq!(subject("We need a bot for our dental practice."), "Dental practice");
        assert_eq!(subject("We're a small ice cream parlour. Scoop 1.60 €"), "Ice cream parlour");
        assert_eq!(subject("给我们奶茶店做一个客服机器人，回答客人的问题"), "奶茶店");
        assert_eq!(subject("我们是社区图书馆，想要一个能回答读者问题的助手。"), "社区图书馆");
        assert_eq!(subject("请"), "请");
        assert_eq!(subject(""), "");
    }
}
