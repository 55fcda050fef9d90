//! How large records may be that come of what plugins say. One backend holds 400 KB in a record and 2 KB in a key, and
//! what it refuses at the end of a build would be refused as often as that is tried: so it is cut before, alike everywhere.

use serde_json::Value;

use super::{agent::NewAgent, text::shorten, tool::NewTool};

/// Characters of a name, a version or a kind.
const WORD: usize = 200;
/// Characters of a description.
const TEXT: usize = 4_000;
/// Phrases about what an agent can do, and characters of each.
const PHRASES: (usize, usize) = (100, 300);
/// Names in a list, and characters of each.
const NAMES: (usize, usize) = (512, 128);
/// Bytes of a document, and of a tool's source.
const DOCUMENT: usize = 64 * 1024;
const SOURCE: usize = 200 * 1024;

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        *text = shorten(text, most);
    }
}

fn cut_all(list: &mut Vec<String>, (count, most): (usize, usize)) {
    list.truncate(count);
    list.iter_mut().for_each(|text| cut(text, most));
}

/// Whether a document is too large for a record.
pub fn is_too_large(document: &Value) -> bool {
    document.to_string().len() > DOCUMENT
}

/// An agent as it fits.
pub fn agent(mut agent: NewAgent) -> NewAgent {
    for word in [&mut agent.agent_name, &mut agent.display_name, &mut agent.category, &mut agent.version] {
        cut(word, WORD);
    }
    cut(&mut agent.description, TEXT);
    cut_all(&mut agent.capabilities, PHRASES);
    cut_all(&mut agent.tools, NAMES);
    agent
}

/// A tool as it fits: a schema that is too large says nothing of the arguments any more, and a source is left to its file.
pub fn tool(mut tool: NewTool) -> NewTool {
    for word in [&mut tool.tool_name, &mut tool.display_name, &mut tool.category, &mut tool.version] {
        cut(word, WORD);
    }
    cut(&mut tool.description, TEXT);
    cut_all(&mut tool.dependencies, NAMES);
    if let Some(Value::Object(map)) = tool.schema.as_mut().filter(|schema| is_too_large(schema)) {
        map.retain(|key, value| key.starts_with("x-") && !is_too_large(value));
    }
    tool.code = tool.code.filter(|code| code.len() <= SOURCE);
    tool
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_a_plugin_says_fits_into_a_record() {
        let huge = "值".repeat(70_000);
        let made = tool(NewTool {
            tool_name: huge.clone(),
            display_name: huge.clone(),
            description: huge.clone(),
            category: huge.clone(),
            version: huge.clone(),
            code_path: None,
            schema: Some(json!({"type": "object", "x-entry": "run", "properties": {"a": {"description": huge}}})),
            dependencies: vec![huge.clone(); 600],
            code: Some(huge.clone()),
        });
        assert_eq!(made.schema, Some(json!({"x-entry": "run"})));
        assert!(made.category.len() < 1_000 && made.code.is_none());
        assert!(made.dependencies.iter().map(String::len).sum::<usize>() + made.description.len() < 300_000);
        let of = agent(NewAgent {
            agent_id: "agent_1".parse().unwrap(),
            agent_name: huge.clone(),
            display_name: huge.clone(),
            description: huge.clone(),
            category: huge.clone(),
            version: huge.clone(),
            deployment_type: "local".into(),
            capabilities: vec![huge.clone(); 600],
            assessment: Default::default(),
            tools: vec![huge; 600],
            prompt_path: None,
            code_path: None,
            agent_dir: "agent".into(),
            deployment_config: None,
            generated_tools: Vec::new(),
            files: Default::default(),
        });
        let sizes = of.capabilities.iter().chain(&of.tools).chain([&of.description, &of.agent_name]).map(String::len);
        assert!(sizes.sum::<usize>() < 350 * 1024);
        let small = tool(NewTool { tool_name: "a".into(), ..made });
        assert_eq!(small.tool_name, "a");
    }
}
