//! Whether an answer declines: says that it cannot or does not know, or asks back.

use crate::text::{is_chinese, normal};

/// Phrases that decline wherever they stand.
const PLAIN: &[&str] = &[
    // English
    "i cannot",
    "i can't",
    "i can not",
    "cannot answer",
    "can't answer",
    "could not",
    "couldn't",
    "cannot do",
    "cannot be",
    "unable to",
    "not able to",
    "don't know",
    "do not know",
    "does not know",
    "didn't understand",
    "did not understand",
    "do not understand",
    "don't understand",
    "not understood",
    "no information",
    "not listed",
    "not in my",
    "not in the list",
    "not in the table",
    "not on the list",
    "not on the price list",
    "isn't on the",
    "is not on the",
    "is not among",
    "is not in ",
    "no such",
    "none of my tools",
    "no tool",
    "not something i",
    "not part of",
    "what i can do",
    "do you mean",
    "did you mean",
    "please give",
    "please tell",
    "please state",
    "please paste",
    "not possible",
    "not a valid",
    "is not valid",
    "invalid",
    "does not exist",
    "doesn't exist",
    "not defined",
    "undefined",
    "nothing about",
    "nothing in my",
    "have no data",
    "i have no",
    "i do not have",
    "i don't have",
    "we do not have",
    "we don't have",
    "no entry",
    "not found",
    "found nothing",
    "found no",
    "no category",
    "does not say",
    "says nothing",
    "was not given",
    "is not given",
    "are not given",
    "beyond what",
    "need a language model",
    "needs a language model",
    "not recognised",
    "not recognized",
    "no rate",
    "not known",
    "is unknown",
    "only answer",
    " not by ",
    "only convert",
    "only know",
    "outside",
    "i am not sure",
    "i'm not sure",
    "not sure what",
    "i give no result",
    "put the question another way",
    "put it another way",
    "went wrong",
    "could not do that",
    "unknown unit",
    "is no date",
    "has no result",
    "i read at most",
    "nor can i",
    "i answer only",
    "no connection",
    "need to know",
    "tell me which",
    "i only know",
    "which of them",
    "which one",
    "is not something",
    // Chinese
    "不确定",
    "不给出",
    "换个说法",
    "出错了",
    "不认识的",
    "我只知道",
    "我只能",
    "超过",
    "没有连接",
    "没有联网",
    "没有使用语言模型",
    "不会展示",
    "哪一个",
    "哪一种",
    "哪种",
    "没有提到",
    "没有符合",
    "没有汇率",
    "没有要",
    "没有可",
    "我没有",
    "查不到",
    "请写成",
    "应在",
    "不是有效",
    "没有列出",
    "没有这个",
    "没有该",
    "无法",
    "不能",
    "没法",
    "不知道",
    "回答不了",
    "做不到",
    "没有找到",
    "没找到",
    "找不到",
    "未找到",
    "没查到",
    "查不到",
    "不支持",
    "不清楚",
    "没有收录",
    "没有相关",
    "未提供",
    "没有提供",
    "没有给出",
    "请提供",
    "请告诉",
    "请说明",
    "请给出",
    "您是指",
    "你是指",
    "您指的是",
    "你指的是",
    "不明白",
    "没听懂",
    "看不懂",
    "帮不了",
    "没有成功",
    "我能做这些",
    "不存在",
    "无效",
    "不合法",
    "没有意义",
    "不在表",
    "不在列",
    "不在价",
    "没有这",
    "没有“",
    "没有\"",
    "没有工具",
    "里没有",
    "中没有",
    "不按",
    "超出",
    "不认识",
    "不会做",
    "没有语言模型",
    "需要语言模型",
    "除以零",
    "除数不能",
    "没有汇率",
    "资料里没有",
    "没有关于",
    "不属于",
    "未收录",
];

