"""When a question wants addresses, links, numbers or a pattern taken out of a text."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question

DOES = True
READS_TEXT = True

_KINDS = [
    ("email", ("email", "emails", "e-mail", "e-mails", "email address", "email addresses", "邮箱", "邮件地址", "电子邮件")),
    ("url", ("url", "urls", "link", "links", "web address", "web addresses", "链接", "网址")),
    ("phone", ("phone", "phones", "phone number", "phone numbers", "telephone", "电话", "手机号", "电话号码")),
    ("ipv4", ("ip", "ips", "ip address", "ip addresses", "ip地址")),
    ("hashtag", ("hashtag", "hashtags", "话题标签")),
    ("mention", ("mentions", "handles")),
    ("money", ("amounts", "prices", "money", "amounts of money", "金额", "价格")),
    ("date", ("date", "dates", "日期")),
    ("time", ("time", "times", "时间")),
    ("number", ("number", "numbers", "数字")),
]
_VERBS = ("extract", "find", "pull", "get", "list", "which", "what", "pick", "collect", "grab", "show", "提取", "找出", "抽取", "列出", "找到", "抓取", "有哪些")


def propose(question: Question) -> Optional[Proposal]:
    """A verb of taking out, a kind or a pattern, and a text."""
    pattern = re.search(r"(?:regex|pattern|regular expression|正则(?:表达式)?)\s*[:：]?\s*[/`\"'“](.+?)[/`\"'”](?=\s|$|:|：|from|in|从)", question.text)
    if pattern:
        rest = question.text[pattern.end() :]
        text = re.sub(r"^\s*(?:from|in|on|to|从)?\s*[:：]?\s*", "", rest).strip().strip("\"“”") or question.text_or_recent()
        if text:
            return Proposal("extract_pattern", {"text": text, "pattern": pattern.group(1)}, 0.96)
    strong = question.asks("extract", "pull", "pick out", "提取", "抽取", "找出", "抓取")
    kind = next((name for name, words in _KINDS if question.asks(*words)), None)
    previous = question.previous("extract_kind")
    if kind and previous and not question.payload() and (question.is_follow_up or len(question.text) < 30):
        return Proposal("extract_kind", dict(previous.arguments, kind=kind), 0.9)
    if kind is None or not (strong or question.asks(*_VERBS) or (question.payload() and len(question.instruction) < 40)):
        return None
    text = question.payload() or question.after("from", "in", "out of", "从", "中的")
    if text is None or len(text) < 4:
        text = question.text_or_recent()
        if text is None:
            return None
    return Proposal("extract_kind", {"text": text, "kind": kind}, 0.94 if strong else 0.72)


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """List what was found."""
    if not result["count"]:
        return "没有找到。" if language == "zh" else "Nothing of that kind was found."
    head = ("找到 %d 个：" if language == "zh" else "Found %d:") % result["count"]
    return "\n".join([head] + ["- " + found for found in result["found"]])
