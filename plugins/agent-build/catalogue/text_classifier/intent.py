"""When a message is to be sorted into a category; with categories known, plain statements are too."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question
from tools.text_classifier import classify_text, list_categories

READS_TEXT = True


def propose(question: Question) -> Optional[Proposal]:
    """A word for sorting plus a text; or any message that holds a category's words."""
    if not list_categories()["categories"]:
        return None
    if question.has("which categories", "what categories", "list categories", "list the categories", "哪些类别", "有哪些分类", "什么类别"):
        return Proposal("list_categories", {}, 0.93)
    asked = question.asks("classify", "categorize", "categorise", "category", "sort this", "which team", "which department", "route", "triage", "label", "tag",
                          "分类", "归类", "类别", "哪一类", "属于", "派给", "分派")
    text = question.payload() if asked else None
    if asked and text is None:
        text = re.sub(r"(?i)^\W*(?:please\s+)?(?:classify|categori[sz]e|route|triage|label|tag|分类|归类)\b\s*(?:this|the|following)?\s*(?:message|ticket|text|email)?\s*", "", question.text)
    if asked and text:
        return Proposal("classify_text", {"text": text}, 0.93)
    if len(question.text) < 8 or not classify_text(question.text)["category"]:
        return None
    return Proposal("classify_text", {"text": question.text}, 0.6)


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Name the category and what speaks for it."""
    zh = language == "zh"
    if function == "list_categories":
        return "\n".join("- %s: %s" % (category["name"], ", ".join(category["words"])) for category in result["categories"])
    if result["category"] is None:
        return "不属于任何已知类别。" if zh else "It fits none of the known categories."
    return ("类别：%s（依据：%s）" if zh else "Category: %s (because of: %s)") % (result["category"], ", ".join(result["matched"]))
