//! Documents of the stages that make the agent.

use nexus_plugin_api::payload::AgentManifest;
use serde_json::Value;

use super::{Doc, quoted};
use crate::spec::{
    AgentDesign, AgentFolder, Architecture, DataSet, Language, Plan, PriceItem, Requirements, ToolRecord,
};

const SAMPLE: usize = 20;

pub(crate) fn plan(plan: &Plan, model_id: &str) -> String {
    let mut doc = Doc::new(plan.language, "Build plan", "构建计划");
    doc.line(format!("\n{}\n", plan.summary));
    doc.line(plan.language.pick(&format!("Content comes from `{model_id}`."), &format!("内容由 `{model_id}` 生成。")));
    doc.heading("Stages", "阶段");
    let header =
        if plan.language == Language::Zh { ["阶段", "目标", "产出"] } else { ["Stage", "Goal", "Deliverable"] };
    doc.table(
        &header,
        plan.stages.iter().map(|s| vec![format!("`{}`", s.stage), s.goal.clone(), s.deliverable.clone()]),
    );
    doc.heading("Assumptions", "假设");
    doc.bullets(&plan.assumptions);
    doc.text
}

pub(crate) fn requirements(spec: &Requirements) -> String {
    let mut doc = Doc::new(spec.language, "Requirements", "需求分析");
    doc.line(format!("\n**{}**\n\n{}", super::cell_text(&spec.title), quoted(&spec.summary)));
    doc.heading("Tasks", "任务");
    tasks(&mut doc, spec);
    if !spec.data.is_empty() {
        doc.heading("Data found in the requirement", "需求中的数据");
        for data in &spec.data {
            doc.line(format!("### {} ({}, {})\n", super::cell_text(data.title()), data.kind(), data.len()));
            sample(&mut doc, data);
            doc.line("");
        }
    }
    doc.heading("Qualities", "质量要求");
    doc.bullets(&spec.qualities);
    doc.heading("Acceptance", "验收标准");
    doc.bullets(&spec.acceptance);
    doc.text
}

/// Every task with what serves its clauses, and what was not understood.
fn tasks(doc: &mut Doc, spec: &Requirements) {
    let say = |en, zh| spec.language.pick(en, zh);
    for task in &spec.reading.tasks {
        doc.line(format!("- **{}** {}", task.id, super::cell_text(&task.text)));
        for clause in &task.clauses {
            let text = super::cell_text(&clause.text);
            if let Some(limit) = &clause.not_served {
                doc.line(format!("  - {} “{text}”: {}", say("Not served:", "不提供："), limit.reason));
            } else if !clause.served_by.is_empty() {
                doc.line(format!(
                    "  - “{text}” → {}",
                    clause.served_by.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
                ));
            }
        }
    }
    if !spec.reading.not_understood.is_empty() {
        doc.heading("Not understood", "未能理解");
        doc.bullets(
            spec.reading
                .not_understood
                .iter()
                .map(|part| format!("“{}”: {}", super::cell_text(&part.text), part.reason)),
        );
    }
}

fn sample(doc: &mut Doc, data: &DataSet) {
    match data {
        DataSet::Prices { items, rules, .. } => {
            let price = |i: &PriceItem| {
                let to = if i.to.is_empty() { String::new() } else { format!("–{}", i.to) };
                format!("{}{to} {}", i.amount, i.currency)
            };
            doc.table(
                &["item", "price", "per", "note"],
                items.iter().take(SAMPLE).map(|i| vec![i.name.clone(), price(i), i.per.clone(), i.note.clone()]),
            );
            doc.bullets(rules.iter().map(|rule| super::cell_text(&rule.text)));
        }
        DataSet::Hours { hours, closed, .. } => {
            let open =
                hours.iter().map(|h| vec![h.subject.clone(), day_names(&h.days), format!("{}–{}", h.from, h.to)]);
            doc.table(
                &["what", "days", "open"],
                open.chain(closed.iter().map(|c| vec![c.subject.clone(), day_names(&c.days), "–".into()])),
            );
        }
        DataSet::Table { columns, rows, .. } => {
            let header: Vec<String> = columns.iter().map(|c| super::cell_text(&c.name)).collect();
            let cell = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            doc.table(
                &header.iter().map(String::as_str).collect::<Vec<_>>(),
                rows.iter().take(SAMPLE).map(|row| row.iter().map(cell).collect()),
            );
        }
        DataSet::Faq { pairs, .. } => doc.bullets(
            pairs
                .iter()
                .take(SAMPLE)
                .map(|p| format!("**{}** {}", super::cell_text(&p.question), super::cell_text(&p.answer))),
        ),
        DataSet::Notes { passages, .. } => doc.bullets(passages.iter().take(SAMPLE).map(|p| super::cell_text(p))),
        DataSet::Categories { categories, .. } => doc.bullets(
            categories
                .iter()
                .take(SAMPLE)
                .map(|c| format!("**{}**: {}", super::cell_text(&c.name), super::cell_text(&c.words.join(", ")))),
        ),
        DataSet::Rates { rates, .. } => {
            doc.bullets(rates.iter().take(SAMPLE).map(|r| format!("1 {} = {} {}", r.from, r.rate, r.to)))
        }
    }
    if data.len() > SAMPLE {
        doc.line(format!("\n… {} more", data.len() - SAMPLE));
    }
}

fn day_names(days: &[u8]) -> String {
    let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    days.iter().filter_map(|day| names.get(usize::from(day.saturating_sub(1)))).copied().collect::<Vec<_>>().join(", ")
}

