//! The sketch of a tool that has to be written: first its signature, then worked examples, each a question of its own to
//! the model. Both come before any code; figures among the examples are calculated by rules.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    ModelAuthor, arithmetic,
    ask::{Alias, Question, schema},
    context::Sections,
    wishes::{FunctionWish, one_line},
};
use crate::{
    author::{AuthorError, Brief},
    spec::{Language, Origin, SketchParameter, SketchResult, ToolSketch, ValueKind, WorkedExample, described},
};

const SIGNATURE_STEP: &str = "requirements_analysis/signature";
const EXAMPLES_STEP: &str = "requirements_analysis/examples";

const SIGNATURE: &str = r#"{
  "type": "object",
  "properties": {
    "purpose": {"type": "string", "minLength": 8, "maxLength": 200, "description": "What the function does, in one sentence."},
    "function_name": {"type": "string", "pattern": "^[a-z][a-z0-9_]{2,40}$", "description": "Name of the Python function: small letters and underscores, for example body_mass_index."},
    "display_name": {"type": "string", "minLength": 2, "maxLength": 40, "description": "What people call it, for example: Body mass index."},
    "parameters": {
      "type": "array", "minItems": 1, "maxItems": 6,
      "description": "What the user has to tell, one entry for each value.",
      "items": {
        "type": "object",
        "properties": {
          "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,30}$", "description": "Name of the parameter: small letters and underscores."},
          "kind": {"type": "string", "enum": ["number", "whole_number", "text", "yes_no", "list_of_numbers", "list_of_texts"]},
          "unit": {"type": "string", "maxLength": 12, "description": "The unit of a number, for example kg, or an empty text."},
          "meaning": {"type": "string", "minLength": 2, "maxLength": 120, "description": "What the value is."}
        },
        "required": ["name", "kind", "unit", "meaning"],
        "additionalProperties": false
      }
    },
    "result_kind": {"type": "string", "enum": ["number", "whole_number", "text", "yes_no", "list_of_numbers", "list_of_texts"], "description": "What kind of value the function gives back."},
    "result_unit": {"type": "string", "maxLength": 12, "description": "The unit of a number, or an empty text."},
    "result_meaning": {"type": "string", "minLength": 2, "maxLength": 80, "description": "What the result is, for example: body mass index."},
    "keywords": {
      "type": "array", "minItems": 1, "maxItems": 8,
      "description": "Words or short phrases that people use when they ask for it, in the language of the requirement.",
      "items": {"type": "string", "minLength": 2, "maxLength": 40}
    }
  },
  "required": ["purpose", "function_name", "display_name", "parameters", "result_kind", "result_unit", "result_meaning", "keywords"],
  "additionalProperties": false
}"#;

