//! The prompts: files that are shipped, and files of the operator in their place.
//!
//! A step has `system.md` and `user.md`, and `repair.md` where the common one does not do; `user.zh.md` goes before
//! `user.md` when the requirement is Chinese. The first line names the version: `<!-- version 3 -->`. What stands in
//! double braces is filled in.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use crate::{embedded, spec::Language};

/// More is no prompt.
const LONGEST: u64 = 64 << 10;
/// Texts for finished agents, which no step asks with.
const OF_AGENTS: &str = "agent/";
/// Where a step has no words of its own for its mistakes.
const COMMON: &str = "common";

#[derive(Debug, thiserror::Error)]
pub(crate) enum PromptError {
    #[error("`prompts` in [plugins.agent-build]: {path} cannot be read: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("`prompts` in [plugins.agent-build]: {path} {problem}")]
    Unusable { path: PathBuf, problem: String },
    #[error("there is no prompt `{0}`")]
    Missing(String),
}

#[derive(Clone, Debug)]
struct Prompt {
    version: String,
    text: String,
}

/// All of them, by path.
#[derive(Debug)]
pub(crate) struct Prompts {
    files: BTreeMap<String, Prompt>,
}

/// Which words of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    System,
    User,
    Repair,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Repair => "repair",
        }
    }
}

impl Prompts {
    /// The shipped ones, and those of a folder in their place.
    pub(crate) fn load(folder: Option<&Path>) -> Result<Self, PromptError> {
        let shipped = embedded::PROMPTS.iter().filter(|(path, _)| !path.starts_with(OF_AGENTS));
        let mut files: BTreeMap<String, Prompt> =
            shipped.map(|(path, text)| ((*path).to_owned(), Prompt::of(text))).collect();
        let Some(folder) = folder else { return Ok(Self { files }) };
        let mut found = Vec::new();
        walk(folder, "", &mut found)?;
        for (name, path) in found {
            let unusable = |problem: String| PromptError::Unusable { path: path.clone(), problem };
            let known = files.get(&name).ok_or_else(|| {
                let names = embedded::PROMPTS.iter().map(|(name, _)| *name).filter(|name| !name.starts_with(OF_AGENTS));
                unusable(format!("takes the place of no prompt; there are {}", names.collect::<Vec<_>>().join(", ")))
            })?;
            let text =
                fs::read_to_string(&path).map_err(|source| PromptError::Unreadable { path: path.clone(), source })?;
            let allowed = known.slots();
            let own = Prompt::of(&text);
            if let Some(slot) = own.slots().difference(&allowed).next() {
                let allowed = allowed.iter().cloned().collect::<Vec<_>>().join(", ");
                return Err(unusable(format!("names `{{{{{slot}}}}}`, which nothing fills in; there are: {allowed}")));
            }
            if own.text.trim().is_empty() {
                return Err(unusable("is empty".to_owned()));
            }
            let own = Prompt { version: format!("{} (own)", own.version), ..own };
            files.insert(name, own);
        }
        Ok(Self { files })
    }

    /// The words of a step, filled in.
    pub(super) fn words(
        &self,
        step: &str,
        part: Part,
        language: Language,
        values: &[(&str, &str)],
    ) -> Result<String, PromptError> {
        Ok(self.find(step, part, language)?.filled(values))
    }

    /// The version of a step's question.
    pub(super) fn version(&self, step: &str, language: Language) -> Result<&str, PromptError> {
        Ok(&self.find(step, Part::User, language)?.version)
    }

    fn find(&self, step: &str, part: Part, language: Language) -> Result<&Prompt, PromptError> {
        let word = part.word();
        let own = [format!("{step}/{word}.{}.md", language.code()), format!("{step}/{word}.md")];
        let common = [format!("{COMMON}/{word}.{}.md", language.code()), format!("{COMMON}/{word}.md")];
        let may_be_common = if part == Part::User { &[][..] } else { &common[..] };
        let found = own.iter().chain(may_be_common).find_map(|path| self.files.get(path));
        found.ok_or_else(|| PromptError::Missing(format!("{step}/{word}.md")))
    }
}

