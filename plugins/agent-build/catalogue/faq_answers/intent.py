"""When a question resembles one of the FAQ."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question
from runtime.quoting import quoted
from tools.faq_answers import list_faq, search_faq

_FLOOR = 0.36


def propose(question: Question) -> Optional[Proposal]:
    """Offer the best FAQ entry; the surer, the more of the question it covers."""
    if len(question.text) > 400 or not list_faq()["count"]:
        return None
    if question.has("list faq", "list the faq", "faq", "faqs", "frequently asked", "which questions", "what questions", "常见问题", "哪些问题"):
        return Proposal("list_faq", {}, 0.85)
    asked = question.text
    ranked = search_faq(asked)
    previous = question.previous("answer_faq")
    if previous and question.is_follow_up and len(asked) < 60 and (not ranked or ranked[0]["match"] < 0.55):
        # "And on weekends?": the rest of the question stands in the one before.
        joined = re.sub(r"(?i)^\W*(?:and|what about|how about|那么?)\b\s*", "", asked) + " " + previous.arguments["question"]
        again = search_faq(joined)
        if again and ranked and again[0]["question"] == ranked[0]["question"]:
            ranked = again
    if not ranked or ranked[0]["match"] < _FLOOR:
        return None
    return Proposal("answer_faq", {"question": asked}, min(0.93, 0.45 + 0.5 * ranked[0]["match"]))


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give the answer as it was written; name the question it answers when the match is weak."""
    if function == "list_faq":
        head = "我能回答这些问题：" if language == "zh" else "I can answer these questions:"
        return "\n".join([head] + ["- " + question for question in result["questions"]])
    return quoted(arguments["question"], result["answer"], result["match"], language)
