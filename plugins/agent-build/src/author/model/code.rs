//! Writes a tool: code until it does what its worked examples say, then tests. Every version is tried out in the sandbox,
//! and what came of it goes back to the model as it is. A model's own tests are one voice: the examples decide.

use std::fmt::Write as _;

use nexus_model::Message;
use serde::Deserialize;

use super::{
    ModelAuthor,
    ask::{Alias, Question, Told, schema},
    context::Sections,
    intent,
};
use crate::{
    author::{AuthorError, Brief},
    spec::{AgentDesign, Localized, Proof, SketchParameter, ToolSketch, WrittenTool, described},
    verify::{
        Check, Finding,
        tool::{Candidate, Tried},
    },
};

const CODE_STEP: &str = "tools_developer";
const TESTS_STEP: &str = "tools_developer/tests";
const REPAIR_STEP: &str = "agent_developer_manager";

const CODE: &str = r#"{
  "type": "object",
  "properties": {
    "how": {"type": "string", "minLength": 5, "maxLength": 400, "description": "In one or two sentences: how the result is computed."},
    "python_code": {"type": "string", "minLength": 40, "maxLength": 12000, "description": "The complete Python source text of the module: imports, then the function with exactly the given first line, a docstring with Args and Returns, and its body. No file name, no Markdown."}
  },
  "required": ["how", "python_code"],
  "additionalProperties": false
}"#;

const TESTS: &str = r#"{
  "type": "object",
  "properties": {
    "python_tests": {"type": "string", "minLength": 60, "maxLength": 12000, "description": "The complete Python source text of a unittest module with one class of test methods. It begins with import unittest. No file name, no Markdown."}
  },
  "required": ["python_tests"],
  "additionalProperties": false
}"#;

/// Fewer noticed mistakes than this share, and the tests are written once more.
const ENOUGH_NOTICED: f64 = 0.7;

#[derive(Debug, Deserialize)]
struct Code {
    #[serde(rename = "how")]
    _how: String,
    python_code: String,
}

#[derive(Debug, Deserialize)]
struct Tests {
    python_tests: String,
}

/// A tool that passed, or why there is none, with every attempt.
pub(super) enum Outcome {
    Written(Box<WrittenTool>),
    Failed { problem: String, attempts: String },
}

/// Writes one tool.
pub(super) async fn write(
    author: &ModelAuthor,
    brief: &Brief,
    design: &AgentDesign,
    sketch: &ToolSketch,
) -> Result<Outcome, AuthorError> {
    let mut attempts = String::new();
    let question = code_question(sketch, design)?;
    let has_function = |told: &Code| not_a_module(&told.python_code, "python_code", &format!("def {}(", sketch.id));
    let mut told: Told<Code> = match author.interviewer.begin(brief, &question, has_function).await {
        Ok(told) => told,
        Err(error) => return given_up(error, attempts),
    };
    let examples = intent::tests(sketch, "");
    let mut repairs = 0;
    let (code, tried) = loop {
        let code = intent::module(sketch, &unfenced(&told.object.python_code));
        let candidate = Candidate { id: &sketch.id, sketch: Some(sketch), code: &code, tests: &examples, mutate: true };
        let tried = author.try_out(&candidate).await?;
        if tried.findings.is_empty() {
            break (code, tried);
        }
        let problems = listed(&tried.findings);
        let _ = write!(attempts, "Attempt {}:\n{code}\n{problems}\n\n", repairs + 1);
        brief.context.warn(format!("tool {}: {}", sketch.id, first(&tried.findings)));
        if repairs >= u64::from(author.settings.tool_repairs) {
            return Ok(Outcome::Failed { problem: first(&tried.findings), attempts });
        }
        repairs += 1;
        told = match author.interviewer.go_on(brief, &question, told.conversation, &problems, has_function).await {
            Ok(told) => told,
            Err(error) => return given_up(error, attempts),
        };
    };
    let (tests, tried) = tests(author, brief, sketch, design, &code, (examples, tried)).await?;
    brief.context.info(format!(
        "tool {}: {} worked examples and {} tests passed, {} of {} small mistakes noticed, written {} time(s)",
        sketch.id,
        sketch.examples.len(),
        tried.tests,
        tried.noticed,
        tried.mutants,
        repairs + 1
    ));
    let example = sketch.examples.first().map(|one| one.question.clone()).unwrap_or_default();
    Ok(Outcome::Written(Box::new(WrittenTool {
        about: sketch.tool(design.language),
        example: Localized { en: example.clone(), zh: example },
        source: format!("{}: written", author.model_id),
        intent: intent::intent(sketch),
        code,
        tests,
        proof: Some(Proof {
            examples: u64::try_from(sketch.examples.len()).unwrap_or_default(),
            tests: tried.tests,
            mutants: tried.mutants,
            noticed: tried.noticed,
            repairs,
        }),
    })))
}