#[derive(Debug, Deserialize)]
struct Signature {
    purpose: String,
    function_name: String,
    display_name: String,
    parameters: Vec<SketchParameter>,
    result_kind: ValueKind,
    result_unit: String,
    result_meaning: String,
    keywords: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Examples {
    examples: Vec<Example>,
}

#[derive(Debug, Deserialize)]
struct Example {
    question: String,
    arguments: Map<String, Value>,
    #[serde(default)]
    calculation: String,
    #[serde(default)]
    result: Value,
}

/// Signature and examples of a function that serves a wish. `taken` are names that are in use.
pub(super) async fn sketch(
    author: &ModelAuthor,
    brief: &Brief,
    language: Language,
    wish: &FunctionWish,
    taken: &BTreeSet<String>,
) -> Result<ToolSketch, AuthorError> {
    let sections = Sections::default().with("Requirement", brief.requirement.clone());
    let values = || vec![("wish", one_line(&wish.text)), ("asks_for", one_line(&wish.asks_for))];
    let question = Question {
        step: SIGNATURE_STEP,
        alias: Alias::Smart,
        language,
        sections: sections.clone(),
        values: values(),
        schema: schema("tool_signature", SIGNATURE)?,
    };
    let signature: Signature = author.interviewer.ask(brief, &question, |told| signature_problems(told, taken)).await?;
    let mut sketch = ToolSketch {
        id: signature.function_name,
        name: one_line(&signature.display_name),
        summary: one_line(&signature.purpose),
        wish: wish.text.clone(),
        parameters: signature.parameters,
        result: SketchResult {
            kind: signature.result_kind,
            unit: signature.result_unit.trim().to_owned(),
            meaning: one_line(&signature.result_meaning),
        },
        keywords: signature.keywords.iter().map(|word| one_line(word).to_lowercase()).collect(),
        examples: Vec::new(),
        beside_vetted: false,
    };
    let mut values = values();
    values.push(("signature", sketch.signature()));
    values.push(("parameters", parameters(&sketch)));
    values.push(("result", described(&sketch.result.meaning, &sketch.result.unit)));
    let question = Question {
        step: EXAMPLES_STEP,
        alias: Alias::Smart,
        language,
        sections,
        values,
        schema: schema("worked_examples", &examples_schema(&sketch))?,
    };
    let told: Examples = author.interviewer.ask(brief, &question, |told| examples_problems(told, &sketch)).await?;
    let worked = |example: Example| worked(example, &sketch, &brief.requirement);
    sketch.examples = told.examples.into_iter().filter_map(worked).collect();
    Ok(sketch)
}

fn parameters(sketch: &ToolSketch) -> String {
    let of = |one: &SketchParameter| format!("- {}: {}", one.name, described(&one.meaning, &one.unit));
    sketch.parameters.iter().map(of).collect::<Vec<_>>().join("\n")
}

/// Words that Python keeps for itself, as far as anybody would call a value so.
const KEYWORDS: [&str; 21] = [
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "from", "global", "if",
    "import", "in", "is", "lambda", "not", "or", "pass", "with",
];

fn signature_problems(told: &Signature, taken: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    if taken.contains(&told.function_name) {
        problems
            .push(format!("/function_name: `{}` is the name of another tool: choose another one", told.function_name));
    }
    let mut seen = BTreeSet::new();
    for parameter in &told.parameters {
        if !seen.insert(parameter.name.as_str()) {
            problems.push(format!("/parameters: `{}` stands there twice", parameter.name));
        }
    }
    for name in told.parameters.iter().map(|one| one.name.as_str()).chain([told.function_name.as_str()]) {
        if KEYWORDS.contains(&name) {
            problems.push(format!("`{name}` is a word of Python's own: choose another name"));
        }
    }
    problems
}

/// The schema of the examples, by the signature: arguments by their names and kinds, and how the result is told.
fn examples_schema(sketch: &ToolSketch) -> String {
    let names: Vec<&str> = sketch.parameters.iter().map(|one| one.name.as_str()).collect();
    let described = |kind: ValueKind, text: &str| {
        let mut schema = kind.schema();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), text.into());
        }
        schema
    };
    let arguments = sketch.parameters.iter();
    let arguments: Vec<String> =
        arguments.map(|one| format!("{}: {}", json!(one.name), described(one.kind, &one.meaning))).collect();
    let (field, told) = if sketch.result.kind.is_number() {
        let text = "How the result is calculated from these numbers: plain arithmetic with numbers and + - * / ( ) only, for example 70 / (1.75 * 1.75).";
        (
            "calculation",
            json!({ "type": "string", "minLength": 1, "maxLength": 300,
            "pattern": "^[-0-9(][-0-9+*/%(). ]*$", "description": text }),
        )
    } else {
        ("result", described(sketch.result.kind, "What the function gives back for these arguments: exactly this."))
    };
    // Written by hand: models fill in fields in the order of the schema.
    format!(
        r#"{{"type": "object", "properties": {{"examples": {{"type": "array", "minItems": 2, "maxItems": 4, "items": {{"type": "object", "properties": {{"question": {{"type": "string", "minLength": 5, "maxLength": 300, "description": "What a user types, with every value in it."}}, "arguments": {{"type": "object", "properties": {{{}}}, "required": {}, "additionalProperties": false}}, "{field}": {told}}}, "required": ["question", "arguments", "{field}"], "additionalProperties": false}}}}}}, "required": ["examples"], "additionalProperties": false}}"#,
        arguments.join(", "),
        json!(names),
    )
}

fn examples_problems(told: &Examples, sketch: &ToolSketch) -> Vec<String> {
    let mut problems = Vec::new();
    for (at, example) in told.examples.iter().enumerate() {
        for parameter in &sketch.parameters {
            let Some(value) = example.arguments.get(&parameter.name) else { continue };
            if let Some(missing) = unsaid(&example.question, value) {
                problems.push(format!(
                    "/examples/{at}/question: the value {missing} of `{}` does not stand in the question \"{}\": write it there as it is in the arguments",
                    parameter.name,
                    one_line(&example.question)
                ));
            }
        }
        if sketch.result.kind.is_number()
            && let Err(problem) = arithmetic::calculate(&example.calculation)
        {
            problems.push(format!("/examples/{at}/calculation: \"{}\": {problem}", example.calculation));
        }
    }
    let same = |one: &Example, other: &Example| one.arguments == other.arguments;
    let pairs = told.examples.iter().enumerate();
    if pairs.clone().any(|(at, one)| told.examples.iter().skip(at + 1).any(|other| same(one, other))) {
        problems.push("/examples: two examples have the same arguments: each must have others".to_owned());
    }
    problems
}

