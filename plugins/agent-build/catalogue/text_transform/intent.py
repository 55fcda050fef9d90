"""When a question wants a text in another case, order or form."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question

DOES = True
READS_TEXT = True

_RULES = [
    ("upper", r"\bupper ?-?case\b|\bcapital letters\b|\bcapitali[sz]e all\b|大写"),
    ("lower", r"\blower ?-?case\b|小写"),
    ("title", r"\btitle ?-?case\b|\bcapitali[sz]e\b"),
    ("sentence", r"\bsentence ?-?case\b"),
    ("snake", r"\bsnake[ _-]?case\b"),
    ("camel", r"\bcamel ?-?case\b"),
    ("slug", r"\bslug\b|\bslugify\b"),
    ("unique_lines", r"\b(?:remove|delete|drop) (?:the )?duplicate|\bdedup|\bunique lines|去重|重复的?行|去掉重复|删除重复|去除重复"),
    ("sort_lines", r"\bsort\b.*\b(?:lines|words|list|names)\b|\balphabetical|按字母排序|行排序"),
    ("number_lines", r"\bnumber (?:the |these )?lines\b|编号"),
    ("trim", r"\btrim\b|\bextra (?:white)?spaces?\b|\bclean up (?:the )?(?:white)?space|多余空格"),
    ("reverse", r"\breversed?\b|\bbackwards\b|反转|倒过来|颠倒"),
]


def propose(question: Question) -> Optional[Proposal]:
    """A rule's name and a text."""
    replaced = re.search(r"\breplace\s+[\"“'](.+?)[\"”']\s+(?:with|by)\s+[\"“'](.*?)[\"”']\s+in\s*:?\s*(.+)$", question.text, re.IGNORECASE | re.DOTALL)
    if replaced:
        return Proposal("replace_in_text", {"text": replaced.group(3).strip("\"“” "), "old": replaced.group(1), "new": replaced.group(2)}, 0.95)
    rule = next((name for name, pattern in _RULES if re.search(pattern, question.instruction)), None)
    if rule is None:
        return None
    text = question.payload()
    if text is None:
        match = re.search(r"(?:convert|turn|change|make|put|write|reverse|capitali[sz]e|slugify|uppercase|lowercase|trim)\s+(?:the )?(?:text |string |word |words )?(.+?)\s*(?:(?:in|to|into|as)\s+(?:a )?(?:upper|lower|title|sentence|snake|camel|slug|capital).*)?$", question.text, re.IGNORECASE)
        chinese = re.search(r"(?:把|将)\s*(.+?)\s*(?:转|变|改|反|倒|换)", question.text)
        found = chinese or match
        text = found.group(1).strip().rstrip("?？。") if found else None
        if text and re.fullmatch(r"(?:it|that|this|this text|the text)", text.lower()):
            text = None
    text = text or question.text_or_recent()
    return Proposal("transform_text", {"text": text, "rule": rule}, 0.9) if text else None


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give the text."""
    if function == "replace_in_text" and not result["count"]:
        return "没有可替换的内容。" if language == "zh" else "There was nothing to replace."
    return result["result"]