/// What the model itself makes unusable costs this tool only; what keeps it from answering costs the stage.
fn given_up(error: AuthorError, attempts: String) -> Result<Outcome, AuthorError> {
    match error {
        AuthorError::NotUsable { problem, answers, .. } => {
            Ok(Outcome::Failed { problem, attempts: format!("{attempts}{}", answers.join("\n\n")) })
        }
        other => Err(other),
    }
}

/// The model's own tests beside the examples, when they pass and notice more; else the examples alone.
async fn tests(
    author: &ModelAuthor,
    brief: &Brief,
    sketch: &ToolSketch,
    design: &AgentDesign,
    code: &str,
    (examples, by_examples): (String, Tried),
) -> Result<(String, Tried), AuthorError> {
    let question = Question {
        step: TESTS_STEP,
        alias: Alias::Smart,
        language: design.language,
        sections: Sections::default().with("Module", code.to_owned()),
        values: vec![("id", sketch.id.clone()), ("examples", examples_of(sketch))],
        schema: schema("unit_tests", TESTS)?,
    };
    let is_module = |told: &Tests| not_a_module(&told.python_tests, "python_tests", "class ");
    let mut told = author.interviewer.begin(brief, &question, is_module).await;
    let mut best = (examples, by_examples);
    for round in 0..2 {
        let Told { object, conversation } = match told {
            Ok(told) => told,
            // The tool is proven without them.
            Err(AuthorError::NotUsable { problem, .. }) => {
                brief
                    .context
                    .warn(format!("tool {}: its author wrote no tests that can be used: {problem}", sketch.id));
                break;
            }
            Err(error) => return Err(error),
        };
        let own = intent::own_tests(&unfenced(&object.python_tests));
        let tests = intent::tests(sketch, &own);
        let tried = author
            .try_out(&Candidate { id: &sketch.id, sketch: Some(sketch), code, tests: &tests, mutate: true })
            .await?;
        let problems = if tried.findings.is_empty() {
            let enough = share(&tried) >= ENOUGH_NOTICED;
            let survivors = unnoticed(&tried);
            best = (tests, tried);
            if enough {
                break;
            }
            survivors
        } else {
            brief.context.warn(format!("tool {}: a test of its author fails: {}", sketch.id, first(&tried.findings)));
            listed(&tried.findings)
        };
        if round == 1 {
            break;
        }
        told = author.interviewer.go_on(brief, &question, conversation, &problems, is_module).await;
    }
    Ok(best)
}

