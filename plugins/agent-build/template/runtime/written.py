"""When a question asks for a tool that was written for this agent: by its worked examples, its keywords and its units.

A question in the words of a worked example takes its values from the places where the example has them. In other words
it must name the tool by a keyword, and every value must be told apart from the others: by its unit, by its name beside
it, or because it is the only one. What cannot be told apart is asked for: a value is never guessed.
"""
from __future__ import annotations

import re
from functools import cached_property
from typing import Any, Dict, List, Optional, Sequence, Tuple

from runtime.figures import Figure
from runtime.question import Proposal, Question
from runtime.text import STOP_WORDS, has_cjk, language_of, stem
from runtime.units import convert, find_unit
from runtime.writing import json_number, show

_NUMBER = r"([-+]?\d[\d,]*(?:\.\d+)?|\.\d+)"
_QUOTES = "\"'“”‘’「」`"
_TAIL = re.compile(r"[\s?？。.!！]+$")
# How far from a figure its name may stand.
_NEAR = 28

Example = Tuple[str, Dict[str, Any]]


class WrittenIntent:
    """The intent of one function, from what is known of it."""

    def __init__(self, function: str, parameters: Sequence[Dict[str, str]], result: Dict[str, str], keywords: Sequence[str], examples: Sequence[Example]) -> None:
        self.function = function
        self.parameters = list(parameters)
        self.result = result
        self.keywords = [keyword.lower() for keyword in keywords]
        self.examples = list(examples)

    @cached_property
    def _templates(self) -> List["Tuple[re.Pattern[str], List[Dict[str, str]]]"]:
        found = [_template(question, arguments, self.parameters) for question, arguments in self.examples]
        return [template for template in found if template]

    def propose(self, question: Question) -> Optional[Proposal]:
        """A call with all its values, a question for those that are missing, or None."""
        if len(question.text) > 4000:
            return None
        for pattern, slots in self._templates:
            match = pattern.fullmatch(_TAIL.sub("", question.text))
            if match:
                arguments = {slot["name"]: _read(match.group(at + 1), slot["kind"]) for at, slot in enumerate(slots)}
                if len(arguments) == len(self.parameters) and None not in arguments.values():
                    return Proposal(self.function, arguments, 0.97, used=self._used(question, match, slots))
        # Who pastes a text asks in front of it; figures and their question may stand on either side of a colon.
        named = question.asks if any("string" in parameter["kind"] for parameter in self.parameters) else question.has
        if not any(named(keyword) for keyword in self.keywords):
            return None
        arguments, used = self._bound(question)
        missing = [parameter for parameter in self.parameters if parameter["name"] not in arguments]
        if missing:
            return Proposal(self.function, arguments, 0.6, ask=_asked(missing))
        return Proposal(self.function, arguments, 0.88, used=used)

    def say(self, function: str, arguments: Dict[str, Any], result: Any, language: str) -> str:
        """The result behind what it is."""
        said = _said(result, language)
        unit = self.result.get("unit", "")
        meaning = self.result.get("meaning", "")
        told = "%s %s" % (said, unit) if unit and isinstance(result, (int, float)) and not isinstance(result, bool) else said
        if not meaning or (language == "zh") != (language_of(meaning) == "zh"):
            return told
        return "%s%s%s" % (meaning[0].upper() + meaning[1:], "：" if language == "zh" else ": ", told)

    def _used(self, question: Question, match: "re.Match[str]", slots: List[Dict[str, str]]) -> Optional[List[Figure]]:
        """The figures that stand where the values were taken from, and those that the words of the example hold."""
        if not any(slot["kind"].endswith("number") or slot["kind"] == "integer" for slot in slots):
            return None
        return list(question.figures)

    def _bound(self, question: Question) -> "Tuple[Dict[str, Any], Optional[List[Figure]]]":
        arguments: Dict[str, Any] = {}
        used: List[Figure] = []
        figures = [figure for figure in question.figures if figure.kind in ("number", "percent") and not figure.soft]
        numbers = [parameter for parameter in self.parameters if parameter["kind"] in ("number", "integer")]
        texts = [parameter for parameter in self.parameters if parameter["kind"] == "string"]
        lists = [parameter for parameter in self.parameters if parameter["kind"] == "array of number"]
        if texts:
            text = self._text(question)
            if text is not None and len(texts) == 1:
                arguments[texts[0]["name"]] = text
            # The figures of a pasted text are its own.
            figures = [] if text is not None else figures
        for parameter in numbers:
            self._by_unit(question, parameter, numbers, arguments, used)
        for parameter in numbers:
            if parameter["name"] not in arguments:
                self._by_name(question, parameter, figures, arguments, used)
        open_numbers = [parameter for parameter in numbers if parameter["name"] not in arguments]
        free = [figure for figure in figures if figure not in used]
        measured = {id(figure) for measure in question.measures for figure in measure.figures}
        if len(open_numbers) == 1 and len(free) == 1 and not lists and (id(free[0]) not in measured or not find_unit(open_numbers[0].get("unit", "") or "?")):
            value = _as(free[0].value, open_numbers[0]["kind"])
            if value is not None:
                arguments[open_numbers[0]["name"]] = value
                used.append(free[0])
        if len(lists) == 1 and not open_numbers:
            free = [figure for figure in figures if figure not in used]
            if free:
                arguments[lists[0]["name"]] = [json_number(figure.value) for figure in free]
                used += free
        return arguments, used if numbers or lists else None

    def _by_unit(self, question: Question, parameter: Dict[str, str], numbers: List[Dict[str, str]], arguments: Dict[str, Any], used: List[Figure]) -> None:
        known = find_unit(parameter.get("unit", "") or "?")
        if not known:
            return
        rivals = [other for other in numbers if other is not parameter and (find_unit(other.get("unit", "") or "?") or ("",))[0] == known[0]]
        fitting = [measure for measure in question.measures if measure.kind == known[0]]
        if rivals or len(fitting) != 1:
            return
        value = _as(convert(fitting[0].value, fitting[0].symbol, known[1])[3], parameter["kind"])
        if value is not None:
            arguments[parameter["name"]] = value
            used.extend(fitting[0].figures)

    def _by_name(self, question: Question, parameter: Dict[str, str], figures: List[Figure], arguments: Dict[str, Any], used: List[Figure]) -> None:
        """The one figure right behind, or right before, a word by which the value is called and which no other value has."""
        names = _words(parameter) - set().union(*[_words(other) for other in self.parameters if other is not parameter])
        found = []
        for figure in figures:
            if figure in used:
                continue
            before = question.lower[max(0, figure.start - _NEAR) : figure.start]
            for other in figures:
                if other is not figure and other.end <= figure.start:
                    before = before[-(figure.start - other.end) :] if figure.start - other.end < len(before) else before
            behind = re.match(r"\W*(\w+)", question.lower[figure.end :])
            near = {stem(word) for word in re.findall(r"[a-z]+", before)} | ({stem(behind.group(1))} if behind else set())
            if near & names or any(has_cjk(name) and name in before for name in names):
                found.append(figure)
        if len(found) != 1:
            return
        measured = [measure for measure in question.measures if found[0] in measure.figures]
        unit = find_unit(parameter.get("unit", "") or "?")
        value = found[0].value
        if measured and unit:
            if measured[0].kind != unit[0]:
                return
            value = convert(measured[0].value, measured[0].symbol, unit[1])[3]
        value = _as(value, parameter["kind"])
        if value is not None:
            arguments[parameter["name"]] = value
            used.append(found[0])

    def _text(self, question: Question) -> Optional[str]:
        text = question.payload()
        if text is None:
            text = question.after(*sorted(self.keywords, key=len, reverse=True))
            text = re.sub(r"^(?:of|for|in|the (?:word|text|phrase)|this|that|:)\s+", "", text, flags=re.IGNORECASE) if text else None
        return text.strip(_QUOTES) if text and text.strip(_QUOTES + " ") else None


