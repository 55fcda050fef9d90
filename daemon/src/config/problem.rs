//! What is wrong with a setting or a workflow, and where: one sentence, the place, the line with a caret, the remedy.
//!
//! Made by the readers and checkers of this folder; printed by `nexusd check-config` and by the start-up.

use std::fmt;
use std::ops::Range;

use super::schema::{plugin_host_keys, sections};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, lower case, no full stop.
    pub message: String,
    /// Where it stands.
    pub place: Place,
    /// What to do about it.
    pub help: Option<String>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A spot in a file.
    Spot(Box<Spot>),
    /// A whole file or folder.
    Path(String),
    /// An environment variable.
    Variable(String),
    /// A command-line option.
    Option(&'static str),
    /// Nothing that was written: a default, or the lack of something.
    Unset,
}

/// A spot in a file; line and column count characters from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file as the user named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// How many characters the caret underlines.
    width: usize,
    /// The line, made safe for a terminal and cut to a window around the caret.
    excerpt: String,
    /// Where in `excerpt` the caret starts, from 0.
    offset: usize,
}

impl Problem {
    /// A problem without a remedy.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self { message: message.into(), place, help: None }
    }

    /// Adds the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same in one line, for a log and for the reason of a refusal.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let place = match &self.place {
            Place::Unset => String::new(),
            Place::Path(path) => format!(" ({path})"),
            Place::Variable(name) => format!(" (environment variable {name})"),
            Place::Option(name) => format!(" (option {name})"),
            Place::Spot(spot) => format!(" ({}:{}:{})", spot.file, spot.line, spot.column),
        };
        let help = self.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}{place}{help}", self.message)
    }

    /// Line and column, for sorting.
    #[must_use]
    pub(super) fn position(&self) -> (usize, usize) {
        match &self.place {
            Place::Spot(spot) => (spot.line, spot.column),
            _ => (usize::MAX, 0),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        let mut margin = 2;
        match &self.place {
            Place::Unset => {}
            Place::Path(path) => write!(f, "\n  --> {path}")?,
            Place::Variable(name) => write!(f, "\n  --> environment variable {name}")?,
            Place::Option(name) => write!(f, "\n  --> option {name}")?,
            Place::Spot(spot) => {
                let number = spot.line.to_string();
                margin = number.len() + 1;
                let (empty, carets) = (" ".repeat(margin), "^".repeat(spot.width));
                write!(f, "\n{}--> {}:{}:{}", " ".repeat(margin), spot.file, spot.line, spot.column)?;
                write!(f, "\n{empty} |\n{number} | {}", spot.excerpt)?;
                write!(f, "\n{empty} | {}{carets}", " ".repeat(spot.offset))?;
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n{} = help: {help}", " ".repeat(margin))?;
        }
        Ok(())
    }
}

/// A text and the name to show for it.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The file as the user named it.
    pub(super) name: String,
    /// Its text, without a byte order mark.
    pub(super) text: String,
}

/// Stands for a value that may be a secret.
const HIDDEN: &str = "(hidden)";

/// The widest excerpt of a line, in characters.
const WINDOW: usize = 110;

impl Source {
    /// The place of a byte range of the text.
    #[must_use]
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let start = floor_boundary(&self.text, span.start);
        let (before, after) = self.text.split_at(start);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = after.find('\n').map_or(self.text.len(), |at| start + at);
        let line = before.matches('\n').count() + 1;
        let raw = self.text.get(line_start..line_end).unwrap_or_default().trim_end_matches('\r');
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        let end = floor_boundary(&self.text, span.end.min(line_end));
        let width = self.text.get(start..end).unwrap_or_default().trim_end_matches('\r').chars().count().max(1);

        let private = self.is_private(line_start, raw);
        let shown = if private { hide_value(raw) } else { raw.to_owned() };
        let shown: Vec<char> = shown.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // Whatever of a hidden value is meant, the caret shows the word that stands for it.
        let hidden = shown.len().saturating_sub(HIDDEN.len());
        let (column_shown, width) =
            if private && column >= hidden { (hidden, HIDDEN.len()) } else { (column.min(shown.len()), width) };
        let from = column_shown.saturating_sub(WINDOW / 2);
        let excerpt: String = shown.iter().skip(from).take(WINDOW).collect();
        let offset = column_shown - from;
        let width = width.min(excerpt.chars().count().saturating_sub(offset)).max(1);
        Place::Spot(Box::new(Spot { file: self.name.clone(), line, column: column + 1, width, excerpt, offset }))
    }

    /// Whether the line may carry a secret: it belongs to a plugin's own table, or its key sounds like one.
    fn is_private(&self, line_start: usize, line: &str) -> bool {
        // An address may have a password before its host, and a key in its query; one that is none is just what is told.
        if line.contains('@') || line.contains('?') {
            return true;
        }
        let key = line.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
        if ["secret", "token", "password", "key"].iter().any(|word| key.contains(word)) || key.starts_with("plugins") {
            return true;
        }
        // Only a known section ends another: within a list over several lines, a line may look like a header.
        let before = self.text.get(..line_start).unwrap_or_default();
        let section = before.lines().rev().find_map(section_of);
        section == Some("plugins") && section_of(line).is_none() && !plugin_host_keys().any(|host| host == key)
    }
}

/// The known section that a line begins, if it begins one.
fn section_of(line: &str) -> Option<&'static str> {
    let name = line.trim_start().strip_prefix('[')?.split(['.', ']']).next()?.trim();
    sections().find(|section| *section == name)
}

fn hide_value(line: &str) -> String {
    match line.split_once('=') {
        Some((key, _)) => format!("{key}= {HIDDEN}"),
        None => HIDDEN.to_owned(),
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The known name that `word` most resembles, when it resembles one.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = word.chars().count().div_ceil(3).clamp(1, 3);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= allowed && *distance < name.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
