//! A stage's document as a structure, beside the text for people: an object whose only member says the stage. What
//! clients of the original show as boxes and lists is made from what the stages found out, and from nothing else.

use serde_json::{Value, json};

use crate::{
    spec::{AgentDesign, AgentFolder, Architecture, PromptRecord, Requirements, ToolRecord},
    verify::Verified,
};

fn each<T>(items: &[T], make: impl FnMut(&T) -> Value) -> Value {
    items.iter().map(make).collect()
}

fn choices(design: &AgentDesign) -> Value {
    each(&design.tools, |choice| json!(choice.id))
}

pub(crate) fn requirements(requirements: &Requirements) -> Value {
    let tasks = &requirements.reading.tasks;
    json!({ "requirements_document": {
        "feature_name": requirements.title,
        "functional_requirements": each(tasks, |task| {
            let title: String = task.text.chars().take(60).collect();
            json!({ "id": task.id, "title": title, "user_story": task.text, "dependencies": [] })
        }),
        "non_functional_requirements": { "quality": requirements.qualities, "acceptance": requirements.acceptance },
        "constraints": requirements.qualities,
        "scope": { "included": each(tasks, |task| json!(task.text)), "excluded": each(&requirements.not_served, |left| json!(left.text)) },
        "coverage": requirements.coverage,
        "not_served": requirements.not_served,
        "reading": requirements.reading,
    }})
}

pub(crate) fn architecture(project_name: &str, architecture: &Architecture, requirements: &Requirements) -> Value {
    let steps = architecture.flow.iter().zip(1..);
    let steps: Vec<Value> = steps.map(|(action, step)| json!({ "step": step, "action": action })).collect();
    json!({ "system_design": {
        "design_overview": { "project_name": project_name },
        "agents": each(&architecture.components, |part| json!({
            "name": part.name, "purpose": part.role, "responsibilities": [part.role], "dependencies": [part.place],
        })),
        "data_models": each(&requirements.data, |data| {
            json!({ "name": data.title(), "schema": data.kind(), "relationships": [] })
        }),
        "interaction_flows": [{ "name": "question", "description": architecture.overview, "steps": steps }],
    }})
}

pub(crate) fn design(project_name: &str, design: &AgentDesign, architecture: &Architecture) -> Value {
    json!({ "agent_design": {
        "design_overview": {
            "project_name": project_name,
            "key_design_decisions": each(&architecture.decisions, |made| {
                json!({ "decision": made.decision, "rationale": made.reason })
            }),
        },
        "agents": [{
            "name": design.agent_name, "purpose": design.description,
            "capabilities": { "core_functions": design.capabilities, "tools_required": choices(design) },
            "knowledge_domain": { "primary_domains": [design.category] },
        }],
    }})
}

pub(crate) fn tools(project_name: &str, tools: &[ToolRecord]) -> Value {
    json!({ "tool_development": {
        "development_overview": { "project_name": project_name },
        "tools": each(tools, |tool| {
            let about = &tool.about;
            json!({
                "id": about.id, "name": about.name, "description": about.summary, "category": about.category,
                "functions": each(&about.functions, |function| json!(function.name)), "code_path": tool.code_path, "proof": tool.proof,
            })
        }),
    }})
}

pub(crate) fn prompt(project_name: &str, prompt: &PromptRecord, design: &AgentDesign) -> Value {
    json!({ "prompt_engineering": {
        "design_overview": { "project_name": project_name },
        "agent_name": design.agent_name,
        "role": prompt.role, "rules": prompt.rules, "prompt_path": prompt.prompt_path,
    }})
}

pub(crate) fn agent_folder(project_name: &str, folder: &AgentFolder, design: &AgentDesign) -> Value {
    json!({ "agent_code_development": {
        "development_overview": { "project_name": project_name },
        "agent_implementation": {
            "agent_name": design.agent_name, "entry_point": folder.entry_point, "files": folder.files,
        },
        "core_functions": design.capabilities,
        "tool_integration": { "tools": choices(design) },
        "testing": { "test_scenarios": each(&design.examples, |example| {
            json!({ "name": example.question, "tool": example.tool, "expected": example.contains })
        })},
    }})
}

pub(crate) fn verification(project_name: &str, verified: &Verified, report_path: &str) -> Value {
    json!({ "agent_developer_manager": {
        "project_name": project_name,
        "verification_summary": {
            "verified": true, "python": verified.report.python, "report_path": report_path,
        },
        "quality_assessment": {
            "compiled_files": verified.report.compiled, "tests_run": verified.report.tests, "tests_failed": 0,
        },
        "functional_verification": {
            "start_ms": verified.start_ms, "ping": verified.ping, "question": verified.question,
            "answer": verified.answer, "acceptance": verified.exam.acceptance,
        },
    }})
}