/// The code of a tool anew, after verification found something; `None` when it stays unusable.
pub(super) async fn mend(
    author: &ModelAuthor,
    brief: &Brief,
    id: &str,
    (code, tests): (&str, &str),
    findings: &[Finding],
) -> Result<Option<String>, AuthorError> {
    let question = Question {
        step: REPAIR_STEP,
        alias: Alias::Smart,
        language: crate::spec::Language::En,
        sections: Sections::default().with("Module", code.to_owned()).with("Tests", tests.to_owned()),
        values: vec![("id", id.to_owned()), ("problems", listed(findings))],
        schema: schema("python_module", CODE)?,
    };
    let has_function = |told: &Code| not_a_module(&told.python_code, "python_code", &format!("def {id}("));
    let mut told = author.interviewer.begin::<Code>(brief, &question, has_function).await;
    for round in 0..2 {
        let Told { object, conversation }: Told<Code> = match told {
            Ok(told) => told,
            Err(AuthorError::NotUsable { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let code = with_names(&unfenced(&object.python_code), id);
        let tried = author.try_out(&Candidate { id, sketch: None, code: &code, tests, mutate: false }).await?;
        if tried.findings.is_empty() {
            return Ok(Some(code));
        }
        if round == 1 {
            break;
        }
        let problems = listed(&tried.findings);
        told = author.interviewer.go_on(brief, &question, conversation, &problems, has_function).await;
    }
    Ok(None)
}

fn with_names(code: &str, id: &str) -> String {
    if code.lines().any(|line| line.starts_with("__all__")) {
        return format!("{}\n", code.trim_end());
    }
    format!("{}\n\n\n__all__ = [\"{id}\"]\n", code.trim_end())
}

fn code_question(sketch: &ToolSketch, design: &AgentDesign) -> Result<Question<'static>, AuthorError> {
    let parameter = |one: &SketchParameter| format!("- {}: {}", one.name, described(&one.meaning, &one.unit));
    Ok(Question {
        step: CODE_STEP,
        alias: Alias::Smart,
        language: design.language,
        sections: Sections::default(),
        values: vec![
            ("signature", sketch.signature()),
            ("purpose", sketch.summary.clone()),
            ("parameters", sketch.parameters.iter().map(parameter).collect::<Vec<_>>().join("\n")),
            ("result", described(&sketch.result.meaning, &sketch.result.unit)),
            ("examples", examples_of(sketch)),
        ],
        schema: schema("python_module", CODE)?,
    })
}

/// The worked examples as calls with their results.
fn examples_of(sketch: &ToolSketch) -> String {
    let mut out = String::new();
    for example in &sketch.examples {
        let arguments: Vec<String> = example.arguments.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(out, "- {}({}) == {}", sketch.id, arguments.join(", "), example.result);
    }
    out
}

/// Why a text is no such module; what Python itself says comes later.
fn not_a_module(code: &str, field: &str, holds: &str) -> Vec<String> {
    if unfenced(code).contains(holds) {
        return Vec::new();
    }
    vec![format!("/{field}: it must be the whole source text of the module, with `{holds}…` in it")]
}

/// Without the fence that some models put around code everywhere.
fn unfenced(code: &str) -> String {
    let text = code.trim();
    let Some(rest) = text.strip_prefix("```") else { return text.to_owned() };
    let body = rest.split_once('\n').map_or("", |(_, body)| body);
    body.rsplit_once("```").map_or(body, |(body, _)| body).trim_end().to_owned()
}

fn share(tried: &Tried) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let share = |part: u64, of: u64| if of == 0 { 1.0 } else { part as f64 / of as f64 };
    share(tried.noticed, tried.mutants)
}

fn unnoticed(tried: &Tried) -> String {
    let mut out =
        "All tests pass, but they pass too when the module has one of these mistakes. Add tests that notice them:"
            .to_owned();
    for survivor in &tried.survivors {
        let _ = write!(out, "\n- {survivor}");
    }
    out
}

fn first(findings: &[Finding]) -> String {
    findings.first().map(ToString::to_string).unwrap_or_default()
}

/// Everything that was found, as the model gets it.
fn listed(findings: &[Finding]) -> String {
    const MOST: usize = 5;
    let one = |finding: &Finding| {
        let output = finding.output.trim();
        let shown =
            if output.is_empty() || finding.got.contains(output) { String::new() } else { format!("\n{output}") };
        let hint = if finding.check == Check::Example { "" } else { finding.check.hint() };
        format!("- {finding}{}{hint}{shown}", if hint.is_empty() { "" } else { "; " })
    };
    findings.iter().take(MOST).map(one).collect::<Vec<_>>().join("\n")
}

/// The conversation with its beginning and its last answer alone: earlier attempts help nobody.
pub(super) fn abridged(mut conversation: Vec<Message>) -> Vec<Message> {
    if conversation.len() > 2 {
        let last = conversation.pop();
        conversation.truncate(1);
        conversation.extend(last);
    }
    conversation
}
