//! The stages' documents, as Markdown, in the language of the requirement, and as structures for programs.

mod build;
mod prompt_yaml;
mod readme;
mod report;
pub(crate) mod structured;

pub(crate) use build::{agent_folder, architecture, deployment, design, plan, requirements, tools};
pub(crate) use prompt_yaml::prompt_yaml;
pub(crate) use readme::readme;
pub(crate) use report::report;

use crate::spec::Language;

/// A Markdown document under construction.
struct Doc {
    text: String,
    language: Language,
}

impl Doc {
    fn new(language: Language, en: &str, zh: &str) -> Self {
        Self { text: format!("# {}\n", language.pick(en, zh)), language }
    }

    fn heading(&mut self, en: &str, zh: &str) {
        self.text.push_str(&format!("\n## {}\n\n", self.language.pick(en, zh)));
    }

    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn bullets(&mut self, lines: impl IntoIterator<Item = impl AsRef<str>>) {
        for line in lines {
            self.line(format!("- {}", line.as_ref()));
        }
    }

    fn table(&mut self, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        self.line(format!("| {} |", header.join(" | ")));
        self.line(format!("|{}", " --- |".repeat(header.len())));
        for row in rows {
            self.line(format!("| {} |", row.iter().map(|cell| cell_text(cell)).collect::<Vec<_>>().join(" | ")));
        }
    }
}

/// A cell on one line that cannot end itself.
fn cell_text(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text of the requirement as a quotation: whatever it holds stays inside.
fn quoted(text: &str) -> String {
    text.lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
}
