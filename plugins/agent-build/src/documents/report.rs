//! The manager's report: what was built and how it was verified.

use serde_json::Value;

use super::{Doc, cell_text, quoted};
use crate::{
    spec::{AgentDesign, ToolRecord},
    verify::Verified,
};

pub(crate) fn report(
    requirement: &str,
    design: &AgentDesign,
    tools: &[ToolRecord],
    verified: &Verified,
    model_id: &str,
) -> String {
    let language = design.language;
    let mut doc = Doc::new(language, "Workflow summary", "工作流总结报告");
    doc.line(format!("\n`{}` — {}\n\n{}", design.agent_name, cell_text(&design.display_name), design.description));
    doc.line(language.pick(
        &format!("\nContent by `{model_id}`: offline, 0 tokens."),
        &format!("\n内容由 `{model_id}` 生成：离线，0 token。"),
    ));
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
            vec![
                language.pick("unit tests", "单元测试").to_owned(),
                language
                    .pick(
                        &format!("{} run, 0 failed, {} s", report.tests, report.seconds),
                        &format!("运行 {} 个，失败 0 个，{} 秒", report.tests, report.seconds),
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
    doc.heading("One question", "一次提问");
    doc.line(quoted(&verified.question));
    doc.line("");
    for call in verified.answer.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        let field = |name: &str| {
            call.get(name).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).unwrap_or_default()
        };
        doc.line(format!("- `{}` {} → {}", field("name"), cell_text(&field("input")), cell_text(&field("result"))));
    }
    doc.line("");
    doc.line(quoted(verified.answer.get("output").and_then(Value::as_str).unwrap_or_default()));
    doc.heading("Tools", "工具");
    doc.bullets(tools.iter().map(|t| format!("`{}`: {}", t.about.id, t.about.summary.of(language))));
    if !design.not_served.is_empty() {
        doc.heading("Not served", "未覆盖的需求");
        doc.bullets(design.not_served.iter().map(|u| format!("{}: {}", cell_text(&u.text), u.reason)));
    }
    doc.text
}
