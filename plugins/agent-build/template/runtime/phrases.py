"""The sentences the runtime itself says, in English and Chinese."""
from __future__ import annotations

import re
from typing import Dict, List, Optional, Sequence

from runtime import limits
from runtime.figures import Figure
from runtime.registry import Agent
from runtime.text import has_cjk, language_of

_END = r"[\s!！,，.。~～?？:)]*"
# Whole messages only: "hi, how much is a latte?" is a question. All are matched in small letters.
_GREETING = re.compile(
    r"^\s*(?:hi|hello|hey|hiya|howdy|yo|good (?:morning|afternoon|evening|day)|greetings|你好|您好|嗨|哈喽|哈啰|在吗|在不在|早上好|上午好|下午好|晚上好|早安|早)(?:\s+(?:there|all|everyone|bot|agent|team)|啊|呀|呢)?%s$" % _END,
)
_THANKS = re.compile(
    r"^\s*(?:(?:ok(?:ay)?|great|perfect|nice|cool|good|awesome|wonderful|super|好的?|太好了|行|嗯)[\s,，.!！。]*)?(?:thanks?(?: you)?(?: very much| so much| a lot)?(?: for (?:your|the) help)?|thx|ty|cheers|much appreciated|多谢|谢谢?(?:你|您|了|啦)*|感谢(?:你|您)?|谢啦|辛苦了)%s$" % _END,
)
_CHAIN = re.compile(r"^(?:(?:ok(?:ay)?|great|perfect|cool|nice|good|thanks?|thank you|thx|ty|cheers|bye|goodbye|see you|that's all|that is all|got it|for now|so much|a lot|好的?|谢谢|再见|拜拜|没事了)[\s,，.!！。]*)+$")
_BYE = re.compile(r"^\s*(?:(?:good ?)?bye(?: bye)?|see you(?: later| soon| tomorrow)?|cya|good night|have a (?:nice|good|great) (?:day|evening|weekend)|再见|拜拜|回头见|晚安)%s$" % _END)
_FINE = re.compile(r"^\s*(?:ok(?:ay)?|great|perfect|nice|cool|got it|i see|all right|alright|sounds good|good|awesome|wonderful|that's all|no thanks|no,? thank you|好的?|行|知道了|明白了?|收到|嗯+|没事了?|不用了|可以了|太好了|厉害)%s$" % _END)
_MOOD = re.compile(r"^\s*(?:how are you(?: doing)?(?: today)?|how's it going|how do you do|what's up|are you (?:ok|well|there)|你好吗|你怎么样|最近好吗|最近怎么样)%s$" % _END)
_HELP = re.compile(
    r"^\s*(?:(?:hi|hello|hey|你好|您好)[\s,，!！.。]+)?(?:help(?: me)?(?: please)?|(?:so )?what (?:can|do|could) (?:you|u|this bot) (?:do|offer|help (?:me )?with|know|answer)(?: for me| exactly| here)?|what are you(?: able to do| for)?|who (?:are|r) (?:you|u)|what is this|"
    r"how (?:do|can|should) (?:you|i) (?:use (?:you|this)|work|help(?: me)?|ask)|how does this work|what (?:kind of )?(?:questions|things|stuff)? ?(?:can|could|should) i ask(?: you)?(?: about)?|tell me (?:about yourself|what you can do)|"
    r"what (?:tools|capabilities|skills|abilities|features|functions) do you have|what(?:'s| is) your (?:name|job|purpose)|are you (?:a |an )?(?:bot|robot|human|ai|real person|real)|introduce yourself|"
    r"帮助|你?(?:都|还)?(?:能|会|可以)(?:做|干|帮我做|帮我|回答|提供)?(?:些)?什么(?:忙|问题|服务)?(?:呢|呀|啊)?|你有(?:什么|哪些)(?:功能|本事|能力|技能)|你是谁|你是(?:什么|机器人|真人|人|ai)(?:吗)?|你叫什么(?:名字)?|有(?:什么|哪些)功能|怎么(?:用|使用)(?:你)?|介绍一下(?:你)?自己|我(?:能|可以)问(?:你)?(?:些)?什么|做什么的|你是做什么的)%s$" % _END,
)
_CANNOT = re.compile(
    r"^\s*(?:and )?(?:what (?:can't|cannot|can not|can you not|don't) (?:you|u)? ?(?:do|help with|know)?|what are your (?:limits|limitations)|what (?:is|are) (?:you )?not (?:able to|possible)(?: do)?|what (?:can|do) you not (?:do|know)|(?:is there )?any ?thing (?:that )?you (?:can't|cannot|can not|don't) do|what else can(?:'t|not) you do|"
    r"你?(?:有)?(?:什么|哪些)(?:事情?|东西|问题)?(?:是)?(?:你)?(?:不能|不会|做不到|做不了|回答不了)(?:做|的)?|你?(?:不能|不会|做不到|做不了|不可以)(?:做|帮我|回答)?(?:些)?什么|你有(?:什么|哪些)(?:限制|局限))%s$" % _END,
)


def answer_language(text: str, agent: Agent) -> str:
    """The language to answer in: that of the question, or the agent's own when it tells nothing."""
    if has_cjk(text):
        return language_of(text) if language_of(text) == "zh" else "en"
    return "en" if re.search(r"[A-Za-z]{2,}", text) else agent.language