def _words(parameter: Dict[str, str]) -> set:
    words = set(re.findall(r"[a-z]+", parameter["name"].replace("_", " ") + " " + parameter.get("meaning", "").lower()))
    chinese = set(re.findall(r"[\u4e00-\u9fff]{2,}", parameter.get("meaning", "")))
    return {stem(word) for word in words if word not in STOP_WORDS and len(word) > 1} | chinese


def _template(question: str, arguments: Dict[str, Any], parameters: List[Dict[str, str]]) -> "Optional[Tuple[re.Pattern[str], List[Dict[str, str]]]]":
    """A pattern of the example's question with its values as slots; None when a value does not stand there exactly once."""
    places = []
    for parameter in parameters:
        value, kind = arguments.get(parameter["name"]), parameter["kind"]
        if kind in ("number", "integer"):
            found = [match for match in re.finditer(_NUMBER, question) if _read(match.group(1), "number") == value]
        elif kind == "string" and isinstance(value, str) and value.strip():
            found = list(re.finditer(re.escape(value.strip()), question, re.IGNORECASE))
        else:
            return None
        if len(found) != 1:
            return None
        places.append((found[0].start(), found[0].end(), parameter))
    places.sort(key=lambda place: place[0])
    if not places or any(after[0] < before[1] for before, after in zip(places, places[1:])):
        return None
    pattern, slots, at = "", [], 0
    body = _TAIL.sub("", question)
    for start, end, parameter in places:
        pattern += _loosely(body[at:start]) + (_NUMBER if parameter["kind"] in ("number", "integer") else r"(.+?)")
        slots.append(parameter)
        at = end
    # Without words of its own it would fit every question.
    if not re.search(r"\w{2}|[\u4e00-\u9fff]", body[: places[0][0]] + body[at:]):
        return None
    return re.compile(pattern + _loosely(body[at:]), re.IGNORECASE | re.DOTALL), slots


