//! Names that are safe wherever an agent goes.

use super::requirement::subject::content_words;

const MAX: usize = 48;

/// A name in snake case, `[a-z][a-z0-9_]*`, at most 48 characters: from the project's name when it has Latin letters, else from the tools.
pub(in crate::author) fn agent_name(project: &str, tools: &[&str]) -> String {
    let words = content_words(project);
    let from_project = words.iter().any(|w| w.len() > 1 && w.starts_with(|c: char| c.is_ascii_alphabetic()));
    let mut parts: Vec<String> =
        if from_project { words } else { tools.iter().take(2).map(|t| (*t).to_owned()).collect() };
    parts.push("agent".into());
    let mut name = String::new();
    for part in &parts {
        let longer = if name.is_empty() { part.clone() } else { format!("{name}_{part}") };
        if longer.len() <= MAX {
            name = longer;
        }
    }
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name
    } else {
        format!("agent_{name}").chars().take(MAX).collect::<String>().trim_end_matches('_').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid() {
        assert_eq!(agent_name("Fruit Shop!", &["price_list"]), "fruit_shop_agent");
        assert_eq!(agent_name("水果店", &["price_list", "unit_converter"]), "price_list_unit_converter_agent");
        let sentence = "Build an agent that answers questions about this price list";
        assert_eq!(agent_name(sentence, &["price_list"]), "price_list_agent");
        assert_eq!(agent_name("", &["calculator"]), "calculator_agent");
        assert_eq!(agent_name("2026 plan", &["x"]), "agent_2026_plan_agent");
        for odd in ["🙂", "a".repeat(300).as_str(), "--", "__init__", "1", "../../etc/passwd", "\"; rm -rf"] {
            let name = agent_name(odd, &["date_calculator"]);
            assert!(
                name.len() <= MAX
                    && name.starts_with(|c: char| c.is_ascii_alphabetic())
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
                "{odd}: {name}"
            );
        }
    }
}
