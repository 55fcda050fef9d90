//! The architecture, with a diagram of this agent's own tools and data.

use super::selection::{chosen, select};
use crate::{
    catalogue::{Catalogue, CatalogueTool},
    spec::{Architecture, Component, Decision, Language, Requirements},
};

pub(in crate::author) fn draw(catalogue: &Catalogue, requirements: &Requirements) -> Architecture {
    let language = requirements.language;
    let tools = chosen(catalogue, &select(catalogue, requirements));
    let say = |en: &str, zh: &str| language.pick(en, zh).to_owned();
    let component = |name: String, role: String, place: &str| Component { name, role, place: place.to_owned() };
    let vetted = tools.iter().map(|tool| tool.name().of(language));
    let names: Vec<&str> = vetted.chain(requirements.to_write.iter().map(|one| one.name.as_str())).collect();
    let mut components = vec![
        component(
            say("Server", "服务"),
            say("HTTP: invocations as JSON or SSE, ping, sessions", "HTTP：JSON 或 SSE 调用、健康检查、会话"),
            "agent.py, runtime/server.py",
        ),
        component(
            say("Router", "路由"),
            say("asks every tool's intent, takes the surest", "询问每个工具的意图，取最有把握的"),
            "runtime/router.py, intents/",
        ),
        component(say("Tools", "工具"), names.join(", "), "tools/"),
        component(
            say("Sessions", "会话"),
            say("earlier calls, for follow-up questions; bounded", "保存之前的调用以理解追问；数量有限"),
            "runtime/sessions.py",
        ),
    ];
    for data in &requirements.data {
        components.push(component(
            data.title().to_owned(),
            format!("{}: {}", data.kind(), data.len()),
            &format!("knowledge/{}.json", data.id()),
        ));
    }
    let flow = [
        (
            "The server checks the request; a prompt that is not a string is refused.",
            "服务检查请求；prompt 不是字符串则拒绝。",
        ),
        (
            "The router splits the message when it asks several things, and lets each tool's intent propose a call.",
            "消息含多个问题时路由将其拆分，由各工具的意图提出调用。",
        ),
        (
            "The surest proposal is called; without one the agent says what it can do instead.",
            "执行最有把握的提议；没有时说明自己能做什么。",
        ),
        (
            "The result is put into words in the question's language and streamed with the tool call.",
            "用提问的语言表述结果，并连同工具调用一起流式返回。",
        ),
    ];
    let decisions = [
        ("Standard library only", "仅用标准库", "nothing has to be installed", "无需安装任何软件包"),
        (
            "Intents apart from tools",
            "意图与工具分离",
            "a language model can use the same tools without the router",
            "语言模型可直接使用同样的工具",
        ),
        (
            "Data as JSON files, never as code",
            "数据以 JSON 文件保存，绝不写入代码",
            "a requirement cannot inject code, and data can be changed without touching code",
            "需求文本无法注入代码，数据可独立修改",
        ),
    ];
    Architecture {
        overview: say(
            &format!(
                "A small HTTP service with {} tool(s) and {} data set(s). A question is routed to the tool that fits best, without a language model.",
                names.len(),
                requirements.data.len()
            ),
            &format!(
                "一个小型 HTTP 服务，含 {} 个工具和 {} 份数据。问题被路由到最合适的工具，无需语言模型。",
                names.len(),
                requirements.data.len()
            ),
        ),
        components,
        flow: flow.iter().map(|(en, zh)| say(en, zh)).collect(),
        mermaid: mermaid(language, &tools, requirements),
        decisions: decisions
            .iter()
            .map(|(en, zh, why, why_zh)| Decision { decision: say(en, zh), reason: say(why, why_zh) })
            .collect(),
    }
}

fn mermaid(language: Language, tools: &[&CatalogueTool], requirements: &Requirements) -> String {
    let mut lines = vec![
        "flowchart LR".to_owned(),
        format!(
            "    user([{}]) -->|POST /invocations| server[{}]",
            language.pick("User", "用户"),
            language.pick("Server", "服务")
        ),
        format!("    server --> sessions[({})]", language.pick("Sessions", "会话")),
        format!("    server --> router{{{}}}", language.pick("Router", "路由")),
    ];
    for tool in tools {
        lines.push(format!("    router --> {}[\"{}\"]", tool.id(), label(tool.name().of(language))));
    }
    for tool in &requirements.to_write {
        lines.push(format!("    router --> {}[\"{}\"]", tool.id, label(&tool.name)));
    }
    for set in &requirements.data {
        let node = format!("data_{}", set.id());
        lines.push(format!("    {node}[(\"{}\")]", label(set.title())));
        for tool in tools.iter().filter(|tool| tool.needs.as_deref() == Some(set.kind())) {
            lines.push(format!("    {} --> {node}", tool.id()));
        }
    }
    lines.join("\n")
}

/// A label that cannot end its quotes or start markup.
fn label(text: &str) -> String {
    text.chars()
        .filter(|c| {
            !matches!(c, '"' | '<' | '>' | '[' | ']' | '{' | '}' | '(' | ')' | '|' | '`' | '#' | ';' | '&' | '\\')
                && !c.is_control()
        })
        .take(40)
        .collect::<String>()
        .trim()
        .to_owned()
}
