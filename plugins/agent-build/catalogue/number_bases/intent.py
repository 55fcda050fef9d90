"""When a question wants a number in another base, as a Roman numeral or in words."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question

DOES = True
_BASES = [(2, r"binary|base[ -]?2\b|二进制"), (8, r"octal|base[ -]?8\b|八进制"), (16, r"hexadecimal|\bhex\b|base[ -]?16\b|十六进制|16进制"), (10, r"decimal|base[ -]?10\b|denary|十进制")]
_TO = r"(?:\b(?:to|in|into|as|is)\s+(?:an?\s+|the\s+)?|转成|转换成|转换为|转为|转|的|成|为|换成|用|写成|表示成|变成|是)\s*"
_BARE = re.compile(r"(?<![A-Za-z0-9_.])[-−]?\d+(?![A-Za-z0-9_.]*[A-Za-z.]\d)(?![A-Za-z])")


def propose(question: Question) -> Optional[Proposal]:
    """A number, where it comes from, and how it is wanted."""
    if len(question.text) > 160:
        return None
    text = question.lower
    figures = [figure for figure in question.figures if figure.kind == "number" and figure.value == int(figure.value) and not (figure.soft and not figure.text.isdigit())]
    previous = question.previous("to_roman", "from_roman", "number_in_words", "convert_base")
    roman = re.search(r"roman|罗马", text)
    words = re.search(r"\b(?:in|as|into|to) (?:english )?words\b|\bspell(?:ed)?\b|\bwrite\b.*\bout\b|英文怎么(?:写|读)|用英文(?:写|表示|读)|英文单词", text)
    if roman:
        letters = [word for word in re.findall(r"(?<![A-Za-z])[MDCLXVImdclxvi]+(?![A-Za-z])", question.text) if word.upper() == word and len(word) > 1 or len(word) > 2 or (word.isupper() and word != "I")]
        if letters and not figures:
            return Proposal("from_roman", {"roman": letters[-1]}, 0.94, used=[])
        if figures:
            return Proposal("to_roman", {"number": int(figures[0].value)}, 0.94, used=figures[:1])
    elif words and figures:
        return Proposal("number_in_words", {"number": int(figures[0].value)}, 0.93, used=figures[:1])
    target, source = _target_and_source(text)
    prefixed = re.search(r"(?<![a-z0-9])0([bxo])[0-9a-f]+(?![a-z0-9])", text)
    if prefixed:
        source = {"b": 2, "o": 8, "x": 16}[prefixed.group(1)]
    if target is not None or source is not None:
        digits = prefixed.group(0) if prefixed else _digits(question, text, source)
        if digits is not None:
            base = source or 10
            used = [figure for figure in question.figures if figure.text in digits or digits in figure.text or figure.text in ("2", "8", "10", "16", "十", "二", "八", "十六")]
            return Proposal("convert_base", {"number": digits, "from_base": base, "to_base": target or (10 if base != 10 else 2)}, 0.94, used=used)
    return _follow_up(question, figures, target, bool(roman), bool(words), previous)


def _target_and_source(text: str) -> "tuple[Optional[int], Optional[int]]":
    """The base that a number shall be written in, and the one it is written in."""
    named = sorted((match.start(), match.end(), base) for base, names in _BASES for match in re.finditer(names, text))
    target = source = None
    for start, end, base in named:
        before = text[:start]
        beside = re.search(r"(?<![a-z])[0-9a-f]*\d[0-9a-f]*\s*(?:的)?$", before) and len(named) > 1 and not re.search(_TO + "$", before)
        if beside or re.search(r"\bfrom\s+(?:an?\s+|the\s+)?$|^(?:把|将)\s*$|\bconvert\s+(?:the\s+)?$|\bthe\s+$", before) or re.match(r"\s*(?:number|numeral|value|code|digits|数字?|的)?\s*(?:(?:0[bxo])?[0-9a-f]*\d[0-9a-f]*|[a-f]{2,})(?![0-9a-z])", text[end:]) and not re.search(_TO + "$", before):
            source = base if source is None else source
        elif re.search(_TO + "$", before) or target is None:
            target = base
    if target == source:
        target = None
    return target, source


def _digits(question: Question, text: str, source: Optional[int]) -> Optional[str]:
    text = re.sub(r"base[ -]?\d+|\d+进制|[二八十六]+进制", " ", text)
    if source == 16:
        found = re.findall(r"(?<![a-z0-9])(?=[0-9a-f]*\d)[0-9a-f]+(?![a-z0-9])", text) or [word for word in re.findall(r"(?<![a-z])[a-f]{2,}(?![a-z])", text) if word not in ("be", "add", "bed", "dead")]
        return found[0] if found else None
    found = _BARE.findall(re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text))
    if found:
        return found[0].replace("−", "-")
    numbers = [figure for figure in question.figures if figure.kind == "number" and not figure.soft]
    return str(int(numbers[0].value)) if len(numbers) == 1 and numbers[0].value == int(numbers[0].value) and source in (None, 10) else None


def _follow_up(question: Question, figures: "list", target: Optional[int], roman: bool, words: bool, previous: Any) -> Optional[Proposal]:
    """"and in hex?", "and 42?", "in roman numerals?"."""
    if previous is None or len(question.text) > 50 or not (question.is_follow_up or len(question.text) < 16):
        return None
    arguments = previous.arguments
    known = arguments.get("number")
    if isinstance(known, str):
        base = arguments.get("from_base", 10)
        try:
            known = int(known, base)
        except ValueError:
            return None
    if roman and isinstance(known, int) and not figures:
        return Proposal("to_roman", {"number": known}, 0.86, used=[])
    if words and isinstance(known, int) and not figures:
        return Proposal("number_in_words", {"number": known}, 0.86, used=[])
    if target and known is not None and not figures:
        changed = dict(arguments, to_base=target) if previous.function == "convert_base" else {"number": str(known), "to_base": target}
        return Proposal("convert_base", changed, 0.86, used=[])
    if len(figures) == 1 and previous.function in ("convert_base", "to_roman", "number_in_words") and re.fullmatch(r"(?:\W|and|what about|how about|then|那|呢|\d|[零一二三四五六七八九十百千万])+", question.lower):
        value = int(figures[0].value)
        return Proposal(previous.function, dict(arguments, number=str(value) if previous.function == "convert_base" else value), 0.84, used=figures)
    return None


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give the number in its new form."""
    if function == "convert_base":
        form = "%s（%d 进制）= %s（%d 进制）" if language == "zh" else "%s (base %d) = %s (base %d)"
        return form % (result["number"], result["from_base"], result["result"], result["to_base"])
    if function == "number_in_words":
        return result["words"]
    return "%s = %s" % ((result["number"], result["roman"]) if function == "to_roman" else (result["roman"], result["number"]))
