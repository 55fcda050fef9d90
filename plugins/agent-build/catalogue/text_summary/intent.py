"""When a question wants a text shortened or its subject named."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question

DOES = True
READS_TEXT = True


def propose(question: Question) -> Optional[Proposal]:
    """A word for summary or keywords plus a text."""
    text = question.text_or_recent()
    if text is None:
        if re.search(r"\bsummar|\btl;?dr\b|摘要|总结|概括", question.instruction) and not question.figures:
            return Proposal("summarize", {}, 0.7, ask={"en": "Which text shall I summarise? Paste it behind a colon.", "zh": "请把要总结的文字发给我（放在冒号后面）。"})
        return None
    previous = question.previous("summarize")
    again = re.search(r"(\d+)\s*个?(?:sentences?|points?|lines?|句|条|点)", question.plain.lower()) if previous and not question.payload() else None
    if previous and (again or (question.is_follow_up and question.asks("shorter", "longer", "短一点", "长一点", "再短"))):
        count = int(again.group(1)) if again else max(1, previous.arguments.get("sentences", 3) + (1 if question.asks("longer", "长一点") else -1))
        return Proposal("summarize", dict(previous.arguments, sentences=count), 0.92)
    head = question.plain[: max(0, question.plain.find(text[:20]))] or question.plain[:80]
    if question.asks("key terms", "keywords", "key words", "main topics", "topics", "关键词", "主题词"):
        return Proposal("key_terms", {"text": text}, 0.9)
    if re.search(r"\bsummar|\bshorten\b|\btl;?dr\b|\bgist\b|\bmain points?\b|\bkey points?\b|\bcondense\b|摘要|总结|概括|概述|要点|归纳|缩写|提炼", question.instruction):
        count = re.search(r"(\d+)\s*(?:个)?\s*(?:sentences?|points?|句|条|点)", head)
        return Proposal("summarize", {"text": text, "sentences": int(count.group(1)) if count else 3}, 0.94)
    return None


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give the summary and how much of the text it is."""
    if function == "key_terms":
        return ", ".join("%s (%d)" % tuple(pair) for pair in result["terms"])
    note = "（摘自原文 %d 句中的 %d 句）" % (result["of"], result["sentences"]) if language == "zh" else "(%d of %d sentences, word for word)" % (result["sentences"], result["of"])
    return result["summary"] + "\n\n" + note
