//! Whether an answer is none: empty, a program's error, template marks, or the requirement read back.

use crate::text::{is_chinese, normal};

/// Marks of a program that failed, in lower case.
const BROKEN: &[&str] = &[
    "traceback (most recent",
    "nonetype",
    "keyerror",
    "typeerror",
    "valueerror:",
    "attributeerror",
    "indexerror",
    "zerodivisionerror",
    "[object object]",
    "\u{fffd}",
    "none none",
    "nan nan",
    "<built-in",
    "object at 0x",
    " %s ",
    "{{",
    "}}",
];

/// Words by which a requirement speaks of the agent that it wants: no customer should hear them.
const OF_THE_TASK: &[&str] = &[
    "build ",
    "make me",
    "make a",
    "make an",
    "i want",
    "i need",
    "need an agent",
    "we need",
    "please build",
    "an agent",
    "a bot",
    "chatbot",
    "assistant for",
    "should answer",
    "should be able",
    "the agent",
    "the bot",
    "it should",
    "helper for",
    "bot for",
    "做一个",
    "做个",
    "帮我",
    "给我",
    "我想要",
    "想要一个",
    "机器人",
    "小助手",
    "智能体",
    "助手",
];

/// Shortest sentence that counts as read back, in letters; a Chinese sign says as much as three.
const SENTENCE: usize = 30;

/// Why an answer is no answer.
pub(crate) fn nonsense(answer: &str, requirement: &str, declines: bool) -> Option<String> {
    let text = normal(answer);
    if !text.chars().any(char::is_alphanumeric) {
        return Some("it is empty".to_owned());
    }
    let known = normal(requirement);
    if let Some(mark) = BROKEN.iter().find(|mark| text.contains(**mark) && !known.contains(**mark)) {
        return Some(format!("it shows `{mark}`"));
    }
    // An agent that says what it was asked for and cannot do may quote it.
    if declines {
        return None;
    }
    let ends = ['.', '!', '?', '。', ';', '；', '\n'];
    let lines = requirement.lines().flat_map(|line| line.split(ends)).map(normal);
    let mut task = lines.filter(|sentence| {
        let length: usize = sentence.chars().map(|c| if is_chinese(c) { 3 } else { 1 }).sum();
        length >= SENTENCE && OF_THE_TASK.iter().any(|word| sentence.contains(word))
    });
    task.find(|sentence| text.contains(sentence.as_str()))
        .map(|sentence| format!("it reads the requirement back: \"{sentence}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_answer() {
        let requirement =
            "Build a bot for our coffee stand that knows prices. Espresso $2.50.\n做一个水果店的报价机器人，苹果3元。";
        let found = |text: &str| nonsense(text, requirement, false);
        for text in [
            "",
            " … ",
            "KeyError: 'x'",
            "Hello {{name}}",
            "Build a bot for our coffee stand that knows prices.",
            "做一个水果店的报价机器人，苹果3元",
        ] {
            assert!(found(text).is_some(), "{text}");
        }
        for text in ["Espresso $2.50", "苹果 3元", "I am a price list.", "Parking is behind the building."] {
            assert!(found(text).is_none(), "{text}");
        }
    }
}
