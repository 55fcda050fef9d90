//! Reads an evaluation set: TOML files, one a kind of requirement. `daemon/evals/README.md` has the form.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use nexus_evaluation::{Oracle, OracleError};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// Requirements with their questions.
#[derive(Clone, Debug, Default)]
pub struct Set {
    /// In the order of the files.
    pub requirements: Vec<Requirement>,
    /// SHA-256 over the files, in hexadecimal.
    pub digest: String,
}

/// A requirement as somebody wrote it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Unique in the set.
    pub id: String,
    /// `en`, `zh` or `mixed`.
    pub language: Language,
    /// How much of it can be served.
    pub class: Class,
    /// The kind: the name of its file.
    #[serde(skip)]
    pub kind: String,
    /// The requirement.
    pub text: String,
    /// Conversations, each in a session of its own.
    pub sessions: Vec<Vec<Question>>,
}

/// A question and what a right answer is.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct Question {
    /// What is asked.
    pub ask: String,
    /// Stands beside it.
    pub oracle: Oracle,
}

impl TryFrom<toml::Table> for Question {
    type Error = String;

    /// By hand: flattened, a misspelt oracle would be ignored.
    fn try_from(mut table: toml::Table) -> Result<Self, String> {
        let ask =
            table.remove("ask").and_then(|ask| ask.as_str().map(str::to_owned)).ok_or("a question without `ask`")?;
        let oracle = table.try_into().map_err(|error| format!("{ask:?}: {error}"))?;
        Ok(Self { ask, oracle })
    }
}

/// The language of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    En,
    /// Chinese.
    Zh,
    /// Both.
    Mixed,
}

impl Language {
    /// The word in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
            Self::Mixed => "mixed",
        }
    }
}

/// How much of a requirement an agent without a language model can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// All of it.
    Served,
    /// Some of it.
    Partly,
    /// Nothing.
    Impossible,
    /// It says too little to tell.
    Vague,
    /// It tries to mislead.
    Hostile,
}

impl Class {
    /// The word in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Partly => "partly",
            Self::Impossible => "impossible",
            Self::Vague => "vague",
            Self::Hostile => "hostile",
        }
    }

    /// Whether a build that ends without an agent, and says why, is a right answer.
    #[must_use]
    pub fn may_lack_an_agent(self) -> bool {
        matches!(self, Self::Impossible | Self::Vague)
    }
}

/// A set that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// A file or folder cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// There is nothing to run.
    #[error("nothing in the set is called {0:?}; it takes ids, kinds, classes and languages")]
    Nothing(String),
    /// No requirement at all.
    #[error("{0}: no requirement in any file *.toml")]
    Empty(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    requirement: Vec<Requirement>,
}

impl Set {
    /// Reads a file, or all files `*.toml` of a folder.
    ///
    /// # Errors
    /// What is wrong, and in which file.
    pub fn read(path: &Path) -> Result<Self, SetError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| SetError::Unreadable { path, source }
        };
        let mut files = Vec::new();
        if path.is_dir() {
            for entry in fs::read_dir(path).map_err(unreadable(path))? {
                let file = entry.map_err(unreadable(path))?.path();
                if file.extension().is_some_and(|extension| extension == "toml") {
                    files.push(file);
                }
            }
            files.sort();
        } else {
            files.push(path.to_owned());
        }
        let mut set = Self::default();
        let mut digest = Sha256::new();
        let mut ids = BTreeSet::new();
        for path in files {
            let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
            digest.update(text.as_bytes());
            let malformed = |problem: String| SetError::Malformed { path: path.clone(), problem };
            let file: File = toml::from_str(&text).map_err(|error| malformed(error.to_string()))?;
            let kind = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            for mut requirement in file.requirement {
                check(&requirement, &mut ids).map_err(malformed)?;
                requirement.kind.clone_from(&kind);
                requirement.text = requirement.text.trim().to_owned();
                set.requirements.push(requirement);
            }
        }
        if set.requirements.is_empty() {
            return Err(SetError::Empty(path.display().to_string()));
        }
        set.digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(set)
    }

    /// Keeps what is named by id, kind, class or language; everything when nothing is named.
    ///
    /// # Errors
    /// A name that nothing has.
    pub fn only(mut self, names: &[String]) -> Result<Self, SetError> {
        let is = |requirement: &Requirement, name: &str| {
            [&requirement.id, &requirement.kind].into_iter().any(|own| own == name)
                || requirement.class.as_str() == name
                || requirement.language.as_str() == name
        };
        if let Some(unknown) = names.iter().find(|name| !self.requirements.iter().any(|one| is(one, name))) {
            return Err(SetError::Nothing(unknown.clone()));
        }
        if !names.is_empty() {
            self.requirements.retain(|one| names.iter().any(|name| is(one, name)));
        }
        Ok(self)
    }

    /// How many questions there are.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.requirements.iter().flat_map(|one| &one.sessions).map(Vec::len).sum()
    }
}

