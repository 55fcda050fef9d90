"""Tells what is asked from the text it is asked about: a message is an instruction and, perhaps, a pasted text."""
from __future__ import annotations

import re
from typing import Optional, Tuple

_FENCE = re.compile(r"```[\w-]*\n?(.*?)```", re.DOTALL)
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|「([^」]+)」|『([^』]+)』|`([^`]+)`|(?<!\w)'([^']+)'(?!\w)|‘([^’]+)’", re.DOTALL)
_COLON = re.compile(r":(?=\s)|：|:\s*$", re.MULTILINE)
# An instruction that works on a text: what stands beside it is material, and chooses no tool.
_TEXT_WORK = re.compile(
    r"summar|shorten|tl;?dr|\bgist\b|translat|rewrite|rephrase|paraphrase|proofread|classif|categor|triage|which team|how many (?:\w+ )?(?:words|char|letters|sentences|lines|paragraphs|times)|"
    r"word count|character count|count (?:the )?(?:words|char|letters)|encode|decode|\bhash|\bsha-?\d|\bmd5|checksum|extract|pull (?:out|all)|(?:upper|lower|title|snake|camel)[ -]?case|"
    r"capital|revers|\bsort\b|replace|reply to|respond to|sentiment|keywords?|key (?:terms|points)|main points|dedup|duplicate|slug|\bfix\b|correct|"
    r"总结|摘要|概括|归纳|要点|翻译|改写|润色|分类|归类|哪一类|哪个类别|哪个部门|统计|字数|多少(?:个)?字|几个字|提取|抽取|找出|编码|解码|哈希|转大写|大写|小写|反转|倒过来|排序|替换|关键词|回复这|去重|校对"
)


def split(text: str) -> Tuple[str, Optional[str]]:
    """The instruction and the pasted text (fenced, quoted, after a colon, on the following lines), or None."""
    body = _payload(text)
    if body and body in text and body != text:
        at = text.rfind(body) if text.endswith(body) else text.find(body)
        return text[:at] + " " + text[at + len(body) :], body
    return text, body


def _payload(text: str) -> Optional[str]:
    fenced = _FENCE.search(text)
    if fenced:
        return fenced.group(1).strip("\n")
    colon = _COLON.search(text)
    quoted = [next(part for part in match if part) for match in _QUOTED.findall(text)]
    rest = text[colon.end() :].strip() if colon else ""
    if quoted and not (colon and len(rest) > len(max(quoted, key=len)) + 2):
        return max(quoted, key=len)
    if rest:
        return rest
    head, newline, tail = text.partition("\n")
    return tail.strip("\n") if newline and tail.strip() else None


def works_on_text(instruction: str) -> bool:
    """True when an instruction is about a text as a text: shorten, count, classify, encode."""
    return bool(_TEXT_WORK.search(instruction.lower()))


def question_alone(text: str) -> str:
    """The message as the tools that know data see it: without material that chooses no tool."""
    instruction, body = split(text)
    if body is None:
        return text
    if "```" in text or body.count("\n") >= 2 or len(body) > 240 or works_on_text(instruction):
        return instruction.strip()
    return text
