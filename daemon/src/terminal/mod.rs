//! What is printed for people.

mod screen;

use crate::config::Problem;

pub use screen::{PluginLine, Screen, WorkflowLine};

/// A line on standard output. A closed pipe (`nexusd … | head`) is the reader's choice and no error.
pub fn print(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line on standard error.
pub fn complain(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// All problems, and how many there are.
pub fn complain_about(problems: &[Problem]) {
    for problem in problems {
        complain(&format!("error: {problem}"));
    }
    complain(&match problems.len() {
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    });
}
