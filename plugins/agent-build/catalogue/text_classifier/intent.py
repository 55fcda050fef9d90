"""When a message is to be sorted into a category; with categories known, plain statements are too."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question
from tools.text_classifier import classify_text, list_categories

READS_TEXT = True


_ASKED = re.compile(
    r"\bclassif\w*\b|\bcategori[sz]\w*\b|\bcategory\b|\bcategories\b|\bsort (?:this|it|that|the)\b|\b(?:which|what) (?:\w+ )?(?:team|department|queue|label|tag|topic|group|type|kind|bucket|folder|bin)\b|\broute\b|\btriage\b|\blabel\b|\btag\b|\bwhere does (?:this|it) (?:go|belong)\b|\bwho (?:should|handles)\b|"
    r"分类|归类|类别|哪一?类|属于|派给|分派|哪个(?:部门|组|类别)|什么类型|该(?:给|找)谁|归到")
_LIST = re.compile(r"\b(?:which|what|list|show|your|all) (?:the |are the |all |your )*(?:categories|labels|classes|groups|types)\b|哪些(?:类别|分类|类型)|有什么分类|什么类别")
_HEAD = re.compile(
    r"^\W*(?:(?:please|can you|could you|请|帮我|麻烦)\s*)*(?:classify|categori[sz]e|route|triage|label|tag|sort|which (?:team|department|category|queue)\b.{0,30}?(?:for|handles|gets|is|does)|what category is|分类|归类)(?:一下)?\s*(?:this|the|following|that|下面|这个|这条|这封)*\s*(?:message|ticket|text|email|mail|review|comment|request|complaint|feedback|消息|工单|文本|邮件|评论)?\s*[:：,，]?\s*", re.IGNORECASE)


def propose(question: Question) -> Optional[Proposal]:
    """A word for sorting plus a text; or any message that holds a category's words."""
    if not list_categories()["categories"]:
        return None
    asked = _ASKED.search(question.instruction)
    if _LIST.search(question.instruction) and question.payload() is None:
        return Proposal("list_categories", {}, 0.93)
    if asked:
        text = question.payload() or _HEAD.sub("", question.text).strip()
        if (not text or re.fullmatch(r"(?:it|this|that|the (?:text|message|ticket))\W*", text, re.IGNORECASE) or _ASKED.search(text.lower()) and len(text) < 30) and question.text_or_recent():
            text = question.text_or_recent() or ""
        if text and len(text) > 2:
            return Proposal("classify_text", {"text": text}, 0.93)
    previous = question.previous("classify_text")
    follows = previous is not None and question.is_follow_up
    text = re.sub(r"(?i)^\W*(?:and|what about|how about|then|那么?|还有)\s*(?:this(?: one)?|这个)?\s*[:：]?\s*", "", question.text) if follows else question.text
    body = question.payload() if follows and question.payload() else text
    if len(body) < 4:
        return None
    result = classify_text(body)
    if result["category"] is None:
        # A statement that fits nothing, of some length, right after others were sorted.
        return Proposal("classify_text", {"text": body}, 0.62) if previous and len(body) > 15 and not body.rstrip().endswith(("?", "？")) else None
    direct = result["scores"][result["category"]] >= 0.7
    if re.match(r"\W*(?:please\s+)?(?:generate|create|make|write|give|show|tell|calculate|convert|send|open|play|help|find|search|list)\b(?!\s+(?:is|are|was|were|does|doesn't|did|has|page|function|results?|button|bar)\b)|\W*(?:生成|创建|写|给我|计算|发送|播放|打开|帮我(?!.*分))", question.lower) and not previous:
        return None  # something to be done, not to be sorted
    statement = not re.match(r"\W*(?:what|who|when|where|how|which|can you|could you|do you|are you|tell me|你们?(?:能|会|有)|什么|谁)", question.lower)
    return Proposal("classify_text", {"text": body}, (0.72 if statement else 0.56) if direct or previous else 0.52)


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Name the category and what speaks for it."""
    zh = language == "zh"
    if function == "list_categories":
        return "\n".join("- %s: %s" % (category["name"], ", ".join(category["words"])) for category in result["categories"])
    if result["category"] is None:
        return "不属于任何已知类别。" if zh else "It fits none of the known categories."
    text = ("类别：%s（依据：%s）" if zh else "Category: %s (because of: %s)") % (result["category"], ", ".join(result["matched"]))
    if result.get("also"):
        text += ("，也可能是：%s" if zh else "; it could as well be: %s") % ", ".join(result["also"])
    return text
