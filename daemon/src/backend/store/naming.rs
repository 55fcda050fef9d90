//! What agents are called by people. A build says its agent's human name; of agents with one name the first has it as
//! it is, each further one a number behind it. The number is given once, when the agent is registered, and to nobody
//! again: it moves neither by restarts nor by deletions.
//!
//! An agent that another program registered has no such name: it is told apart by the end of its id.
//!
//! Backends keep, for each name without regard to case, how many bear it. A name that ends in a number of its own
//! (`Report 2`) is also the second of another name (`Report`): it is given when that one has not come so far, and then
//! that one goes on behind it.

use sha2::{Digest as _, Sha256};

use crate::{backend::backup::hex, domain::agent::NewAgent};

/// Digits of a number that counts as one.
const DIGITS: usize = 9;

/// Characters of an id that tell agents of one name apart.
#[cfg(feature = "aws")]
const END_OF_ID: usize = 4;

/// The name that a build gives, without a number: the manifest's, or the identifier in words.
pub(crate) fn wanted(agent: &NewAgent) -> String {
    let given = one_line(&agent.display_name);
    if given.is_empty() { human(&agent.agent_name) } else { given }
}

/// The name of an agent that was never given one: it says itself, so every daemon says the same.
#[cfg(feature = "aws")]
pub(crate) fn unnamed(agent_name: &str, id: &crate::domain::ids::AgentId) -> String {
    let end: String = id.as_str().chars().rev().take(END_OF_ID).collect::<Vec<_>>().into_iter().rev().collect();
    format!("{} ({end})", human(agent_name)).trim_start().to_owned()
}

/// `price_list_agent` as people write it: `Price list agent`.
pub(crate) fn human(name: &str) -> String {
    let words = one_line(&name.replace('_', " "));
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

/// Under what a name is counted: its hash, as the count stays when the last agent of the name is deleted.
pub(crate) fn counted(name: &str) -> String {
    hex(&Sha256::digest(name.to_lowercase()))
}

/// The name of the `number`th agent of a name.
pub(crate) fn numbered(name: &str, number: u64) -> String {
    if number < 2 { name.to_owned() } else { format!("{name} {number}") }
}

/// A name that is also the numbered form of another: that one, and the number.
pub(crate) fn parts(name: &str) -> Option<(&str, u64)> {
    let (stem, digits) = name.rsplit_once(' ')?;
    let plain = digits.len() <= DIGITS && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|number| plain && *number >= 2)?;
    (!stem.is_empty()).then_some((stem, number))
}

fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_become_words() {
        for (name, wanted) in [
            ("price_list_agent", "Price list agent"),
            ("价格助手", "价格助手"),
            ("", ""),
            ("My Bot", "My Bot"),
            ("a\n\u{1b}b", "A b"),
        ] {
            assert_eq!(human(name), wanted);
        }
    }

    #[test]
    fn a_number_of_a_name_is_found_again() {
        for (name, wanted) in [
            ("Report 2", Some(("Report", 2))),
            ("Report 2 3", Some(("Report 2", 3))),
            ("Report", None),
            ("Report 1", None),
            ("Report 02", None),
            ("Report 1234567890", None),
            (" 2", None),
            ("2", None),
        ] {
            assert_eq!(parts(name), wanted, "{name}");
        }
        assert_eq!(parts(&numbered("Report", 7)), Some(("Report", 7)));
        assert_eq!(numbered("Report", 1), "Report");
    }
}