def _loosely(text: str) -> str:
    """The words of a text, however many blanks and which quotes stand between them."""
    parts = re.split(r"(\s+|[%s]+)" % re.escape(_QUOTES), text)
    return "".join(r"\s+" if part.isspace() else "[%s]*" % re.escape(_QUOTES) if part and part[0] in _QUOTES else re.escape(part) for part in parts)


def _read(text: str, kind: str) -> Any:
    if kind == "string":
        return text.strip().strip(_QUOTES)
    number = float(text.replace(",", ""))
    if number.is_integer():
        return int(number)
    return None if kind == "integer" else number


def _as(value: Any, kind: str) -> Any:
    """A decimal as the parameter wants it; None when it is none of these."""
    if kind == "integer" and value != value.to_integral_value():
        return None
    return json_number(value)


def _asked(missing: List[Dict[str, str]]) -> Dict[str, str]:
    names = ["%s%s" % (parameter.get("meaning") or parameter["name"], " (%s)" % parameter["unit"] if parameter.get("unit") else "") for parameter in missing]
    return {"en": "Please tell me: %s." % "; ".join(names), "zh": "请告诉我：%s。" % "；".join(names)}


def _said(result: Any, language: str) -> str:
    if isinstance(result, bool):
        return ("是" if result else "否") if language == "zh" else ("yes" if result else "no")
    if isinstance(result, float):
        return show(round(result, 4)) if abs(result) >= 0.01 else "%.6g" % result
    if isinstance(result, int):
        return str(result)
    if isinstance(result, dict):
        return "\n".join("%s: %s" % (str(key).replace("_", " "), _said(value, language)) for key, value in result.items())
    if isinstance(result, (list, tuple)):
        return ("、" if language == "zh" else ", ").join(_said(value, language) for value in result) or ("（无）" if language == "zh" else "(none)")
    return str(result)