pub(crate) fn architecture(architecture: &Architecture, language: Language) -> String {
    let mut doc = Doc::new(language, "Architecture", "系统架构");
    doc.line(format!("\n{}", architecture.overview));
    doc.heading("Diagram", "架构图");
    doc.line(format!("```mermaid\n{}\n```", architecture.mermaid));
    doc.heading("Components", "组成");
    let header = if language == Language::Zh { ["组件", "作用", "位置"] } else { ["Component", "Role", "Place"] };
    doc.table(&header, architecture.components.iter().map(|c| vec![c.name.clone(), c.role.clone(), c.place.clone()]));
    doc.heading("The way of a question", "处理流程");
    for (number, step) in architecture.flow.iter().enumerate() {
        doc.line(format!("{}. {step}", number + 1));
    }
    doc.heading("Decisions", "设计决定");
    doc.bullets(architecture.decisions.iter().map(|d| format!("{}: {}", d.decision, d.reason)));
    doc.text
}

pub(crate) fn design(design: &AgentDesign) -> String {
    let mut doc = Doc::new(design.language, "Agent design", "Agent 设计");
    doc.line(format!(
        "\n`{}` — {}\n\n{}",
        design.agent_name,
        super::cell_text(&design.display_name),
        design.description
    ));
    doc.heading("Tools and why", "工具及选择理由");
    if design.general {
        doc.line(design.language.pick(
            "The requirement names nothing the catalogue knows; a general set was taken.\n",
            "需求没有提到目录认识的能力，采用通用工具集。\n",
        ));
    }
    let header = if design.language == Language::Zh {
        ["工具", "对应的需求", "数据"]
    } else {
        ["Tool", "Asked for by", "Data"]
    };
    doc.table(
        &header,
        design
            .tools
            .iter()
            .map(|c| vec![format!("`{}`", c.id), c.matched.join("; "), c.data.clone().unwrap_or_default()]),
    );
    doc.heading("Example questions", "示例问题");
    doc.bullets(design.examples.iter().map(|e| format!("{} → `{}`", super::cell_text(&e.question), e.tool)));
    if !design.not_served.is_empty() {
        doc.heading("Not served", "未覆盖的需求");
        doc.bullets(design.not_served.iter().map(|u| format!("{}: {}", super::cell_text(&u.text), u.reason)));
    }
    doc.text
}

pub(crate) fn tools(tools: &[ToolRecord], language: Language) -> String {
    let mut doc = Doc::new(language, "Tools", "工具开发");
    for tool in tools {
        let about = &tool.about;
        doc.line(format!("\n## {} (`{}`)\n\n{}\n", about.name.of(language), about.id, about.summary.of(language)));
        for function in &about.functions {
            let parameters: Vec<String> = function
                .parameters
                .iter()
                .map(|p| format!("{}: {}{}", p.name, p.kind, if p.required { "" } else { " (optional)" }))
                .collect();
            doc.line(format!("- `{}({})`: {}", function.name, parameters.join(", "), function.summary));
        }
        doc.line(format!(
            "\n`{}`, `agent/intents/{}.py`, `agent/tests/test_{}.py`; {}",
            tool.code_path, about.id, about.id, tool.source
        ));
        if let Some(proof) = &tool.proof {
            doc.line(language.pick(
                &format!(
                    "\nWritten for this agent and proven: {} worked examples and {} tests pass; its tests notice {} of {} small mistakes put into it; its code was repaired {} time(s).",
                    proof.examples, proof.tests, proof.noticed, proof.mutants, proof.repairs
                ),
                &format!(
                    "\n为此智能体编写并经过验证：通过 {} 个示例和 {} 个测试；植入的 {} 处小错误中测试发现了 {} 处；代码修改 {} 次。",
                    proof.examples, proof.tests, proof.mutants, proof.noticed, proof.repairs
                ),
            ));
        }
    }
    doc.text
}

pub(crate) fn agent_folder(folder: &AgentFolder, language: Language) -> String {
    let mut doc = Doc::new(language, "Code", "代码开发");
    doc.line(language.pick(
        "\nThe agent's folder runs by itself: `python3 agent.py`.\n",
        "\n智能体文件夹可独立运行：`python3 agent.py`。\n",
    ));
    doc.bullets(folder.files.iter().map(|file| format!("`{}/{file}`", folder.agent_dir)));
    doc.text
}

pub(crate) fn deployment(agent: &AgentManifest, requested: &Value, language: Language) -> String {
    let mut doc = Doc::new(language, "Deployment", "部署");
    doc.line(format!("\n`{}` {}\n", agent.agent_name, agent.version));
    doc.bullets([
        format!("{}: `{}`", language.pick("folder", "文件夹"), agent.agent_dir),
        format!("{}: `{}`", language.pick("entry point", "入口"), agent.code_path),
        format!("{}: AgentCore HTTP (`POST /invocations`, `GET /ping`)", language.pick("contract", "协议")),
        format!(
            "{}: {}",
            language.pick("requested deployment", "请求的部署方式"),
            if requested.is_null() {
                language.pick("none", "无").to_owned()
            } else {
                format!("`{}`", super::cell_text(&requested.to_string()).replace('`', "'"))
            }
        ),
    ]);
    doc.line(language.pick(
        "\nThe daemon hands this folder to a deploy handler when the project asks for it. By hand: `HOST=127.0.0.1 PORT=8080 python3 agent.py`.",
        "\n项目要求部署时，守护进程会把该文件夹交给部署处理器。手动运行：`HOST=127.0.0.1 PORT=8080 python3 agent.py`。",
    ));
    doc.text
}
