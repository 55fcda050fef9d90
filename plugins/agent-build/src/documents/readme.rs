//! The README in the agent's folder.

use super::{Doc, cell_text};
use crate::author::offline::MODEL_ID as OFFLINE;
use crate::spec::{AgentDesign, Introduction, Requirements, ToolRecord};

pub(crate) fn readme(
    design: &AgentDesign,
    introduction: &Introduction,
    tools: &[ToolRecord],
    requirements: &Requirements,
    model_id: &str,
) -> String {
    let language = design.language;
    let title = cell_text(&design.display_name);
    let mut doc = Doc::new(language, &title, &title);
    doc.line(format!("\n{}", introduction.introduction));
    doc.heading("Run", "运行");
    doc.line("```sh\nPORT=8080 python3 agent.py            # Python 3.9 or newer, nothing to install\ncurl -s localhost:8080/ping\ncurl -s localhost:8080/invocations -H 'Content-Type: application/json' -d '{\"prompt\": \"help\", \"session_id\": \"1\"}'\npython3 -m unittest                   # the agent's own tests\n```");
    doc.heading("Try", "试试看");
    doc.bullets(design.examples.iter().filter(|e| !e.question.contains('\n')).map(|e| cell_text(&e.question)));
    doc.heading("Tools", "工具");
    doc.bullets(
        tools
            .iter()
            .map(|tool| &tool.about)
            .map(|t| format!("**{}** (`tools/{}.py`): {}", t.name.of(language), t.id, t.summary.of(language))),
    );
    if !requirements.data.is_empty() {
        doc.heading("Knowledge", "知识");
        doc.bullets(
            requirements
                .data
                .iter()
                .map(|d| format!("`knowledge/{}.json`: {} ({})", d.id(), cell_text(d.title()), d.len())),
        );
    }
    if !introduction.notes.is_empty() {
        doc.heading("To know", "须知");
        doc.bullets(introduction.notes.iter().map(|note| cell_text(note)));
    }
    doc.heading("How it answers", "如何回答");
    if model_id != OFFLINE {
        let written = tools.iter().filter(|tool| tool.proof.is_some()).map(|tool| format!("`{}`", tool.about.id));
        let written = written.collect::<Vec<_>>().join(", ");
        let told = if written.is_empty() {
            language.pick("nothing but words", "只有文字").to_owned()
        } else {
            language.pick("words, and the tools ", "文字，以及工具 ").to_owned() + &written
        };
        doc.line(language.pick(
            &format!("Written by `{model_id}`: {told}. All other tools are vetted ones.\n"),
            &format!("由 `{model_id}` 编写：{told}。其他工具都是经过审核的。\n"),
        ));
    }
    doc.line(language.pick(
        "Offline (`model_id` is `offline/blueprint`) there is no language model: `intents/` turn a question into a tool call, the surest one is made, and its result is put into words. Token counts are 0 because no model runs. Each answer carries its tool calls with arguments and results. When no tool fits, the agent says so.",
        "离线模式（`model_id` 为 `offline/blueprint`）没有语言模型：`intents/` 把问题变成工具调用，执行最有把握的一个，再把结果写成句子。没有模型运行，所以 token 数为 0。每个回答都附带工具调用的参数和结果。没有合适工具时会明确说明。",
    ));
    doc.line("");
    doc.line(language.pick(
        "With a model: `pip install -r requirements.txt`, then set `MODEL_PROVIDER` (openai, anthropic, ollama, bedrock) and `MODEL_ID`; the provider's own variables are listed in `runtime/model_engine.py`. The model gets `prompts/` and the same tools.",
        "使用模型：`pip install -r requirements.txt`，再设置 `MODEL_PROVIDER`（openai、anthropic、ollama、bedrock）和 `MODEL_ID`，各提供方的变量见 `runtime/model_engine.py`。模型使用 `prompts/` 中的提示词和同样的工具。",
    ));
    doc.heading("HTTP", "HTTP 接口");
    doc.line("`POST /invocations` takes `{\"prompt\", \"session_id\"?, \"history\"?}` and answers JSON, or server-sent events with `Accept: text/event-stream`. The session may also come in the header `X-Amzn-Bedrock-AgentCore-Runtime-Session-Id`. `GET /ping` tells the health. `HOST` (127.0.0.1) and `PORT` (8080) come from the environment; with `PORT=0` the port is printed. SIGTERM stops it.");
    doc.text
}
