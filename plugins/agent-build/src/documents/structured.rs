//! A stage's document as a structure, beside the text for people: an object whose only member says the stage. What
//! clients of the original show as boxes and lists is made from what the stages found out, and from nothing else.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::stages::StageName;

/// What is known when a stage ends.
pub(crate) struct Known<'a> {
    /// The project's name.
    pub(crate) project_name: &'a str,
    /// What earlier stages found out, by their names.
    pub(crate) inputs: &'a BTreeMap<String, Value>,
    /// What this one found out.
    pub(crate) output: &'a Value,
}

static NOTHING: Value = Value::Null;

fn get<'v>(value: &'v Value, key: &str) -> &'v Value {
    value.get(key).unwrap_or(&NOTHING)
}

fn text(value: &Value, key: &str) -> String {
    get(value, key).as_str().unwrap_or_default().to_owned()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    get(value, key).as_array().map_or(&[], Vec::as_slice)
}

fn each(values: &[Value], make: impl FnMut(&Value) -> Value) -> Value {
    values.iter().map(make).collect()
}

impl Known<'_> {
    fn of(&self, stage: StageName) -> &Value {
        self.inputs.get(stage.as_str()).unwrap_or(&NOTHING)
    }

    fn overview(&self) -> Value {
        json!({ "project_name": self.project_name })
    }
}

/// The structure of a stage's document: an object whose one member is named by the stage.
pub(crate) fn structured(stage: StageName, known: &Known<'_>) -> Value {
    let (root, inner) = match stage {
        StageName::RequirementsAnalysis => ("requirements_document", requirements(known)),
        StageName::SystemArchitecture => ("system_design", system(known)),
        StageName::AgentDesign => ("agent_design", design(known)),
        StageName::PromptEngineer => ("prompt_engineering", prompt(known)),
        StageName::ToolsDeveloper => ("tool_development", tools(known)),
        StageName::AgentCodeDeveloper => ("agent_code_development", code(known)),
        StageName::AgentDeveloperManager => ("agent_developer_manager", manager(known)),
        // What they answer is what their text says.
        StageName::Orchestrator => ("orchestrator", told(known)),
        StageName::AgentDeployer => ("agent_deployer", told(known)),
    };
    json!({ root: inner })
}

fn told(known: &Known<'_>) -> Value {
    let mut all = known.overview();
    if let (Value::Object(all), Value::Object(output)) = (&mut all, known.output) {
        output.iter().for_each(|(name, value)| drop(all.insert(name.clone(), value.clone())));
    }
    all
}

fn requirements(known: &Known<'_>) -> Value {
    let spec = known.output;
    let task = |task: &Value| {
        let words = text(task, "text");
        let title: String = words.chars().take(60).collect();
        json!({ "id": text(task, "id"), "title": title, "user_story": words, "dependencies": [] })
    };
    let tasks = list(spec, "tasks");
    json!({
        "feature_name": text(spec, "title"),
        "functional_requirements": each(tasks, task),
        "non_functional_requirements": { "quality": get(spec, "qualities"), "acceptance": get(spec, "acceptance") },
        "constraints": get(spec, "qualities"),
        "scope": { "included": each(tasks, |task| text(task, "text").into()), "excluded": [] },
    })
}

fn system(known: &Known<'_>) -> Value {
    let (architecture, spec) = (known.output, known.of(StageName::RequirementsAnalysis));
    let component = |part: &Value| {
        json!({
            "name": text(part, "name"), "purpose": text(part, "role"), "responsibilities": [text(part, "role")],
            "dependencies": [text(part, "place")],
        })
    };
    let model = |data: &Value| {
        let named = ["title", "id", "name"].into_iter().find_map(|key| data.get(key)?.as_str());
        json!({ "name": named.unwrap_or("data"), "schema": get(data, "kind"), "relationships": [] })
    };
    let steps = list(architecture, "flow").iter().zip(1..);
    let steps: Vec<Value> = steps.map(|(action, step)| json!({ "step": step, "action": action })).collect();
    json!({
        "design_overview": known.overview(),
        "agents": each(list(architecture, "components"), component),
        "data_models": each(list(spec, "data"), model),
        "interaction_flows": [{ "name": "question", "description": text(architecture, "overview"), "steps": steps }],
    })
}

fn choices(design: &Value) -> Value {
    each(list(design, "tools"), |choice| text(choice, "id").into())
}

fn design(known: &Known<'_>) -> Value {
    let (design, architecture) = (known.output, known.of(StageName::SystemArchitecture));
    let decision = |made: &Value| json!({ "decision": text(made, "decision"), "rationale": text(made, "reason") });
    json!({
        "design_overview": {
            "project_name": known.project_name,
            "key_design_decisions": each(list(architecture, "decisions"), decision),
        },
        "agents": [{
            "name": text(design, "agent_name"), "purpose": text(design, "description"),
            "capabilities": { "core_functions": get(design, "capabilities"), "tools_required": choices(design) },
            "knowledge_domain": { "primary_domains": [text(design, "category")] },
        }],
    })
}

fn prompt(known: &Known<'_>) -> Value {
    let (prompt, design) = (known.output, known.of(StageName::AgentDesign));
    json!({
        "design_overview": known.overview(),
        "agent_name": text(design, "agent_name"),
        "role": text(prompt, "role"), "rules": get(prompt, "rules"), "prompt_path": text(prompt, "prompt_path"),
    })
}

fn tools(known: &Known<'_>) -> Value {
    let tool = |tool: &Value| {
        let functions = each(list(tool, "functions"), |function| text(function, "name").into());
        json!({
            "id": text(tool, "id"), "name": get(tool, "name"), "description": get(tool, "summary"),
            "category": text(tool, "category"), "functions": functions, "code_path": text(tool, "code_path"),
        })
    };
    json!({ "development_overview": known.overview(), "tools": each(list(known.output, "tools"), tool) })
}

fn code(known: &Known<'_>) -> Value {
    let (code, design) = (known.output, known.of(StageName::AgentDesign));
    let scenario = |example: &Value| json!({ "name": text(example, "question"), "tool": text(example, "tool"), "expected": text(example, "contains") });
    json!({
        "development_overview": known.overview(),
        "agent_implementation": {
            "agent_name": text(design, "agent_name"), "entry_point": text(code, "entry_point"),
            "files": get(code, "files"),
        },
        "core_functions": get(design, "capabilities"),
        "tool_integration": { "tools": choices(design) },
        "testing": { "test_scenarios": each(list(design, "examples"), scenario) },
    })
}

fn manager(known: &Known<'_>) -> Value {
    let checked = known.output;
    json!({
        "project_name": known.project_name,
        "verification_summary": {
            "verified": get(checked, "verified"), "python": get(checked, "python"), "report_path": get(checked, "report_path"),
        },
        "quality_assessment": {
            "compiled_files": get(checked, "compiled_files"), "tests_run": get(checked, "tests_run"),
            "tests_failed": get(checked, "tests_failed"),
        },
        "functional_verification": {
            "start_ms": get(checked, "start_ms"), "ping": get(checked, "ping"), "question": get(checked, "question"),
            "answer": get(checked, "answer"),
        },
    })
}
