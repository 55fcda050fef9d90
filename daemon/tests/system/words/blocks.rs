//! Reads the blocks out of a page: of Markdown, or of the page that rustdoc makes of a source file.

use std::path::Path;

/// What stands before a block that cannot be run, with the reason.
const NOT_RUN: &str = "<!-- not run: ";
/// What stands before a block that would go on for ever.
const ENDLESS: &str = "<!-- runs until stopped -->";

/// A block between fences.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// `file:line`, for whoever has to mend it.
    pub(crate) place: String,
    /// The word behind the fence.
    pub(crate) language: String,
    /// What is in it.
    pub(crate) text: String,
    /// The paragraph before it, in one line.
    pub(crate) before: String,
    /// Why it is not run.
    pub(crate) not_run: Option<String>,
    /// It shows what goes on until it is stopped.
    pub(crate) endless: bool,
}

impl Block {
    /// The file that the paragraph before it says it is: the last one in backquotes, in a sentence that ends with a colon.
    pub(crate) fn file(&self) -> Option<&str> {
        let before = self.before.strip_suffix(':')?;
        let quoted: Vec<&str> = before.split('`').skip(1).step_by(2).collect();
        quoted.into_iter().rev().find(|word| is_file(word))
    }
}

fn is_file(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "./_-".contains(c));
    plain && [".toml", ".rs", ".py"].iter().any(|end| word.ends_with(end))
}

/// All blocks of a page. Fences inside lists and quotes are none.
pub(crate) fn read(page: &Path) -> Vec<Block> {
    let name = page.file_name().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let source = page.extension().is_some_and(|end| end == "rs");
    let lines: Vec<(usize, &str)> = if source {
        let documented = text.lines().enumerate().filter_map(|(at, line)| Some((at, line.strip_prefix("//!")?)));
        documented.map(|(at, line)| (at, line.strip_prefix(' ').unwrap_or(line))).collect()
    } else {
        text.lines().enumerate().collect()
    };
    let (mut blocks, mut before, mut open) = (Vec::new(), Vec::<&str>::new(), None::<Block>);
    let (mut not_run, mut endless) = (None, false);
    for (at, line) in lines {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => {
                blocks.extend(open.take());
                before.clear();
            }
            (Some(block), None) => {
                // Lines that rustdoc hides from the reader.
                let hidden = source && block.language == "rust" && (line == "#" || line.starts_with("# "));
                if !hidden {
                    block.text += line;
                    block.text.push('\n');
                }
            }
            (None, Some(word)) => {
                let language = if source && word.is_empty() { "rust" } else { word };
                open = Some(Block {
                    place: format!("{name}:{}", at + 1),
                    language: language.to_owned(),
                    text: String::new(),
                    before: before.join(" "),
                    not_run: not_run.take(),
                    endless: std::mem::take(&mut endless),
                });
            }
            (None, None) if line.starts_with(NOT_RUN) => {
                let reason = line.strip_prefix(NOT_RUN).and_then(|rest| rest.strip_suffix(" -->"));
                not_run = Some(reason.expect("a marker ends on its line").to_owned());
            }
            (None, None) if line == ENDLESS => endless = true,
            // An empty line ends a paragraph when another begins.
            (None, None) if line.trim().is_empty() => before.push(""),
            (None, None) => {
                if before.last() == Some(&"") {
                    before.clear();
                }
                before.push(line.trim());
            }
        }
    }
    assert!(open.is_none(), "{name}: a fence is not closed");
    for block in &mut blocks {
        block.before = block.before.trim().to_owned();
    }
    blocks
}
