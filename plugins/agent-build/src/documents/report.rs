//! The manager's report: what was built and how it was verified.

use nexus_evaluation::{NotServed, Outcome};

use super::{Doc, cell_text, quoted};
use crate::{
    author::offline::MODEL_ID as OFFLINE,
    spec::{AgentDesign, Language, ToolRecord},
    verify::Verified,
};

pub(crate) fn report(
    requirement: &str,
    design: &AgentDesign,
    tools: &[ToolRecord],
    verified: &Verified,
    not_served: &[NotServed],
    model_id: &str,
) -> String {
    let language = design.language;
    let mut doc = Doc::new(language, "Workflow summary", "工作流总结报告");
    doc.line(format!("\n`{}` — {}\n\n{}", design.agent_name, cell_text(&design.display_name), design.description));
    doc.line(if model_id == OFFLINE {
        language
            .pick(
                &format!("\nContent by `{model_id}`: offline, 0 tokens."),
                &format!("\n内容由 `{model_id}` 生成：离线，0 token。"),
            )
            .to_owned()
    } else {
        language
            .pick(
                &format!("\nWords and written tools by `{model_id}`; data and figures of the requirement by rules."),
                &format!("\n文字和自编工具由 `{model_id}` 生成；需求中的数据和数字由规则读取。"),
            )
            .to_owned()
    });
    doc.heading("Requirement", "需求");
    doc.line(quoted(requirement.trim()));
    doc.heading("Verification", "验证结果");
    let header = if language.code() == "zh" { ["检查", "结果"] } else { ["Check", "Result"] };
    let report = &verified.report;
    doc.table(
        &header,
        [
            vec![language.pick("Python", "Python 版本").to_owned(), report.python.clone()],
            vec![
                language.pick("compiled", "编译").to_owned(),
                format!("{} {}", report.compiled, language.pick("files", "个文件")),
            ],
            vec![language.pick("acceptance", "验收").to_owned(), score(language, verified)],
            vec![
                language.pick("own tests", "自带测试").to_owned(),
                language
                    .pick(
                        &format!("{} passed in {} s", report.tests, report.seconds),
                        &format!("通过 {} 个，用时 {} 秒", report.tests, report.seconds),
                    )
                    .to_owned(),
            ],
            vec!["`GET /ping`".to_owned(), verified.ping.to_string()],
            vec![
                language.pick("start to first answer", "启动到首次响应").to_owned(),
                format!("{} ms", verified.start_ms),
            ],
            vec![
                language.pick("SIGTERM", "SIGTERM 停止").to_owned(),
                language.pick("exit code 0", "退出码 0").to_owned(),
            ],
        ],
    );
    questions(&mut doc, verified);
    doc.heading("Tools", "工具");
    doc.bullets(tools.iter().map(|t| format!("`{}`: {}", t.about.id, t.about.summary.of(language))));
    if !not_served.is_empty() {
        doc.heading("Not served", "未覆盖的需求");
        doc.bullets(not_served.iter().map(|u| format!("{}: {}", cell_text(&u.text), u.reason)));
    }
    doc.text
}

fn score(language: Language, verified: &Verified) -> String {
    let all = &verified.exam.acceptance;
    language
        .pick(
            &format!("{} of {} cases passed, {} failed, {} unproven", all.passed, all.asked, all.failed, all.unproven),
            &format!("{} 题通过 {} 题，未通过 {} 题，无法证明 {} 题", all.asked, all.passed, all.failed, all.unproven),
        )
        .to_owned()
}

/// What the finished agent was asked, and what it said: made from the requirement before the agent was.
fn questions(doc: &mut Doc, verified: &Verified) {
    let language = doc.language;
    doc.heading("What it was asked", "验收问答");
    if verified.exam.acceptance.items.is_empty() {
        doc.line(language.pick("Nothing: no cases were made.", "没有题目。"));
        return;
    }
    let header = if language.code() == "zh" {
        ["问题", "期望", "回答", "结果"]
    } else {
        ["Question", "Expected", "Answer", "Outcome"]
    };
    let rows = verified.exam.acceptance.items.iter().map(|item| {
        let outcome = match item.outcome {
            Outcome::Passed => language.pick("passed", "通过"),
            Outcome::Failed => language.pick("failed", "未通过"),
            Outcome::Unproven => language.pick("unproven", "无法证明"),
        };
        let why = item.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        vec![item.question.clone(), item.expected.clone(), shortened(&item.answer), format!("{outcome}{why}")]
    });
    doc.table(&header, rows);
}

/// Enough of an answer to see what it says.
fn shortened(text: &str) -> String {
    const MOST: usize = 160;
    if text.chars().count() <= MOST { text.to_owned() } else { text.chars().take(MOST).chain(['…']).collect() }
}