/// Phrases that decline when they are about all that is said.
const BRIEF: &[&str] = &[
    "sorry",
    "no,",
    "none",
    "nothing",
    "unfortunately",
    "n/a",
    "not ",
    "没有",
    "抱歉",
    "对不起",
    "不会",
    "不是",
    "暂无",
];

/// The longest answer in which a brief phrase counts, in letters; a Chinese sign says as much as three.
const SHORT: usize = 120;

/// Whether an answer declines. What it only repeats of the requirement does not count: `opened paint cannot be returned`
/// is an answer.
pub(crate) fn declines(answer: &str, requirement: &str) -> bool {
    let own = without_repeated(answer, requirement);
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| own.contains(phrase));
    let length: usize = own.chars().map(|c| if is_chinese(c) { 3 } else { 1 }).sum();
    has(PLAIN) || (length <= SHORT && has(BRIEF))
}

/// Whether an answer says which part of the question it left out: a line that declines names a word of it.
pub(crate) fn names_what_it_left_out(answer: &str, question: &str) -> bool {
    let question = normal(question);
    let named = |line: &str| {
        let line = normal(line);
        let declines = PLAIN.iter().chain(BRIEF).any(|phrase| line.contains(phrase));
        declines && words(&question).iter().any(|word| line.contains(word.as_str()))
    };
    answer.split(['\n', '。']).flat_map(|line| line.split(". ")).any(named)
}

/// Words that tell something: Latin ones of three letters, Chinese ones of two signs.
fn words(text: &str) -> Vec<String> {
    let latin = text
        .split(|c: char| !c.is_alphanumeric() || is_chinese(c))
        .filter(|word| word.chars().count() >= 3 && word.chars().any(char::is_alphabetic) && !COMMON.contains(word));
    let signs: Vec<char> = text.chars().collect();
    let chinese = signs.windows(2).filter(|two| two.iter().all(|c| is_chinese(*c))).map(|two| two.iter().collect());
    latin.map(str::to_owned).chain(chinese).collect()
}

/// Words that any line may have.
const COMMON: &[&str] = &[
    "the", "and", "for", "are", "how", "much", "what", "you", "can", "that", "this", "with", "price", "list", "not",
    "have",
];

/// The sentences of an answer that do not stand in the requirement.
fn without_repeated(answer: &str, requirement: &str) -> String {
    let known = normal(requirement);
    let answer = normal(answer);
    let ends = ['.', '!', '?', '。', '!', '?', ';', '；', ':', '\n'];
    let own = answer.split_inclusive(ends).filter(|sentence| {
        let bare = sentence.trim().trim_end_matches(ends).trim_matches(['"', ' ', '-', '>']);
        bare.chars().count() < 4 || !known.contains(bare)
    });
    own.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_declines() {
        for text in [
            "I cannot answer that: I work offline.",
            "Price list could not do that: there is no \"mango\" on the list.",
            "Sorry, no.",
            "这个问题我回答不了。",
            "没有芒果。",
            "Which one do you mean: small or large?",
            "I don’t know that item.",
        ] {
            assert!(declines(text, "prices: apple 3"), "{text}");
        }
    }

    #[test]
    fn what_was_left_out_is_named() {
        let question = "6 croissants and 2 baguettes";
        assert!(names_what_it_left_out("6 × croissant = 10.80 EUR\nNot on the price list: baguettes", question));
        assert!(names_what_it_left_out("2 本 = 24 元\n价目表里没有：彩印", "彩印20张，再胶装2本"));
        assert!(!names_what_it_left_out("I cannot say more. 6 × croissant = 10.80 EUR", question));
    }

    #[test]
    fn what_answers() {
        let requirement = "Can I return opened paint? No, it cannot be returned. 退货：剪了吊牌不能退。";
        for text in ["6 croissants: 10.80 EUR", "No, it cannot be returned.", "剪了吊牌不能退。", "一共 15 元"]
        {
            assert!(!declines(text, requirement), "{text}");
        }
        assert!(declines("I cannot answer that. No, it cannot be returned.", requirement));
    }
}
