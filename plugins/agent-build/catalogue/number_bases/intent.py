"""When a question wants a number in another base, as a Roman numeral or in words."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question

_BASES = [(2, r"binary|二进制"), (8, r"octal|八进制"), (16, r"hexadecimal|hex|十六进制"), (10, r"decimal|十进制")]


def propose(question: Question) -> Optional[Proposal]:
    """A number, where it comes from, and how it is wanted."""
    if len(question.text) > 150:
        return None
    text = question.lower
    numbers = [int(number) for number in question.numbers() if number == int(number)]
    if re.search(r"roman|罗马", text):
        letters = [word for word in re.findall(r"\b[MDCLXVImdclxvi]+\b", question.text) if word.upper() == word or len(word) > 2]
        if letters and not numbers:
            return Proposal("from_roman", {"roman": letters[-1]}, 0.94)
        return Proposal("to_roman", {"number": numbers[0]}, 0.94) if numbers else None
    if numbers and re.search(r"\bin words\b|\bspell (?:out )?(?:the number )?\d", text):
        return Proposal("number_in_words", {"number": numbers[0]}, 0.93)
    target = next((base for base, names in _BASES if re.search(r"(?:\bto|\bin|\binto|\bas|转成|转换成|转换为|转为|的|成|换成)\s*(?:%s)" % names, text)), None)
    source = next((base for base, names in _BASES if re.search(r"(?:%s)\s*(?:number|数)?\s*(?:0[bxo])?[0-9a-f]{1,}\b|from\s+(?:%s)" % (names, names), text) and base != target), None)
    prefixed = re.search(r"\b0([bxo])[0-9a-f]+\b", text)
    if prefixed:
        source = {"b": 2, "o": 8, "x": 16}[prefixed.group(1)]
    if target is None and source is None:
        return None
    source = source or 10
    digits = prefixed.group(0) if prefixed else None
    if digits is None:
        found = re.findall(r"\b[0-9a-f]*\d[0-9a-f]*\b" if source == 16 else r"(?<![A-Za-z0-9_.])-?\d+(?![A-Za-z0-9_.])", text)
        if source == 16 and not found:
            found = re.findall(r"\b[a-f]{2,}\b", text)
        digits = found[0] if found else None
    previous = question.previous("convert_base")
    if digits is None:
        if previous and target:
            return Proposal("convert_base", dict(previous.arguments, to_base=target), 0.85)
        return None
    return Proposal("convert_base", {"number": digits, "from_base": source, "to_base": target or 10}, 0.94)


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give the number in its new form."""
    if function == "convert_base":
        form = "%s（%d 进制）= %s（%d 进制）" if language == "zh" else "%s (base %d) = %s (base %d)"
        return form % (result["number"], result["from_base"], result["result"], result["to_base"])
    if function == "number_in_words":
        return result["words"]
    return "%s = %s" % ((result["number"], result["roman"]) if function == "to_roman" else (result["roman"], result["number"]))
