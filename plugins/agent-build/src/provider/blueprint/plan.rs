//! The orchestrator's plan.

use super::Known;
use crate::{
    provider::{
        ProviderError,
        answers::{PlannedStage, WorkflowPlan},
    },
    requirement::Requirement,
};

const STAGES: [(&str, &str, &str, &str, &str); 8] = [
    (
        "requirements_analysis",
        "Separate tasks from data, both as typed objects",
        "docs/02_requirements_analysis.md",
        "区分任务与数据，形成结构化结果",
        "需求文档",
    ),
    (
        "system_architecture",
        "Parts of the agent and the way of a question through them",
        "docs/03_system_architecture.md",
        "确定组成部分和处理流程",
        "架构文档与流程图",
    ),
    (
        "agent_design",
        "Name, tools with reasons, example questions, limits",
        "docs/04_agent_design.md",
        "确定名称、工具及理由、示例问题、局限",
        "设计文档",
    ),
    (
        "tools_developer",
        "Tool modules with unit tests",
        "agent/tools, agent/intents, agent/tests",
        "编写工具模块和单元测试",
        "工具与测试",
    ),
    (
        "prompt_engineer",
        "The system prompt for the day a model is configured",
        "agent/prompts",
        "编写接入模型时使用的系统提示词",
        "提示词文件",
    ),
    (
        "agent_code_developer",
        "Server, runtime, knowledge, manifest, README",
        "agent",
        "生成服务、运行时、知识、清单和说明",
        "完整的智能体文件夹",
    ),
    (
        "agent_developer_manager",
        "Compile everything, run the tests, start the agent and ask it",
        "workflow_summary_report.md",
        "编译、运行测试、启动并提问验证",
        "验证报告",
    ),
    (
        "agent_deployer",
        "The record that a deploy handler works from",
        "docs/09_agent_deployer.md",
        "生成部署描述",
        "部署文档",
    ),
];

pub(super) fn plan(known: &Known) -> Result<WorkflowPlan, ProviderError> {
    let requirement = Requirement::read(&known.requirement).map_err(|e| ProviderError::Unanswerable(e.to_string()))?;
    let language = requirement.language;
    let entries: usize = requirement.data.iter().map(crate::requirement::data::DataSet::len).sum();
    let summary = if requirement.data.is_empty() {
        format!(
            "{}{}",
            language.pick("An agent made from the requirement's ", "根据需求构建智能体，任务句数："),
            language
                .pick(&format!("{} task sentence(s).", requirement.tasks.len()), &requirement.tasks.len().to_string())
        )
    } else {
        language
            .pick(
                &format!("An agent made from {} task sentence(s) and {} data set(s) with {entries} entries that the requirement brings along.", requirement.tasks.len(), requirement.data.len()),
                &format!("根据 {} 句任务和需求自带的 {} 份数据（共 {entries} 条）构建智能体。", requirement.tasks.len(), requirement.data.len()),
            )
            .to_owned()
    };
    let stages = STAGES
        .iter()
        .map(|(stage, goal, deliverable, zh_goal, zh_deliverable)| PlannedStage {
            stage: (*stage).to_owned(),
            goal: language.pick(goal, zh_goal).to_owned(),
            deliverable: language.pick(deliverable, zh_deliverable).to_owned(),
        })
        .collect();
    let assumptions = [
        (
            "The agent runs offline, on Python 3.9 or later and its standard library.",
            "智能体离线运行，只需 Python 3.9 及其标准库。",
        ),
        (
            "It answers only from its tools and the given data; it says so when it cannot.",
            "只依靠工具和所给数据回答，不能回答时明确说明。",
        ),
        (
            "With a model named in its environment the same folder runs on Strands.",
            "在环境变量中指定模型后，同一文件夹可在 Strands 上运行。",
        ),
    ];
    Ok(WorkflowPlan {
        language,
        summary,
        stages,
        assumptions: assumptions.iter().map(|(en, zh)| language.pick(en, zh).to_owned()).collect(),
    })
}
