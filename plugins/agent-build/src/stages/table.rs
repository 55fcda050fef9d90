//! The stages in one table. A stage is added here, with its function in a file beside this one.

use std::pin::Pin;

use nexus_plugin_api::payload::StageResult;

use super::{
    Job, StageError, agent_folder, architecture, deployer, design, plan, prompt, requirements, tools, verification,
};
use crate::spec::{
    AgentDesign, AgentFolder, Architecture, Plan, PromptRecord, Requirements, StageOutline, StageOutput as _,
    ToolRecords,
};

type Run = Pin<Box<dyn Future<Output = Result<StageResult, StageError>> + Send>>;

/// A stage of a build.
#[derive(Debug)]
pub struct Stage {
    /// The handler's name, which is also the stage's in the shipped workflow.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// What the plan says of its goal, in English and in Chinese. The plan does not speak of its own stage.
    goal: [&'static str; 2],
    /// What the plan says it leaves behind.
    deliverable: [&'static str; 2],
    /// The method of `Author` that it calls.
    pub asks: Option<&'static str>,
    /// The stages whose output it reads. It cannot read another's.
    pub reads: &'static [&'static str],
    /// The places that it writes to, beside its document. A folder with `/` at its end is the stage's own: an attempt
    /// removes the files that an earlier one left there.
    pub writes: &'static [&'static str],
    pub(super) run: fn(Job) -> Run,
}

impl Stage {
    /// What the plan says of the stages that follow it.
    pub(super) fn outlines() -> Vec<StageOutline> {
        let planned = STAGES.iter().filter(|stage| stage.name != Plan::STAGE);
        planned
            .map(|stage| StageOutline { stage: stage.name, goal: stage.goal, deliverable: stage.deliverable })
            .collect()
    }
}

/// The stages of the workflow `agent_build`, in its order.
pub static STAGES: [Stage; 9] = [
    Stage {
        name: Plan::STAGE,
        summary: "Plans the build of an agent",
        goal: ["The plan of the build", "制定构建计划"],
        deliverable: ["docs/01_orchestrator.md", "构建计划"],
        asks: Some("plan"),
        reads: &[],
        writes: &[],
        run: |job| Box::pin(plan::run(job)),
    },
    Stage {
        name: Requirements::STAGE,
        summary: "Takes tasks and data out of the requirement",
        goal: ["Separate tasks from data, both as typed objects", "区分任务与数据，形成结构化结果"],
        deliverable: ["docs/02_requirements_analysis.md", "需求文档"],
        asks: Some("analyse"),
        reads: &[],
        writes: &["acceptance/"],
        run: |job| Box::pin(requirements::run(job)),
    },
    Stage {
        name: Architecture::STAGE,
        summary: "Draws the architecture of the agent",
        goal: ["Parts of the agent and the way of a question through them", "确定组成部分和处理流程"],
        deliverable: ["docs/03_system_architecture.md", "架构文档与流程图"],
        asks: Some("draw_architecture"),
        reads: &[Requirements::STAGE],
        writes: &[],
        run: |job| Box::pin(architecture::run(job)),
    },
    Stage {
        name: AgentDesign::STAGE,
        summary: "Chooses the agent's tools, name and example questions",
        goal: ["Name, tools with reasons, example questions, limits", "确定名称、工具及理由、示例问题、局限"],
        deliverable: ["docs/04_agent_design.md", "设计文档"],
        asks: Some("design"),
        reads: &[Requirements::STAGE, Architecture::STAGE],
        writes: &[],
        run: |job| Box::pin(design::run(job)),
    },
    Stage {
        name: ToolRecords::STAGE,
        summary: "Writes the tools with their unit tests",
        goal: ["Tool modules with unit tests", "编写工具模块和单元测试"],
        deliverable: ["agent/tools, agent/intents, agent/tests", "工具与测试"],
        asks: Some("write_tools"),
        reads: &[AgentDesign::STAGE],
        writes: &["agent/tools/", "agent/intents/", "agent/tests/"],
        run: |job| Box::pin(tools::run(job)),
    },
    Stage {
        name: PromptRecord::STAGE,
        summary: "Writes the system prompt",
        goal: ["The system prompt for when a model answers", "编写由模型回答时使用的系统提示词"],
        deliverable: ["agent/prompts", "提示词文件"],
        asks: Some("write_prompt"),
        reads: &[Requirements::STAGE, AgentDesign::STAGE, ToolRecords::STAGE],
        writes: &["agent/prompts/"],
        run: |job| Box::pin(prompt::run(job)),
    },
    Stage {
        name: AgentFolder::STAGE,
        summary: "Puts the agent's folder together",
        goal: ["Server, runtime, knowledge, manifest, README", "生成服务、运行时、知识、清单和说明"],
        deliverable: ["agent", "完整的智能体文件夹"],
        asks: Some("introduce"),
        reads: &[Requirements::STAGE, AgentDesign::STAGE, ToolRecords::STAGE, PromptRecord::STAGE],
        writes: &["agent", "agent/runtime/", "agent/knowledge/"],
        run: |job| Box::pin(agent_folder::run(job)),
    },
    Stage {
        name: "agent_developer_manager",
        summary: "Compiles, tests, starts and asks the agent",
        goal: [
            "Compile everything, run the tests, start the agent and ask it what the requirement wants",
            "编译、运行测试、启动并按需求提问验收",
        ],
        deliverable: ["workflow_summary_report.md", "验证报告"],
        asks: Some("repair"),
        reads: &[Requirements::STAGE, AgentDesign::STAGE, ToolRecords::STAGE, PromptRecord::STAGE, AgentFolder::STAGE],
        writes: &["workflow_summary_report.md", "agent/manifest.json", "agent/README.md"],
        run: |job| Box::pin(verification::run(job)),
    },
    Stage {
        name: "agent_deployer",
        summary: "Describes the agent for a deploy handler",
        goal: ["The record that a deploy handler works from", "生成部署描述"],
        deliverable: ["docs/09_agent_deployer.md", "部署文档"],
        asks: None,
        reads: &[AgentDesign::STAGE, ToolRecords::STAGE, PromptRecord::STAGE, AgentFolder::STAGE],
        writes: &[],
        run: |job| Box::pin(deployer::run(job)),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_reads_from_earlier_ones_and_asks_what_an_author_answers() {
        let seam = include_str!("../author/mod.rs");
        for (number, stage) in STAGES.iter().enumerate() {
            let earlier = |name: &&str| STAGES[..number].iter().any(|before| before.name == *name);
            assert!(stage.reads.iter().all(earlier) && !earlier(&stage.name), "{}", stage.name);
            assert!(stage.asks.is_none_or(|method| seam.contains(&format!("async fn {method}("))), "{}", stage.name);
            let prompt = format!("{}/system.md", stage.name);
            let asked = stage.asks.is_none() || crate::embedded::PROMPTS.iter().any(|(path, _)| *path == prompt);
            assert!(asked, "{prompt}");
        }
    }
}
