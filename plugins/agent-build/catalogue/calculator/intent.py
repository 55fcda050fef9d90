"""When a question is arithmetic: an expression in signs or in words."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question
from runtime.text import number_text, rounded

_WORDS = [
    (r"(?<=\d)\s*(?:plus|加上|加)\s*(?=[\d(])", " + "),
    (r"(?<=[\d)])\s*(?:minus|减去|减)\s*(?=[\d(])", " - "),
    (r"(?<=[\d)])\s*(?:times|multiplied by|乘以|乘|×|x)\s*(?=[\d(])", " * "),
    (r"(?<=[\d)])\s*(?:divided by|over|除以|÷)\s*(?=[\d(])", " / "),
    (r"(?<=[\d)])\s*(?:to the power of|的?次方|\^)\s*(?=[\d(])", " ** "),
    (r"(?<=\d)\s*(?:modulo|mod)\s*(?=\d)", " % "),
    (r"(?:the )?square root of\s*\(?(\d+(?:\.\d+)?)\)?", r"sqrt(\1)"),
    (r"(\d+(?:\.\d+)?)\s*的平方根", r"sqrt(\1)"),
    (r"(\d+(?:\.\d+)?)\s*的平方", r"\1 ** 2"),
    (r"(\d+(?:\.\d+)?)\s+squared", r"\1 ** 2"),
    (r"(\d+(?:\.\d+)?)\s+cubed", r"\1 ** 3"),
    (r"(\d+(?:\.\d+)?)\s*(?:%|percent|per cent)\s*(?:of|的)\s*(\d+(?:\.\d+)?)", r"\1 / 100 * \2"),
    (r"(\d+(?:\.\d+)?)\s*的\s*(?:百分之\s*(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?)\s*%)", r"\1 * \2\3 / 100"),
]
_EXPRESSION = re.compile(r"(?:(?:sqrt|abs|round|floor|ceil|log10|log|exp|sin|cos|tan|min|max)\(|[\d(.\-])[\d\s+\-*/%().,a-z]*[\d)]")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{4}/\d{1,2}/\d{1,2}")


def propose(question: Question) -> Optional[Proposal]:
    """Find the longest arithmetic expression in the message."""
    if len(question.text) > 1000:
        return None
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", question.plain.lower())
    if "\n" in text or _DATE.search(text):
        return None
    previous = question.previous("calculate")
    if previous and previous.result:
        text = re.sub(r"^\s*(?:and |then |再|然后)?\s*(?:that |it )?(?=(?:plus|minus|times|divided|[+*/×÷]|加|减|乘|除))", "%s " % number_text(previous.result["value"]), text)
    for pattern, replacement in _WORDS:
        text = re.sub(pattern, replacement, text)
    best = ""
    for match in _EXPRESSION.finditer(text):
        candidate = match.group(0).strip()
        if re.search(r"\d\s*(?:\+|-|\*|/|%)+\s*[\d(a-z]|(?:sqrt|abs|round|floor|ceil|log|exp|sin|cos|tan|min|max)\w*\(", candidate):
            best = max(best, candidate, key=len)
    if not best or re.search(r"[a-z]", re.sub(r"sqrt|abs|round|floor|ceil|log10|log|exp|sin|cos|tan|min|max", "", best)):
        return None
    share = len(best) / max(1, len(text.strip(" ?？=。.")))
    sure = 0.9 if share > 0.8 or question.has("calculate", "compute", "what is", "how much is", "what's", "计算", "等于", "是多少") else 0.6
    return Proposal("calculate", {"expression": best}, sure)


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Write the equation."""
    return "%s = %s" % (result["expression"], result["value"] if isinstance(result["value"], int) else _short(result["value"]))


def _short(value: float) -> str:
    return rounded(value) if abs(value - round(value, 2)) < 1e-9 else "%.10g" % value
