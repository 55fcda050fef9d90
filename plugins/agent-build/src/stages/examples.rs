//! An agent never ends of its own examples: those that it answers otherwise are taken out of its folder, with a warning.

use serde_json::Value;

use super::Job;
use crate::{spec::AgentDesign, verify::DroppedExample};

pub(super) fn warn(job: &Job, dropped: &[DroppedExample]) {
    for example in dropped {
        let DroppedExample { question, tool, got } = example;
        job.cx.warn(format!("example dropped: “{question}” is for {tool}, but {got} answered"));
    }
}

fn is_dropped(question: &str, dropped: &[DroppedExample]) -> bool {
    dropped.iter().any(|example| example.question == question)
}

pub(super) fn drop_from_design(design: &mut AgentDesign, dropped: &[DroppedExample]) {
    design.examples.retain(|example| !is_dropped(&example.question, dropped));
}

/// The manifest without them, also where a tool shows one.
pub(super) fn drop_from_manifest(manifest: &mut Value, dropped: &[DroppedExample]) {
    let named = |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|text| is_dropped(text, dropped));
    if let Some(examples) = manifest.get_mut("examples").and_then(Value::as_array_mut) {
        examples.retain(|example| !named(example.get("question")));
    }
    for tool in manifest.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        for text in
            tool.get_mut("example").and_then(Value::as_object_mut).into_iter().flat_map(|texts| texts.values_mut())
        {
            if named(Some(text)) {
                *text = Value::from("");
            }
        }
    }
}

pub(super) fn drop_from_readme(readme: &str, dropped: &[DroppedExample]) -> String {
    let kept = readme.lines().filter(|line| !line.strip_prefix("- ").is_some_and(|line| is_dropped(line, dropped)));
    kept.map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dropped_examples_are_nowhere_shown() {
        let dropped = [DroppedExample { question: "a?".into(), tool: "x".into(), got: "y".into() }];
        let mut manifest = json!({
            "examples": [{"question": "a?"}, {"question": "b?"}],
            "tools": [{"example": {"en": "a?", "zh": "b?"}}],
        });
        drop_from_manifest(&mut manifest, &dropped);
        assert_eq!(manifest, json!({"examples": [{"question": "b?"}], "tools": [{"example": {"en": "", "zh": "b?"}}]}));
        assert_eq!(drop_from_readme("x\n- a?\n- b?\n", &dropped), "x\n- b?\n");
    }
}
