"""The sentences the runtime itself says, in English and Chinese."""
from __future__ import annotations

import re
from typing import Optional

from runtime.registry import Agent
from runtime.text import has_cjk, language_of

_GREETING = re.compile(r"^\s*(hi|hello|hey|good (morning|afternoon|evening)|你好|您好|嗨|早上好|下午好|晚上好)[\s!！,.。~]*$", re.IGNORECASE)
_THANKS = re.compile(r"^\s*(thanks?( you)?( very much| a lot)?|cheers|谢谢你?|多谢|感谢)[\s!！,.。~]*$", re.IGNORECASE)
_HELP = re.compile(
    r"^\s*(help( me)?|what (can|do) you do|what are you( able to do)?|who are you|how do (you|i use you)|what can i ask( you)?|"
    r"what (tools|capabilities|skills) do you have|帮助|你能做什么|你会做什么|你会什么|你能干什么|你可以做什么|你是谁|有什么功能|你有什么功能|怎么用)[\s?？!！.。]*$",
    re.IGNORECASE,
)


def answer_language(text: str, agent: Agent) -> str:
    """The language to answer in: that of the question, or the agent's own when it tells nothing."""
    if has_cjk(text):
        return language_of(text) if language_of(text) == "zh" else "en"
    return "en" if re.search(r"[A-Za-z]{2,}", text) else agent.language


def small_talk(text: str, agent: Agent, language: str) -> Optional[str]:
    """Answer a greeting, thanks, or the question what the agent can do; None for anything else."""
    if _THANKS.match(text):
        return "不客气。" if language == "zh" else "You are welcome."
    if _GREETING.match(text):
        head = "你好，我是%s。" if language == "zh" else "Hello, I am %s."
        return head % agent.manifest.get("display_name", agent.name) + "\n\n" + abilities(agent, language)
    if _HELP.match(text):
        return abilities(agent, language)
    return None


def abilities(agent: Agent, language: str) -> str:
    """What the agent can do, with a question to try for each tool."""
    lines = ["我能做这些：" if language == "zh" else "This is what I can do:"]
    for tool in agent.tools:
        example = tool.example(language)
        if language == "zh":
            lines.append("- %s：%s%s" % (tool.label(language), tool.summary(language), "例如：“%s”" % example if example else ""))
        else:
            lines.append("- %s: %s%s" % (tool.label(language), tool.summary(language), ' For example: "%s"' % example if example else ""))
    return "\n".join(lines)


def cannot_answer(agent: Agent, language: str) -> str:
    """Say plainly that no tool fits, and what the agent can do instead."""
    if language == "zh":
        return "这个问题我回答不了：我在离线运行，没有语言模型，没有一个工具适合它。\n\n" + abilities(agent, language)
    return (
        "I cannot answer that: I work offline, without a language model, and none of my tools fits the question.\n\n"
        + abilities(agent, language)
    )


def too_long(limit: int, language: str) -> str:
    """Say that a message is too long to be read."""
    if language == "zh":
        return "消息太长：离线模式最多处理 %d 个字符，请缩短或分开发送。" % limit
    return "The message is too long: offline I read at most %d characters. Shorten it or send it in parts." % limit


def tool_failed(label: str, reason: str, language: str) -> str:
    """Say that a tool was the right one but could not do it, and why."""
    if language == "zh":
        return "%s没有成功：%s" % (label, reason)
    return "%s could not do that: %s" % (label, reason)
