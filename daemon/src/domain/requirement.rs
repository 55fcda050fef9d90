//! What a client writes around a requirement. The original's console puts a sentence before it when its user typed a
//! name: `[项目名称约束: X] 请务必使用 "X" 作为项目名称…`, then a blank line. It says the name and is no part of what the
//! agent is to do.

/// How the sentence begins.
const MARK: &str = "[项目名称约束";
/// Its second part, behind the name in brackets.
const REPEATED: &str = "请务必使用";
/// What the second part says of the name.
const AS_NAME: &str = "作为项目名称";

/// The requirement without the console's sentence, and the name that the sentence gives.
pub fn without_constraint(text: &str) -> (Option<&str>, &str) {
    let found = || {
        let after = text.trim_start().strip_prefix(MARK)?.trim_start().strip_prefix([':', '：'])?;
        let (line, mut rest) = after.split_once(['\n', '\r']).unwrap_or((after, ""));
        // A name may hold brackets itself.
        let (name, sentence) = match line.find(REPEATED) {
            Some(at) => (line.get(..at)?.trim_end().strip_suffix(']')?, line.get(at..)?),
            None => line.split_once(']')?,
        };
        if rest.trim().is_empty() {
            // Everything stands in one line.
            rest = in_one_line(name.trim(), sentence);
        }
        Some((Some(name.trim()).filter(|name| !name.is_empty()), rest.trim_start()))
    };
    found().unwrap_or((None, text))
}

/// What follows the sentence in its own line.
fn in_one_line<'a>(name: &str, line: &'a str) -> &'a str {
    let line = line.trim_start();
    let Some(said) = line.strip_prefix(REPEATED) else { return line };
    let said = said.trim_start().trim_start_matches(['"', '“', '「']);
    let said = said.strip_prefix(name).unwrap_or(said);
    let Some((_, said)) = said.split_once(AS_NAME) else { return "" };
    said.split_once(['。', '.', '…', '！', '!']).map_or("", |(_, rest)| rest.trim_start_matches(['。', '.', '…']))
}

#[cfg(test)]
mod tests {
    use super::without_constraint;

    #[test]
    fn the_sentence_of_the_console_is_taken_off_and_gives_the_name() {
        for (text, name, rest) in [
            (
                "[项目名称约束: Price Bot] 请务必使用 \"Price Bot\" 作为项目名称，不要更改。\n\nBuild an agent.",
                Some("Price Bot"),
                "Build an agent.",
            ),
            (
                "[项目名称约束：价格助手] 请务必使用“价格助手”作为项目名称\r\n\r\n构建一个助手",
                Some("价格助手"),
                "构建一个助手",
            ),
            (
                "  \n[项目名称约束: a] 请务必使用 \"a\" 作为项目名称\n  line one\nline two",
                Some("a"),
                "line one\nline two",
            ),
            ("[项目名称约束: a [v2]] 请务必使用 \"a [v2]\" 作为项目名称\n\nBuild it", Some("a [v2]"), "Build it"),
            ("[项目名称约束: ] 请务必使用 \"\" 作为项目名称\n\nBuild it", None, "Build it"),
            ("[项目名称约束: a]\n\nBuild it", Some("a"), "Build it"),
            ("[项目名称约束: 请务必] 请务必使用 \"请务必\" 作为项目名称。 Build it", Some("请务必"), "Build it"),
            ("[项目名称约束: v1.2] 请务必使用 \"v1.2\" 作为项目名称…Build it", Some("v1.2"), "Build it"),
            ("[项目名称约束: a] 请务必使用 \"a\" 作为项目名称\n\n", Some("a"), ""),
        ] {
            assert_eq!(without_constraint(text), (name, rest), "{text:?}");
        }
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in [
            "",
            "Build an agent that tells prices.",
            " [prices] Build an agent ",
            "Build an agent.\n\n[项目名称约束: a] 请务必使用 \"a\" 作为项目名称",
            "[项目名称约束 a without a colon] Build it",
            "[项目名称约束: never closed",
        ] {
            assert_eq!(without_constraint(text), (None, text), "{text:?}");
        }
    }
}