fn check(requirement: &Requirement, ids: &mut BTreeSet<String>) -> Result<(), String> {
    let Requirement { id, sessions, .. } = requirement;
    if !ids.insert(id.clone()) {
        return Err(format!("the id `{id}` stands twice"));
    }
    if sessions.is_empty() || sessions.iter().any(Vec::is_empty) {
        return Err(format!("`{id}` has a session without a question"));
    }
    for question in sessions.iter().flatten() {
        question.oracle.check().map_err(|error: OracleError| format!("`{id}`, {:?}: {error}", question.ask))?;
        if question.oracle.is_empty() {
            return Err(format!("`{id}`, {:?}: nothing says what a right answer is", question.ask));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Set {
        Set::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("evals/set")).unwrap()
    }

    #[test]
    fn the_shipped_set_is_whole() {
        let set = shipped();
        let of = |language| set.requirements.iter().filter(|one| one.language == language).count();
        assert!(set.requirements.len() >= 80, "{}", set.requirements.len());
        assert_eq!(of(Language::En), of(Language::Zh), "English and Chinese in equal parts");
        assert!(of(Language::Mixed) >= 5);
        for one in &set.requirements {
            let questions: usize = one.sessions.iter().map(Vec::len).sum();
            assert!((4..=8).contains(&questions), "{}: {questions} questions", one.id);
        }
        for class in [Class::Served, Class::Partly, Class::Impossible, Class::Vague, Class::Hostile] {
            assert!(set.requirements.iter().filter(|one| one.class == class).count() >= 6, "{class:?}");
        }
    }

    /// The other set, written before anybody looked at what its words do to the reader.
    #[test]
    fn the_kept_set_is_whole() {
        let set = Set::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("evals/kept")).unwrap();
        let chinese = set.requirements.iter().filter(|one| one.language != Language::En).count();
        assert!(set.requirements.len() >= 30 && set.questions() >= 150, "{}", set.questions());
        assert!(chinese * 3 >= set.requirements.len(), "{chinese} of {}", set.requirements.len());
        let known: BTreeSet<String> = shipped().requirements.into_iter().map(|one| one.id).collect();
        assert!(set.requirements.iter().all(|one| !known.contains(&one.id)));
    }

    #[test]
    fn python_computes_the_same_figures() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("evals/figures.py");
        let output = std::process::Command::new("python3").arg(script).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    #[test]
    fn parts_of_a_set() {
        let only = |names: &[&str]| shipped().only(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(only(&["bakery-messages"]).unwrap().requirements.len(), 1);
        assert!(only(&["zh", "prices"]).unwrap().requirements.len() > only(&["zh"]).unwrap().requirements.len());
        assert!(matches!(only(&["nothing-like-it"]), Err(SetError::Nothing(_))));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            let path = folder.path().join("x.toml");
            fs::write(&path, text).unwrap();
            Set::read(&path).unwrap_err().to_string()
        };
        let with = |questions: &str| {
            format!("[[requirement]]\nid='a'\nlanguage='en'\nclass='served'\ntext='t'\nsessions={questions}\n")
        };
        assert!(read("").contains("requirement"));
        assert!(read(&with("[[]]")).contains("without a question"));
        assert!(read(&with("[[{ask='x'}]]")).contains("right answer"));
        assert!(read(&with("[[{ask='x', times=['noon']}]]")).contains("noon"));
        assert!(read(&with("[[{ask='x', figures=['three']}]]")).contains("three"));
        assert!(read(&with("[[{ask='x', musst=['three']}]]")).contains("musst"));
        let twice = with("[[{ask='x', refuse=true}]]").repeat(2);
        assert!(read(&twice).contains("twice"));
    }
}
