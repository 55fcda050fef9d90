//! Splits a requirement into sentences, and tells tasks for the agent from statements of fact.

use super::language::is_cjk;

/// The sentences of a text, trimmed, in order. A full stop inside a number or an abbreviation ends nothing.
pub(crate) fn split(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut sentences = Vec::new();
    let mut current = String::new();
    for (index, &c) in chars.iter().enumerate() {
        let next = chars.get(index + 1).copied();
        let ends = match c {
            '\n' | '。' | '！' | '？' => true,
            '.' | '!' | '?' => next.is_none_or(char::is_whitespace) && !is_abbreviation(&current),
            _ => false,
        };
        if c != '\n' {
            current.push(c);
        }
        if ends {
            push(&mut sentences, &mut current);
        }
    }
    push(&mut sentences, &mut current);
    sentences
}

fn push(sentences: &mut Vec<String>, current: &mut String) {
    let sentence = current.trim().trim_start_matches(['-', '*', '•', '#', '·']).trim();
    if sentence.chars().any(char::is_alphanumeric) {
        sentences.push(sentence.to_owned());
    }
    current.clear();
}

fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default().to_lowercase();
    matches!(word.as_str(), "e.g" | "i.e" | "etc" | "approx" | "no" | "vs" | "mr" | "mrs" | "dr")
}

/// The clauses of a sentence: what stands between commas and "and".
pub(crate) fn clauses(sentence: &str) -> Vec<String> {
    let mut text = sentence.to_owned();
    for joint in [
        " and ",
        " or ",
        " as well as ",
        " then ",
        "以及",
        "并且",
        "并能",
        "还能",
        "还要",
        "和",
        "并",
        "或者",
        "，",
        "、",
        "；",
        ",",
        ";",
        "。",
    ] {
        text = text.replace(joint, "\u{1}");
    }
    text.split('\u{1}').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

const TASK_STARTS: &str = "customers ask|users ask|people ask|visitors ask|build|create|make|write|develop|design|generate|implement|i want|i need|i would like|we want|we need|please|\
    it|the agent|an agent|the bot|a bot|the assistant|an assistant|a chatbot|the chatbot|this agent|agent|users|\
    a user|the user|when asked|when the user|if the user|if asked|given|also|additionally|answer|convert|\
    compute|calculate|reply|use|do not|don't|always|never|support|allow|help|provide|it's|can you|could you|\
    must|should|let|add|include|show|tell|explain|summarize|summarise|extract|find|search|count|classify|\
    translate|the tool|a tool|read|list|given a|for each|based on|using|请|构建|创建|做一个|制作|开发|设计|生成|\
    我需要|我想|我要|我们需要|它|该智能体|智能体|助手|机器人|用户|能够|可以|需要|应该|还|同时|另外|并|支持|帮|\
    回答|计算|提供|根据|要求|当用户";
const TASK_WORDS: &str = "agent|assistant|chatbot|should be able|智能体|助手|机器人|代理";

/// Verbs that make a statement of fact when they follow a subject.
const FACT_VERBS: &str = "is|are|was|were|has|have|had|may|must|can|cannot|can't|will|would|opens|open|closes|close|costs|cost|\
    contains|includes|weighs|lies|starts|begins|ends|takes|lasts|belongs|requires|applies|apply|offers|offer|\
    gets|get|works|lives|means|keeps|isn't|aren't|expires|accept|accepts";
/// What Chinese sentences that set a task speak of.
const ZH_TASK_WORDS: &str =
    "计算|统计|生成|提取|换算|转换|查询|搜索|分析|抓取|编码|解码|格式化|总结|概括|回答|识别|翻译|写";

/// Whether a sentence says what the agent shall do; otherwise it states a fact that the agent shall know.
pub(crate) fn is_task(sentence: &str) -> bool {
    let lower = sentence.trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let starts = TASK_STARTS.split('|').any(|start| {
        lower.strip_prefix(start).is_some_and(|rest| {
            start.chars().next().is_some_and(is_cjk) || !rest.chars().next().is_some_and(|c| c.is_alphanumeric())
        })
    });
    if starts || TASK_WORDS.split('|').any(|word| lower.contains(word)) {
        return true;
    }
    let chinese = lower.chars().filter(|c| is_cjk(*c)).count();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|w| !w.is_empty()).collect();
    if chinese > words.len() {
        return chinese < 6 || ZH_TASK_WORDS.split('|').any(|word| lower.contains(word));
    }
    // A sentence without a subject before its verb is an order: "Analyse CSV data."
    words.len() < 4 || !words.iter().skip(1).any(|word| FACT_VERBS.split('|').any(|verb| verb == *word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_abbreviations_do_not_end_sentences() {
        assert_eq!(
            split("Plum 2.50 EUR, e.g. ripe ones. It converts kg."),
            ["Plum 2.50 EUR, e.g. ripe ones.", "It converts kg."]
        );
        assert_eq!(split("做一个助手。它能换算！\n- 第二行"), ["做一个助手。", "它能换算！", "第二行"]);
        assert!(split("  \n ... 🙂").is_empty());
    }

    #[test]
    fn tasks_and_facts() {
        assert!(is_task("It should also convert kg to lb."));
        assert!(is_task("请做一个计算日期的助手"));
        assert!(is_task("Analyse CSV data and query JSON documents"));
        assert!(!is_task("The museum is closed on Mondays and public holidays."));
        assert!(!is_task("Items bought online may be returned within 30 days."));
        assert!(!is_task("博物馆每周一闭馆，节假日照常开放。"));
    }

    #[test]
    fn clauses_are_split() {
        assert_eq!(clauses("convert kg to lb, count words and hash text").len(), 3);
        assert_eq!(clauses("能换算单位、计算日期和统计字数").len(), 3);
    }
}
