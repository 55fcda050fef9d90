//! The nine stages from a requirement to an agent, which the original named.

/// In their order.
pub const STAGES: [&str; 9] = [
    "orchestrator",
    "requirements_analysis",
    "system_architecture",
    "agent_design",
    "tools_developer",
    "prompt_engineer",
    "agent_code_developer",
    "agent_developer_manager",
    "agent_deployer",
];
