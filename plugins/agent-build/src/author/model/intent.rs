//! The intent and the tests of a written tool, made by rules of its sketch: so the agent runs without a model too, and
//! its examples are asked whoever wrote the code.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::{
    spec::{ToolSketch, ValueKind, WorkedExample},
    verify::tool::tolerance,
};

/// Content of `intents/<id>.py`.
pub(super) fn intent(sketch: &ToolSketch) -> String {
    let texts = [ValueKind::Text, ValueKind::ListOfTexts];
    let reads_text = sketch.parameters.iter().any(|one| texts.contains(&one.kind));
    let mut out = format!(
        "\"\"\"When a question asks for {}; made of its worked examples.\"\"\"\nfrom __future__ import annotations\n\nfrom runtime.written import WrittenIntent\n\nDOES = True\nREADS_TEXT = {}\n\n_INTENT = WrittenIntent(\n    {},\n    [\n",
        plain(&sketch.name),
        python(&Value::Bool(reads_text)),
        text(&sketch.id),
    );
    for parameter in &sketch.parameters {
        let _ = writeln!(
            out,
            "        {{\"name\": {}, \"kind\": {}, \"unit\": {}, \"meaning\": {}}},",
            text(&parameter.name),
            text(parameter.kind.word()),
            text(&parameter.unit),
            text(&parameter.meaning)
        );
    }
    let _ = writeln!(
        out,
        "    ],\n    {{\"meaning\": {}, \"unit\": {}}},",
        text(&sketch.result.meaning),
        text(&sketch.result.unit)
    );
    let keywords: Vec<String> = sketch.keywords.iter().map(|word| text(word)).collect();
    let _ = writeln!(out, "    [{}],\n    [", keywords.join(", "));
    for example in &sketch.examples {
        let _ = writeln!(out, "        ({}, {}),", text(&example.question), object(&example.arguments));
    }
    out.push_str("    ],\n)\npropose = _INTENT.propose\nsay = _INTENT.say\n");
    out
}

/// Content of `tests/test_<id>.py`: the worked examples, then the author's own tests.
pub(super) fn tests(sketch: &ToolSketch, own: &str) -> String {
    let id = &sketch.id;
    let mut out = format!(
        "\"\"\"Tests of tools/{id}.py: its worked examples, and what its author thought of.\"\"\"\nimport unittest\n\nfrom tools.{id} import {id}\n\n\nclass WorkedExamplesTest(unittest.TestCase):\n"
    );
    for (number, example) in sketch.examples.iter().enumerate() {
        let _ = write!(out, "    def test_example_{}(self):\n{}\n", number + 1, assertion(id, example));
    }
    if !own.trim().is_empty() {
        let _ = write!(out, "\n{}\n", own.trim());
    }
    out
}

fn assertion(id: &str, example: &WorkedExample) -> String {
    let (arguments, expected) = (object(&example.arguments), python(&example.result));
    let call = format!("{id}(**{arguments})");
    match &example.result {
        Value::Number(_) => {
            format!("        self.assertAlmostEqual({call}, {expected}, delta={:e})\n", tolerance(&example.result))
        }
        Value::String(_) => format!("        self.assertEqual({call}.strip(), {expected}.strip())\n"),
        Value::Array(all) if all.iter().all(Value::is_number) => format!(
            "        got = {call}\n        self.assertEqual(len(got), {})\n        for one, other in zip(got, {expected}):\n            self.assertAlmostEqual(one, other, delta={:e})\n",
            all.len(),
            tolerance(&example.result)
        ),
        Value::Array(_) => format!("        self.assertEqual(list({call}), {expected})\n"),
        _ => format!("        self.assertIs({call}, {expected})\n"),
    }
}

/// The module as it goes into the agent: with the one name that it offers.
pub(super) fn module(sketch: &ToolSketch, code: &str) -> String {
    let mut lines: Vec<&str> = code.trim().lines().filter(|line| !line.starts_with("__all__")).collect();
    while lines.last().is_some_and(|line| line.trim().is_empty()) {
        lines.pop();
    }
    format!("{}\n\n\n__all__ = [{}]\n", lines.join("\n"), text(&sketch.id))
}

/// A model's test module as a part of another one: what may stand only once goes.
pub(super) fn own_tests(tests: &str) -> String {
    let mut kept = Vec::new();
    for line in tests.trim().lines() {
        if line.starts_with("if __name__") {
            break;
        }
        if !line.starts_with("from __future__") {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// A value of JSON as Python writes it. Texts of JSON are texts of Python.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Array(all) => format!("[{}]", all.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Object(all) => object(all),
        other => other.to_string(),
    }
}

fn object(all: &Map<String, Value>) -> String {
    let entries: Vec<String> = all.iter().map(|(name, value)| format!("{}: {}", text(name), python(value))).collect();
    format!("{{{}}}", entries.join(", "))
}

fn text(text: &str) -> String {
    Value::from(text).to_string()
}

/// Words for a docstring, which they must not end.
fn plain(text: &str) -> String {
    text.chars().filter(|sign| !matches!(sign, '"' | '\\' | '\n')).collect()
}
