//! Holds a tree against a shape and reports everything that does not fit, each with its place and a remedy.

use std::collections::BTreeSet;

use super::forms;
use super::problem::{Problem, Source, closest};
use super::schema::{Field, Form, Shape};
use super::tree::{Entry, Node, Origin, Table, Value};
use crate::domain::secret::shown_url;

/// Every misfit of `node` against `shape`.
#[must_use]
pub(super) fn check(node: &Node, shape: &'static Shape, source: &Source) -> Vec<Problem> {
    let mut checker = Checker { source, root: shape, problems: Vec::new() };
    checker.visit(node, shape, &mut Vec::new());
    checker.problems
}

struct Checker<'a> {
    source: &'a Source,
    root: &'static Shape,
    problems: Vec<Problem>,
}

type Path = Vec<String>;

impl Checker<'_> {
    fn visit(&mut self, node: &Node, shape: &Shape, path: &mut Path) {
        match (shape, &node.value) {
            (Shape::Bool, Value::Bool(_)) | (Shape::Free, Value::Table(_)) => {}
            (Shape::Integer(min, max, unit), Value::Integer(number)) => {
                if !(*min..=*max).contains(number) {
                    self.out_of_range(node, path, &number.to_string(), (*min, *max, unit));
                }
            }
            (Shape::Integer(min, max, unit), Value::Huge(text)) => {
                self.out_of_range(node, path, text, (*min, *max, unit));
            }
            (Shape::Dollars, Value::Integer(number)) if *number >= 0 => {}
            (Shape::Dollars, Value::Float(number)) if number.is_finite() && *number >= 0.0 => {}
            (Shape::Dollars, Value::Integer(_) | Value::Float(_) | Value::Huge(_)) => {
                self.report(&node.origin, format!("`{}` must be 0 or more", dotted(path)), None);
            }
            (Shape::Text(form), Value::Text(text)) => self.form(node, *form, text, path),
            (Shape::Path, Value::Text(text)) => self.form(node, forms::path, text, path),
            (Shape::Program, Value::Text(text)) => self.form(node, forms::program, text, path),
            (Shape::Choice(words), Value::Text(word)) => {
                if !words.contains(&word.as_str()) {
                    self.unknown_word(node, words, word, path);
                }
            }
            (Shape::Texts(form), Value::Array(items)) => self.list(items, *form, path),
            (Shape::Paths, Value::Array(items)) => self.list(items, forms::path, path),
            (Shape::Table(fields), Value::Table(table)) => self.table(node, fields, table, false, path),
            (Shape::Open(fields), Value::Table(table)) => self.table(node, fields, table, true, path),
            (Shape::Map(form, shape), Value::Table(table)) => {
                for (name, entry) in table {
                    path.push(name.clone());
                    if let Err(wrong) = form(name) {
                        let message = format!("the name in `{}` must be {}", dotted(path), wrong.must_be);
                        self.report(&entry.key, message, wrong.help);
                    }
                    self.visit(&entry.node, shape, path);
                    path.pop();
                }
            }
            (Shape::Tables(fields), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    path.push((index + 1).to_string());
                    match &item.value {
                        Value::Table(table) => self.table(item, fields, table, false, path),
                        _ => self.mistyped(item, &Shape::Table(fields), path),
                    }
                    path.pop();
                }
            }
            _ => self.mistyped(node, shape, path),
        }
    }

    fn table(&mut self, node: &Node, fields: &[Field], table: &Table, open: bool, path: &mut Path) {
        for (key, entry) in table {
            path.push(key.clone());
            match fields.iter().find(|field| field.key == key) {
                Some(field) => self.visit(&entry.node, &field.shape, path),
                None if open && matches!(entry.node.value, Value::Table(_)) => self.own_max_jobs(&entry.node, path),
                None => self.unknown_key(key, entry, fields, path),
            }
            path.pop();
        }
        for field in fields.iter().filter(|field| field.required && !table.contains_key(field.key)) {
            let whose = if path.is_empty() { "the file".to_owned() } else { format!("`{}`", dotted(path)) };
            self.report(&node.origin, format!("{whose} has no `{}`", field.key), None);
        }
    }

    /// The one key of a plugin's free table that belongs to the host.
    fn own_max_jobs(&mut self, plugin: &Node, path: &mut Path) {
        if let Some(jobs) = plugin.at(&["max_jobs"]) {
            path.push("max_jobs".to_owned());
            self.visit(jobs, &Shape::Integer(1, 10_000, ""), path);
            path.pop();
        }
    }

    fn list(&mut self, items: &[Node], form: Form, path: &mut Path) {
        for item in items {
            match &item.value {
                Value::Text(text) => self.form(item, form, text, path),
                other => {
                    let message = format!("`{}` must be a list of texts, but holds {}", dotted(path), other.kind());
                    self.report(&item.origin, message, None);
                }
            }
        }
    }

    fn form(&mut self, node: &Node, form: Form, text: &str, path: &Path) {
        if let Err(wrong) = form(text) {
            let message =
                format!("`{}` must be {}, but this is `{}`", dotted(path), wrong.must_be, shorten(&shown_url(text)));
            self.report(&node.origin, message, wrong.help);
        }
    }

    fn unknown_word(&mut self, node: &Node, words: &[&str], word: &str, path: &Path) {
        let listed: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        let message =
            format!("`{}` must be {}, but this is `{}`", dotted(path), listed.join(" or "), shorten(&shown_url(word)));
        let help = match (dotted(path).as_str(), word) {
            ("backend.kind", "aws") => {
                Some("this nexusd was built without the AWS backend (cargo feature `aws`)".to_owned())
            }
            _ => closest(word, words.iter().copied()).map(|close| format!("did you mean `{close}`?")),
        };
        self.report(&node.origin, message, help);
    }

    fn out_of_range(&mut self, node: &Node, path: &Path, written: &str, (min, max, unit): (i64, i64, &str)) {
        let (space, path) = (if unit.is_empty() { "" } else { " " }, dotted(path));
        let message = match path.as_str() {
            "version" => format!("`version` must be {max}, but this is {written}"),
            _ => format!("`{path}` must be from {min} to {max}{space}{unit}, but this is {}", shorten(written)),
        };
        let help = (path == "version").then(|| "this nexusd reads version 1 of the file format only".to_owned());
        self.report(&node.origin, message, help);
    }

    fn mistyped(&mut self, node: &Node, shape: &Shape, path: &Path) {
        let wanted = match shape {
            Shape::Bool => "true or false".to_owned(),
            Shape::Integer(_, _, "") => "a whole number".to_owned(),
            Shape::Integer(_, _, unit) => format!("a whole number of {unit}"),
            Shape::Dollars => "a number of US dollars".to_owned(),
            Shape::Text(_) | Shape::Choice(_) | Shape::Path | Shape::Program => "a text in quotes".to_owned(),
            Shape::Paths | Shape::Texts(_) => "a list of texts in brackets".to_owned(),
            Shape::Table(_) | Shape::Open(_) | Shape::Map(..) | Shape::Free => "a table".to_owned(),
            Shape::Tables(_) => format!("a list of tables, each begun by [[{}]]", dotted(path)),
        };
        let help = match (shape, &node.value) {
            (Shape::Bool | Shape::Integer(..) | Shape::Dollars, Value::Text(text)) => unquoted(shape, text),
            (Shape::Paths | Shape::Texts(_), Value::Text(_)) => Some("put it in brackets: [\"…\"]".to_owned()),
            _ => None,
        };
        let message = format!("`{}` must be {wanted}, but this is {}", dotted(path), node.value.kind());
        self.report(&node.origin, message, help);
    }

    fn unknown_key(&mut self, key: &str, entry: &Entry, fields: &[Field], path: &Path) {
        let parent = path.get(..path.len().saturating_sub(1)).unwrap_or_default().to_vec();
        let whose = match parent.as_slice() {
            [] => "at the top of the file".to_owned(),
            some => format!("in [{}]", dotted(some)),
        };
        let help = closest(key, fields.iter().map(|field| field.key))
            .map(|close| format!("did you mean `{close}`?"))
            .or_else(|| self.home_of(key).map(|home| format!("`{key}` belongs in [{home}]")))
            .or_else(|| {
                let known: BTreeSet<String> = fields.iter().map(|field| format!("`{}`", field.key)).collect();
                (!known.is_empty()).then(|| format!("known here: {}", known.into_iter().collect::<Vec<_>>().join(", ")))
            });
        self.report(&entry.key, format!("unknown key `{}` {whose}", shorten(key)), help);
    }

    /// The only section that has this key.
    fn home_of(&self, key: &str) -> Option<&'static str> {
        let Shape::Table(sections) = self.root else { return None };
        let mut homes = sections.iter().filter(|section| match section.shape {
            Shape::Table(fields) | Shape::Open(fields) => fields.iter().any(|field| field.key == key),
            _ => false,
        });
        let home = homes.next()?;
        homes.next().is_none().then_some(home.key)
    }

    fn report(&mut self, origin: &Origin, message: String, help: Option<String>) {
        self.problems.push(Problem { message, place: origin.place(self.source), help });
    }
}

/// What a quoted number should have been: without quotes, and without a unit behind it.
fn unquoted(shape: &Shape, text: &str) -> Option<String> {
    let number: String = text.trim().chars().take_while(char::is_ascii_digit).collect();
    match shape {
        Shape::Bool if matches!(text, "true" | "false") => Some(format!("write {text} without quotes")),
        Shape::Integer(..) | Shape::Dollars if number.is_empty() => None,
        Shape::Integer(..) | Shape::Dollars if number == text.trim() => Some(format!("write {number} without quotes")),
        Shape::Integer(_, _, unit) if !unit.is_empty() => {
            Some(format!("write the number of {unit} without quotes and unit"))
        }
        _ => None,
    }
}

/// `["server", "listen"]` → `server.listen`.
#[must_use]
pub(super) fn dotted(path: &[String]) -> String {
    path.join(".")
}

fn shorten(text: &str) -> String {
    let safe: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    crate::domain::text::shorten(&safe, 61)
}
