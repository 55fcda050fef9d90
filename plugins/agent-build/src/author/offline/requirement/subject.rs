//! What a sentence is about, for names and headings: "Build an agent that answers questions about this
//! price list" is about a price list.

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

/// What a request for an agent is about, else the text as it is.
pub(crate) fn subject(text: &str) -> String {
    let text = text.trim();
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
    fn a_request_is_about_its_subject() {
        assert_eq!(subject("Build an agent that answers questions about this price list"), "Price list");
        assert_eq!(subject("I need a helper that converts units"), "Converts units");
        assert_eq!(subject("构建一个价格助手，回答下面价目表的问题"), "价格助手");
        assert_eq!(subject("Fruit shop"), "Fruit shop");
        assert_eq!(subject("Build an agent"), "Build an agent");
        assert_eq!(subject("请"), "请");
        assert_eq!(subject(""), "");
    }
}
