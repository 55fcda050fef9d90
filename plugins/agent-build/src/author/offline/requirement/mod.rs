//! Reads a written requirement: its language, the tasks it sets, and the data it brings along.

pub(super) mod data;
pub(super) mod language;
pub(super) mod sentences;
pub(super) mod subject;

use language::language_of;

use crate::spec::{DataSet, Language};

/// Longer requirements are cut; the daemon's own limit is far lower.
const MAX_CHARS: usize = 200_000;

/// A requirement, read.
#[derive(Clone, Debug)]
pub(crate) struct Requirement {
    /// The language to answer and document in.
    pub(crate) language: Language,
    /// What the agent shall do, sentence by sentence, without the data.
    pub(crate) tasks: Vec<String>,
    /// What the agent shall know.
    pub(crate) data: Vec<DataSet>,
}

/// The requirement holds not a single letter or digit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the requirement says nothing: it holds no letter and no digit; describe what the agent shall do")]
pub(crate) struct Empty;

impl Requirement {
    pub(crate) fn read(text: &str) -> Result<Self, Empty> {
        let clean: String = text
            .replace("\r\n", "\n")
            .replace('\r', "\n")
            .chars()
            .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
            .take(MAX_CHARS)
            .collect();
        if !clean.chars().any(char::is_alphanumeric) {
            return Err(Empty);
        }
        let (data, tasks) = data::extract(&clean);
        let spoken = if tasks.is_empty() { clean } else { tasks.join("\n") };
        Ok(Self { language: language_of(&spoken), tasks, data })
    }

    pub(crate) fn data_of(&self, kind: &str) -> Option<&DataSet> {
        self.data.iter().find(|data| data.kind() == kind)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(text: &str) -> Vec<(&'static str, usize)> {
        Requirement::read(text).unwrap().data.iter().map(|d| (d.kind(), d.len())).collect()
    }

    #[test]
    fn tasks_and_data_are_told_apart() {
        let read = Requirement::read("Build an agent that answers questions about this price list: apple 3 EUR, pear 4 EUR, plum 2.50 EUR. It should also convert kg to lb.").unwrap();
        assert_eq!(
            read.tasks,
            ["Build an agent that answers questions about this price list", "It should also convert kg to lb."]
        );
        assert_eq!(read.data_of("prices").map(DataSet::len), Some(3));
        assert_eq!(read.data.len(), 1);
    }

    #[test]
    fn chinese() {
        let read = Requirement::read("做一个水果店助手，价格：苹果 3元, 梨 4元。还能把公斤换算成磅。").unwrap();
        assert_eq!(
            (read.language, kinds("做一个水果店助手，价格：苹果 3元, 梨 4元。还能把公斤换算成磅。")),
            (Language::Zh, vec![("prices", 2)])
        );
        assert!(read.tasks.iter().any(|t| t.contains("换算")));
    }

    #[test]
    fn several_kinds_at_once() {
        assert_eq!(
            kinds(
                "Museum guide. The museum is closed on Mondays. Q: Is there a café? A: Yes, on floor 2.\n\nTickets:\nadult: 12 EUR\nchild: 6 EUR"
            ),
            [("prices", 2), ("faq", 1), ("notes", 1)]
        );
    }

    #[test]
    fn nothing_said() {
        assert_eq!(Requirement::read(" 🙂 …\n").unwrap_err(), Empty);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_can_be_read(text in "\\PC{0,400}") {
            let _ = Requirement::read(&text);
        }

        #[test]
        fn any_list_like_text_can_be_read(text in "([a-zé苹果梨: ,;|=\\n\\-\"'(){}\\[\\]€$¥0-9.元QA?？：，]{0,20}){0,12}") {
            let _ = Requirement::read(&text);
        }
    }
}
