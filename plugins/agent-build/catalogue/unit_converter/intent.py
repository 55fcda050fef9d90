"""When a question converts a measure: "12 kg in lb", "how many feet are 3 m", "12公斤是多少磅", "and in g?"."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Tuple

from runtime.question import Proposal, Question
from runtime.text import number_text, rounded
from runtime.units import NAMES, convert, find_unit

_CHINESE = sorted((name for name in NAMES if not name[0].isascii()), key=len, reverse=True)
_LATIN = sorted((name for name in NAMES if name[0].isascii()), key=len, reverse=True)
_NAME = re.compile(
    r"(?<![a-z0-9])(?:%s)s?(?![a-z0-9²³/])|%s" % ("|".join(map(re.escape, _LATIN)), "|".join(map(re.escape, _CHINESE))),
    re.IGNORECASE,
)
_MEASURE = re.compile(r"(?<![A-Za-z0-9_.])(-?\d+(?:,\d{3})*(?:\.\d+)?)\s*(?:个)?\s*(?=(%s))" % _NAME.pattern.replace("(?<![a-z0-9])", ""), re.IGNORECASE)
_DISPLAY = {"c": "°C", "f": "°F", "k": "K", "l": "L", "m3": "m³", "m2": "m²", "cm2": "cm²", "km2": "km²", "ft2": "ft²"}
# Words that are units on paper but rarely in a sentence.
_AMBIGUOUS = {"in", "d", "t", "b", "c", "f", "k", "h", "s", "st", "j", "li", "mu", "min", "节", "码", "年", "天", "周", "星期", "杯"}


def propose(question: Question) -> Optional[Proposal]:
    """Find a number with a unit and a second unit of the same kind."""
    if len(question.text) > 300:
        return None
    if question.has("list units", "which units", "what units", "哪些单位", "什么单位"):
        return Proposal("list_units", {}, 0.8)
    text = question.plain
    measure = _MEASURE.search(text)
    previous = question.previous("convert_units")
    if measure:
        value, source = float(measure.group(1).replace(",", "")), measure.group(2)
        end = measure.end() + len(source)
        value, end = _with_smaller_parts(text, value, source, end)
        rest = text[: measure.start()] + " ; " + text[end:]
        target = _target(rest, source)
        if target:
            return Proposal("convert_units", {"value": value, "from_unit": _plain(source), "to_unit": _plain(target)}, 0.95)
        if previous and question.is_follow_up and _same_kind(source, previous.arguments["to_unit"]):
            return Proposal(
                "convert_units", {"value": value, "from_unit": _plain(source), "to_unit": previous.arguments["to_unit"]}, 0.85
            )
        unknown = re.search(r"\b(?:in|to|into)\s+([a-z]+)\s*\??$", rest.lower())
        if unknown and question.has("convert") and unknown.group(1) not in NAMES:
            return Proposal("convert_units", {"value": value, "from_unit": _plain(source), "to_unit": unknown.group(1)}, 0.7)
        return None
    if previous and len(text) < 40:
        source = previous.arguments["from_unit"]
        numbers = question.numbers()
        target = _target(text, source)
        if target and (question.is_follow_up or len(text) < 15):
            value = numbers[0] if numbers else previous.arguments["value"]
            return Proposal("convert_units", {"value": value, "from_unit": source, "to_unit": _plain(target)}, 0.9)
        if numbers and question.is_follow_up and not re.search(r"[a-z\u4e00-\u9fff]{2,}\s*[?？]?$", re.sub(r"呢|and|what about|how about|那", "", text)):
            return Proposal("convert_units", {"value": numbers[0], "from_unit": source, "to_unit": previous.arguments["to_unit"]}, 0.7)
    return None


def _with_smaller_parts(text: str, value: float, source: str, end: int) -> Tuple[float, int]:
    """Add what follows in a smaller unit: "5 feet 3 inches" is 5.25 feet."""
    while True:
        part = _MEASURE.match(text, re.compile(r"\s*(?:,|and|零|又)?\s*").match(text, end).end())
        if part is None or not _same_kind(part.group(2), source) or find_unit(source)[0] == "temperature":
            return value, end
        value = float("%.12g" % (value + convert(float(part.group(1).replace(",", "")), part.group(2), source)[3]))
        end = part.end() + len(part.group(2))


def _units_in(text: str) -> List[Tuple[str, bool]]:
    """The unit names of a text, each with whether a word such as "in" or "to" points at it."""
    found = []
    for match in _NAME.finditer(text):
        before = text[: match.start()].lower().rstrip()
        pointed = bool(re.search(r"(?:\bin|\binto|\bto|\bas|\bmany|\bmuch|成|为|是多少|多少|几|=)$", before))
        found.append((match.group(0), pointed))
    return found


def _target(text: str, source: str) -> Optional[str]:
    kind = find_unit(source)
    candidates = [(name, pointed) for name, pointed in _units_in(text) if _same_kind(name, source) and find_unit(name) != kind]
    for name, pointed in candidates:
        if pointed:
            return name
    return next((name for name, _ in candidates if name.lower() not in _AMBIGUOUS), None)


def _same_kind(one: str, other: str) -> bool:
    first, second = find_unit(one), find_unit(other)
    return bool(first and second and first[0] == second[0])


def _plain(name: str) -> str:
    unit = find_unit(name)
    return unit[1] if unit else name


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Write the equation with both units, or the list of units."""
    if function == "list_units":
        head = "可以换算的单位：" if language == "zh" else "I can convert between these units:"
        return head + "".join("\n- %s: %s" % (kind, ", ".join(units)) for kind, units in result["kinds"].items())
    left = "%s %s" % (number_text(result["value"]), _DISPLAY.get(result["from"], result["from"]))
    return "%s = %s %s" % (left, rounded(result["result"]), _DISPLAY.get(result["to"], result["to"]))
