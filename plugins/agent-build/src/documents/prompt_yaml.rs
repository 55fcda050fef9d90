//! The prompt as YAML, in the form that clients of the original read. The agent itself reads the Markdown beside it.

use serde_json::{Value, json};

use crate::spec::AgentDesign;

/// The file's text. The runtime sets no temperature, so there is none to tell. All but the prompt is written as JSON, which is YAML, too.
pub(crate) fn prompt_yaml(design: &AgentDesign, version: &str, model_id: &str, date: &str, prompt: &str) -> String {
    let tools: Vec<&str> = design.tools.iter().map(|choice| choice.id.as_str()).collect();
    let production = json!({ "max_tokens": 4096, "temperature": null, "streaming": true });
    let metadata = json!({ "tags": [design.category], "supported_models": [model_id], "tools_dependencies": tools });
    let quoted = |text: &str| Value::from(text).to_string();
    let (name, description) = (quoted(&design.agent_name), quoted(&design.description));
    let (category, version, date) = (quoted(&design.category), quoted(version), quoted(date));
    // A block keeps its lines readable; its depth is said, since the first line may begin with spaces.
    let block: String =
        prompt.lines().map(|line| if line.is_empty() { "\n".into() } else { format!("        {line}\n") }).collect();
    format!(
        "agent:\n  name: {name}\n  description: {description}\n  category: {category}\n  environments:\n    \
         production: {production}\n  versions:\n    - version: {version}\n      status: stable\n      \
         created_date: {date}\n      author: nexusd\n      description: {description}\n      metadata: {metadata}\n      \
         system_prompt: |2\n{block}"
    )
}
