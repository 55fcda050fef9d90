//! A body for each operation that takes one: the page of the document shows it, and a test sends it.

use serde_json::{Value, json};

/// A workflow that every daemon with the shipped plugins takes.
const WORKFLOW: &str = "\
name = \"short_build\"
description = \"Only the first stage\"

[[stages]]
name = \"orchestrator\"
display_name = \"Orchestration\"
handler = \"agent-build/orchestrator\"
";

/// An example that succeeds.
pub(crate) fn of(operation: &str) -> Option<Value> {
    Some(match operation {
        "createProject" => json!({
            "requirement": "Build an agent that answers questions about this price list: apple 3 EUR, pear 4 EUR.",
            "project_name": "Price list", "priority": 3, "tags": ["prices"],
        }),
        "controlProject" => json!({ "action": "pause", "reason": "the requirement changes" }),
        "setProjectBudget" => json!({ "usd": 2.5, "tokens": 200_000 }),
        "pauseWorkflow" => json!({ "reason": "the requirement changes" }),
        "resumeWorkflow" | "restartWorkflow" => json!({ "from_stage": "" }),
        "stopWorkflow" | "logout" | "makeLoginLink" | "restoreConfig" | "reloadPlugins" => json!({}),
        "adoptAgent" => json!({
            "runtime_arn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/prices-1a2b3c4d5e", "agent_name": "prices",
        }),
        "deployAgent" => json!({ "deployment": { "type": "local" } }),
        "updateAgent" => json!({ "description": "Tells prices", "category": "sales" }),
        "setAgentBudget" => json!({ "usd_per_day": 0.5, "tokens_per_day": 100_000 }),
        "invokeAgent" => json!({ "input_text": "How much are 3 pears?" }),
        "putAgentCode" => json!({ "content": "def main():\n    print(\"hello\")\n", "file_type": "python" }),
        "putAgentPrompt" => json!({ "content": "# Price list\n\nAnswer in one sentence.\n", "file_type": "markdown" }),
        "putAgentTool" => json!({ "content": "def now() -> int:\n    return 1\n", "file_type": "python" }),
        "createSession" => json!({ "display_name": "Prices of fruit", "user_id": "ann" }),
        "createMessage" => json!({ "content": "How much are 3 pears?", "role": "user" }),
        "streamAnswer" => json!({ "content": "How much are 3 pears?" }),
        "streamRuntime" => json!({
            "runtime_arn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/prices-1a2b3c",
            "session_id": "sess-0b8f2f0e-8a52-4b3f-9c6e-1f2d3c4b5a69", "content": "How much are 3 pears?",
        }),
        "testTool" => json!({ "parameters": { "expression": "2 * (3 + 4)" } }),
        "updateMcpServer" => json!({ "disabled": true }),
        "putConfig" | "validateConfig" => json!({ "raw_content": WORKFLOW }),
        "loginByCode" => json!({ "code": "0123456789abcdefghijABCDEFGHIJ01" }),
        "createKey" => json!({ "name": "ci", "role": "editor", "expires_days": 90 }),
        "rotateKey" => json!({ "grace_hours": 24 }),
        "login" => json!({ "username": "ann", "password": "a password" }),
        _ => return None,
    })
}