impl Prompt {
    fn of(text: &str) -> Self {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        match first.trim().strip_prefix("<!-- version ").and_then(|rest| rest.strip_suffix("-->")) {
            Some(version) => Self { version: version.trim().to_owned(), text: rest.trim().to_owned() },
            None => Self { version: "?".to_owned(), text: text.trim().to_owned() },
        }
    }

    /// What is to be filled in.
    fn slots(&self) -> BTreeSet<String> {
        let behind = self.text.split("{{").skip(1);
        behind.filter_map(|part| part.split_once("}}")).map(|(slot, _)| slot.trim().to_owned()).collect()
    }

    /// Filled in from left to right: what a value holds is not looked at again.
    fn filled(&self, values: &[(&str, &str)]) -> String {
        let mut parts = self.text.split("{{");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let Some((slot, rest)) = part.split_once("}}") else {
                text.push_str("{{");
                text.push_str(part);
                continue;
            };
            let value = values.iter().find(|(name, _)| *name == slot.trim());
            text.push_str(value.map_or("", |(_, value)| value));
            text.push_str(rest);
        }
        text
    }
}

fn walk(folder: &Path, at: &str, found: &mut Vec<(String, PathBuf)>) -> Result<(), PromptError> {
    let unreadable = |source| PromptError::Unreadable { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = format!("{at}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            walk(&path, &format!("{name}/"), found)?;
        } else if path.extension().is_some_and(|ending| ending == "md") {
            if fs::metadata(&path).is_ok_and(|about| about.len() > LONGEST) {
                return Err(PromptError::Unusable { path, problem: format!("is longer than {LONGEST} bytes") });
            }
            found.push((name, path));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_prompt_has_a_version_and_its_chinese_form_the_same_slots() {
        let prompts = Prompts::load(None).unwrap();
        for (path, prompt) in &prompts.files {
            assert!(prompt.version.parse::<u32>().is_ok(), "{path}: no version");
            if let Some(stem) = path.strip_suffix(".zh.md") {
                assert_eq!(prompt.slots(), prompts.files[&format!("{stem}.md")].slots(), "{path}");
            }
        }
    }

    #[test]
    fn what_a_value_holds_is_not_filled_in_again() {
        let prompt = Prompt::of("<!-- version 7 -->\nA {{ one }} {{two}} {{{{ {{three}}");
        assert_eq!(
            (prompt.version.as_str(), prompt.filled(&[("one", "{{two}}"), ("two", "2")]).as_str()),
            ("7", "A {{two}} 2 {{{{ ")
        );
    }

    #[test]
    fn an_operators_prompt_takes_the_place_of_a_shipped_one_or_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("agent_design")).unwrap();
        let file = folder.path().join("agent_design/user.md");
        fs::write(&file, "<!-- version 9 -->\nMine: {{context}}").unwrap();
        let prompts = Prompts::load(Some(folder.path())).unwrap();
        assert_eq!(prompts.version("agent_design", Language::En).unwrap(), "9 (own)");
        let words = prompts.words("agent_design", Part::User, Language::En, &[("context", "x")]).unwrap();
        assert_eq!(words, "Mine: x");
        fs::write(&file, "Mine: {{contxt}}").unwrap();
        let refused = Prompts::load(Some(folder.path())).unwrap_err().to_string();
        assert!(refused.contains("agent_design/user.md") && refused.contains("{{contxt}}"), "{refused}");
        fs::rename(&file, folder.path().join("agent_design/usr.md")).unwrap();
        let refused = Prompts::load(Some(folder.path())).unwrap_err().to_string();
        assert!(refused.contains("usr.md") && refused.contains("agent_design/user.md"), "{refused}");
        assert!(Prompts::load(Some(Path::new("/nowhere"))).is_err());
    }
}