/// The part of a value that a question does not say; `None` when it says all of it. Yes and no have no words of their own.
fn unsaid(question: &str, value: &Value) -> Option<String> {
    match value {
        Value::Bool(_) | Value::Null => None,
        Value::Array(all) => all.iter().find_map(|one| unsaid(question, one)),
        Value::Object(_) => Some(value.to_string()),
        Value::String(text) => {
            let said = text.trim().is_empty() || question.to_lowercase().contains(&text.trim().to_lowercase());
            (!said).then(|| format!("\"{text}\""))
        }
        Value::Number(number) => {
            let wanted = number.as_f64()?;
            let said = numbers(question).any(|one| (one - wanted).abs() <= 1e-9 * wanted.abs().max(1.0));
            (!said).then(|| number.to_string())
        }
    }
}

/// The numbers of a text, with points or commas.
fn numbers(text: &str) -> impl Iterator<Item = f64> {
    let parts = text.split(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '-')));
    parts.filter_map(|part| {
        let part = part.trim_matches(['.', ',']);
        let part = if part.starts_with('-') { part } else { part.trim_start_matches('-') };
        part.replace(',', "").parse().ok()
    })
}

fn worked(example: Example, sketch: &ToolSketch, requirement: &str) -> Option<WorkedExample> {
    let (result, calculated) = if sketch.result.kind.is_number() {
        let value = arithmetic::calculate(&example.calculation).ok()?;
        let number = if sketch.result.kind == ValueKind::WholeNumber { value.round() } else { value };
        (number_value(number)?, arithmetic::is_calculation(&example.calculation))
    } else {
        (example.result, false)
    };
    let said = |value: &Value| unsaid(requirement, value).is_none();
    let in_words = !matches!(result, Value::Bool(_) | Value::Null);
    let origin = if in_words && example.arguments.values().all(said) && said(&result) {
        Origin::Requirement
    } else if calculated {
        Origin::Calculated
    } else {
        Origin::Model
    };
    Some(WorkedExample { question: one_line(&example.question), arguments: example.arguments, result, origin })
}

/// A number as JSON writes it: whole where it is whole.
fn number_value(value: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
        return Some(Value::from(value as i64));
    }
    serde_json::Number::from_f64(value).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bmi() -> ToolSketch {
        let number = |name: &str, unit: &str| SketchParameter {
            name: name.into(),
            kind: ValueKind::Number,
            unit: unit.into(),
            meaning: name.into(),
        };
        ToolSketch {
            id: "body_mass_index".into(),
            name: "Body mass index".into(),
            summary: "Computes the body mass index.".into(),
            wish: "work out my BMI".into(),
            parameters: vec![number("weight", "kg"), number("height", "m")],
            result: SketchResult { kind: ValueKind::Number, unit: String::new(), meaning: "body mass index".into() },
            keywords: vec!["bmi".into()],
            examples: Vec::new(),
            beside_vetted: false,
        }
    }

    fn example(question: &str, calculation: &str) -> Example {
        let arguments = json!({ "weight": 70, "height": 1.75 });
        let arguments = arguments.as_object().unwrap().clone();
        Example { question: question.into(), arguments, calculation: calculation.into(), result: Value::Null }
    }

    #[test]
    fn the_schema_of_examples_is_one_and_keeps_its_order() {
        let text = examples_schema(&bmi());
        nexus_model::OutputSchema::parse("worked_examples", &text).unwrap();
        let at = |word: &str| text.find(word).unwrap();
        assert!(at("\"question\"") < at("\"weight\"") && at("\"weight\"") < at("\"height\""));
        let texts = ToolSketch { result: SketchResult { kind: ValueKind::ListOfTexts, ..bmi().result }, ..bmi() };
        assert!(examples_schema(&texts).contains(r#""items":{"type":"string"}"#));
    }

    #[test]
    fn rules_calculate_figures_and_say_where_they_come_from() {
        let good = example("BMI for 70 kg and 1.75 m?", "70 / (1.75 * 1.75)");
        let of = |requirement: &str| worked(example(&good.question, &good.calculation), &bmi(), requirement).unwrap();
        let one = of("work out my BMI");
        assert!((one.result.as_f64().unwrap() - 22.857_142_857).abs() < 1e-6);
        assert_eq!(one.origin, Origin::Calculated);
        let stated = worked(example("70 kg, 1.75 m", "22.86"), &bmi(), "BMI: 70 kg at 1.75 m is 22.86").unwrap();
        assert_eq!(stated.origin, Origin::Requirement);
        assert_eq!(worked(example("70 kg, 1.75 m", "22.86"), &bmi(), "BMI").unwrap().origin, Origin::Model);
    }

    #[test]
    fn a_question_without_its_values_is_told_so() {
        let told = Examples { examples: vec![example("BMI of a man of 70 kg?", "weight / 2")] };
        let problems = examples_problems(&told, &bmi());
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("1.75") && problems[1].contains("weight"), "{problems:?}");
        assert!(unsaid("sum of 1,200 and -3", &json!([1200, -3])).is_none());
    }
}