def small_talk(text: str, agent: Agent, language: str) -> Optional[str]:
    """Answer a greeting, thanks, or the question what the agent can do; None for anything else."""
    zh = language == "zh"
    if len(text) > 120:
        return None
    text = text.lower()
    if _HELP.match(text):
        return introduction(agent, language) + "\n\n" + abilities(agent, language)
    if _CANNOT.match(text):
        return disabilities(agent, language)
    if _THANKS.match(text):
        return "不客气。" if zh else "You are welcome."
    if _GREETING.match(text):
        return introduction(agent, language) + "\n\n" + abilities(agent, language)
    if _CHAIN.match(text.strip()) and re.search("thank|thx|谢", text):
        return "不客气。" if zh else "You are welcome."
    if _BYE.match(text):
        return "再见！" if zh else "Goodbye!"
    if _MOOD.match(text):
        return "我很好，随时可以提问。" if zh else "I am fine, thank you. What would you like to know?"
    if _FINE.match(text):
        return "好的，还有问题请随时问。" if zh else "All right. Ask me whenever you need something."
    return None


def introduction(agent: Agent, language: str) -> str:
    """Who speaks, in the asker's language."""
    name = agent.manifest.get("display_name", agent.name)
    return "你好，我是%s。" % name if language == "zh" else "Hello, I am %s." % name


def abilities(agent: Agent, language: str) -> str:
    """What the agent can do, with a question to try for each tool; and what was wanted but is not served."""
    zh = language == "zh"
    lines = ["我能做这些：" if zh else "This is what I can do:"]
    for tool in agent.tools:
        example = tool.example(language)
        if not example or (language_of(example) == "zh") != zh:
            example = ""
        if zh:
            lines.append("- %s：%s%s" % (tool.label(language), tool.summary(language), "例如：“%s”" % example if example else ""))
        else:
            lines.append("- %s: %s%s" % (tool.label(language), tool.summary(language), ' For example: "%s"' % example if example else ""))
    missing = _missing(agent, language)
    if missing:
        lines.append("我不能做的：" if zh else "What I cannot do:")
        lines.extend("- " + line for line in missing)
    return "\n".join(lines)


def _missing(agent: Agent, language: str) -> List[str]:
    """What this agent was wanted to do and does not; only what is written in the asker's language."""
    lines = []
    for entry in limits.not_served(agent.manifest):
        text, reason = entry["text"].strip().rstrip("。."), entry.get("reason", "").strip()
        if all((language_of(part) == "zh") == (language == "zh") for part in (text, reason) if part):
            lines.append(("%s：%s" if language == "zh" else "%s: %s") % (text, reason) if reason else text)
    return lines


def disabilities(agent: Agent, language: str) -> str:
    """What the agent cannot do."""
    zh = language == "zh"
    missing = _missing(agent, language)
    head = "我不能：" if zh else "I cannot do this:"
    general = "发送消息、预订或付款、上网查询实时信息、翻译或自由写作。" if zh else "send messages, book or pay, look up anything live, translate, or write texts freely."
    tail = ("其他我也做不到的：" if missing else "我做不到：") + general if zh else ("Nor can I " if missing else "I cannot ") + general
    return "\n".join(([head] + ["- " + line for line in missing] if missing else []) + [tail])


def cannot_answer(agent: Agent, language: str) -> str:
    """Say plainly that no tool fits, and what the agent can do instead."""
    head = "这个问题我回答不了。" if language == "zh" else "I cannot answer that."
    return head + "\n\n" + abilities(agent, language)


def refusal(reason: str, agent: Agent, language: str) -> str:
    """Refuse what no tool can do, with the reason, and name what can be asked instead."""
    labels = [tool.label(language) for tool in agent.tools]
    if language == "zh":
        return reason + ("所以这个问题我回答不了，能帮忙的是：%s。" % "、".join(labels) if labels else "")
    return reason + (" So I cannot answer that; I can help with: %s." % ", ".join(labels) if labels else "")


def unused(figures: Sequence[Figure], tool_label: str, example: str, language: str) -> str:
    """Say which figures of the question a result would have left out, instead of giving that result."""
    named = [figure.text.strip() for figure in figures]
    if language == "zh":
        text = "我不确定“%s”在这里该怎么用（%s），所以不给出可能算错的结果。请换个说法再问一次。" % ("”、“".join(named), tool_label)
        return text + ("例如：“%s”" % example if example and language_of(example) == "zh" else "")
    text = 'I do not know what to do with "%s" here (%s), so I give no result that leaves it out. Please put the question another way.' % ('", "'.join(named), tool_label)
    return text + (' For example: "%s"' % example if example and language_of(example) != "zh" else "")


def too_long(limit: int, language: str) -> str:
    """Say that a message is too long to be read."""
    if language == "zh":
        return "消息太长：最多处理 %d 个字符，请缩短或分开发送。" % limit
    return "The message is too long: I read at most %d characters. Shorten it or send it in parts." % limit


def tool_failed(label: str, reason: str, language: str) -> str:
    """Say that a tool was the right one but could not do it, and why."""
    if language == "zh":
        return "%s没有成功：%s" % (label, reason) if has_cjk(reason) else "%s没有成功：这个问题里有它无法处理的内容。" % label
    return "%s could not do that: %s" % (label, reason)


def tool_broke(label: str, language: str) -> str:
    """Say that something went wrong, without what only a programmer understands."""
    return "%s出错了，请换个说法再试。" % label if language == "zh" else "%s went wrong on this question. Please put it another way." % label


def said(ask: Dict[str, str], language: str) -> str:
    """A question back, in the asker's language."""
    return ask.get(language) or ask["en"]
