"""When a question converts a measure: "12 kg in lb", "how many feet are 3 m", "12公斤是多少磅", "and in g?"."""
from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Dict, List, Optional, Tuple

from runtime.measures import AMBIGUOUS, Measure, is_preposition, unit_pattern
from runtime.question import Proposal, Question
from runtime.units import find_unit
from runtime.writing import json_number, rounded, show

DOES = True
_DISPLAY = {"c": "°C", "f": "°F", "k": "K", "l": "L", "ml": "mL", "m3": "m³", "cm3": "cm³", "ft3": "ft³", "m2": "m²", "cm2": "cm²", "km2": "km²", "ft2": "ft²", "mm2": "mm²", "in2": "in²",
            "yd2": "yd²", "mi2": "mi²", "kb": "KB", "mb": "MB", "gb": "GB", "tb": "TB", "pb": "PB", "b": "B", "mbit": "Mbit", "gbit": "Gbit", "kib": "KiB", "mib": "MiB", "gib": "GiB", "tib": "TiB",
            "floz": "fl oz", "impgal": "imperial gal", "ust": "US ton", "j": "J", "kj": "kJ", "wh": "Wh", "kwh": "kWh", "w": "W", "kw": "kW", "mw": "MW", "pa": "Pa", "hpa": "hPa",
            "kpa": "kPa", "mmhg": "mmHg", "um": "µm", "btu": "BTU", "mu": "mu", "yr": "years", "wk": "weeks", "d": "days"}
_ZH_DISPLAY = {"jin": "斤", "liang": "两", "qian": "钱", "li": "里", "chi": "尺", "cun": "寸", "mu": "亩", "yr": "年", "wk": "周", "d": "天", "h": "小时", "min": "分钟", "s": "秒", "cup": "杯",
               "impgal": "英制加仑", "ust": "美吨", "floz": "液盎司"}
# What a measure is converted into when nothing else is said: "350F?".
_ALONE = {"f": "c", "c": "f", "lb": "kg", "oz": "g", "mi": "km", "ft": "m", "in": "cm", "yd": "m", "gal": "l", "mph": "kmh", "jin": "kg"}
_DEGREES = re.compile(r"\s?(?:degrees?|deg\b|°(?![cf])|度)", re.IGNORECASE)
_POINTED = re.compile(r"(?:\bin|\binto|\bto|\bas|\bmany|\bmuch|\bof|\bequals?|\bthe|成|为|换|是多少|多少|几|等于|=|合|折合|相当于)(?:\s+(?:us|uk|imperial))?$", re.IGNORECASE)
_CONVERTS = re.compile(r"\b(?:convert|conversion|how many|how much|what(?:'s| is| are)|in|into|to|equals?)\b|换算|转换|等于|多少|是几|合|几")
_UNITLESS_FOLLOW = re.compile(r"^(?:\W|and|what about|how about|what if|if|then|ok|now|it|is|was|were|for|make it|同样|那|么|如果|是|换成|呢|要是|[\d.,/%-])*$")


def propose(question: Question) -> Optional[Proposal]:
    """Find a number with a unit and a second unit of the same kind."""
    text = question.text
    if len(text) > 300:
        return None
    if question.has("list units", "which units", "what units", "哪些单位", "什么单位"):
        return Proposal("list_units", {}, 0.8)
    measures = [_as_volume(measure, text) for measure in question.measures]
    compared = _compared(question, measures)
    if compared:
        return compared
    previous = question.previous("convert_units") or question.pending("convert_units")
    measure = measures[0] if measures else _degrees(question) or _one(question)
    if measure:
        target, known = _target(question, measure, measures)
        if target:
            sure = 0.95 if known and _CONVERTS.search(question.lower) else 0.85 if known else 0.6
            proposal = _conversion(measure.value, measure.symbol, target, sure, measure)
            second = _second_target(question, measure, measures, target) if known else None
            if second:
                proposal.arguments["also_unit"] = second
            return proposal
        if previous and question.is_follow_up and _kind(previous.arguments.get("to_unit", "")) == measure.kind and measures:
            wanted = previous.arguments["to_unit"]
            return _conversion(measure.value, measure.symbol, wanted if wanted != measure.symbol else previous.arguments["from_unit"], 0.85, measure)
        alone = _ALONE.get(measure.symbol) if measures and len(measures) == 1 else None
        left = question.lower[: measure.start] + question.lower[measure.end :]
        # 77华氏度多少度 asks for the other scale.
        if alone and measure.kind == "temperature" and re.fullmatch(r"(?:\W|是|等于|大概|换算|成|有)*(?:多少|几)摄?氏?度\W*", left):
            return _conversion(measure.value, measure.symbol, alone, 0.85, measure)
        if alone and re.fullmatch(r"(?:\W|what(?:'s| is)|how much is|convert|please|是多少|多少|等于|换算|呢)*", left):
            return _conversion(measure.value, measure.symbol, alone, 0.72, measure)
        unknown = re.search(r"\b(?:in|to|into)\s+([a-z]{2,})\s*\??$", text[measure.end :].lower())
        if unknown and question.has("convert") and find_unit(unknown.group(1)) is None:
            return _conversion(measure.value, measure.symbol, unknown.group(1), 0.7, measure)
        if measures and re.match(r"^\W*(?:please\s+)?(?:convert|换算)", question.lower):
            arguments = {"value": json_number(measure.value), "from_unit": measure.symbol, "to_unit": ""}
            return Proposal("convert_units", arguments, 0.75, ask={"en": "Into which unit shall I convert %s?" % text[measure.start : measure.end].strip(),
                                                                   "zh": "要把 %s 换算成什么单位？" % text[measure.start : measure.end].strip()})
        return None
    return _follow_up(question, previous) if previous else None


def _conversion(value: Decimal, source: str, target: str, sure: float, measure: Measure) -> Proposal:
    return Proposal("convert_units", {"value": json_number(value), "from_unit": source, "to_unit": target}, sure, used=measure.figures)


def _follow_up(question: Question, previous: Any) -> Optional[Proposal]:
    """"and in g?", "and 10?"."""
    if len(question.text) > 40:
        return None
    arguments = previous.arguments
    kind = _kind(arguments["from_unit"])
    numbers = [figure for figure in question.figures if figure.kind == "number"]
    named = [find_unit(name) for name, _, _ in _units_in(question.text)]
    wanted = next((unit[1] for unit in named if unit and unit[0] == kind), None)
    if wanted and not numbers and (question.is_follow_up or len(question.text) < 15):
        return Proposal("convert_units", dict(arguments, to_unit=wanted), 0.9, used=[])
    if len(numbers) == 1 and arguments["to_unit"] and (question.is_follow_up or len(question.text) < 8) and _UNITLESS_FOLLOW.match(question.lower):
        return Proposal("convert_units", dict(arguments, value=json_number(numbers[0].value)), 0.75, used=numbers)
    return None


def _kind(unit: str) -> str:
    found = find_unit(unit)
    return found[0] if found else ""


def _units_in(text: str) -> List[Tuple[str, int, int]]:
    """The unit names of a text that stand alone (not within a word)."""
    return [(match.group(0), match.start(), match.end()) for match in unit_pattern().finditer(text)
            if not (match.group(0)[0].isascii() and match.group(0)[0].isalpha() and re.search(r"[A-Za-z]$", text[: match.start()])) and not is_preposition(text, match)]


def _as_volume(measure: Measure, text: str) -> Measure:
    """Ounces are fluid ounces beside another unit of volume ("12 oz in ml")."""
    others = [find_unit(name) for name, start, end in _units_in(text) if end <= measure.start or start >= measure.end]
    if measure.symbol == "oz" and any(unit and unit[0] == "volume" for unit in others) and not any(unit and unit[0] == "mass" and unit[1] != "oz" for unit in others):
        return measure._replace(kind="volume", symbol="floz")
    return measure


def _compared(question: Question, measures: List[Measure]) -> Optional[Proposal]:
    if len(measures) != 2 or measures[0].kind != measures[1].kind:
        return None
    if not re.search(r"\b(?:more|less|longer|shorter|heavier|lighter|bigger|smaller|larger|hotter|colder|warmer|cooler|faster|slower|further|farther|greater|higher|lower|same|equal|compare|vs)\b|哪个|谁|比|一样|更", question.lower):
        return None
    one, other = measures
    return Proposal("compare_measures", {"value": json_number(one.value), "unit": one.symbol, "other_value": json_number(other.value), "other_unit": other.symbol}, 0.93,
                    used=one.figures + other.figures)


def _degrees(question: Question) -> Optional[Measure]:
    """"20 degrees in fahrenheit": the scale that is not named is the other one."""
    figure = next((figure for figure in question.figures if figure.kind == "number" and _DEGREES.match(question.text, figure.end)), None)
    if figure is None:
        return None
    named = [unit[1] for unit in (find_unit(name) for name, _, _ in _units_in(question.text[figure.end :])) if unit and unit[0] == "temperature"]
    return Measure(figure.value, "temperature", "c" if named == ["f"] else "f", figure.start, figure.end, [figure]) if named in (["f"], ["c"]) else None


def _one(question: Question) -> Optional[Measure]:
    """"How many ounces are in a pound?", 一英里等于多少公里: one of the second unit."""
    match = re.search(r"\b(?:in|is|are|does|make)\s+(?:an?|one|each|every)\s+([a-z ]+?)(?:\s+(?:have|contain|in|is|equal).*)?\s*[?.]?$", question.lower) or re.search(
        r"(?:^|\bconvert |\bis )(?:an?|one)\s+([a-z ]+?)\s+(?:in|to|into|=|equals?|is how many)\b", question.lower)
    if match is None or [figure for figure in question.figures if not figure.soft]:
        return None
    unit = find_unit(match.group(1))
    return Measure(Decimal(1), unit[0], unit[1], match.start(1), match.end(1), [figure for figure in question.figures if figure.soft]) if unit else None


def _target(question: Question, measure: Measure, measures: List[Measure]) -> Tuple[Optional[str], bool]:
    """The wanted unit, and whether it is of the measure's kind."""
    text = question.text
    other: Optional[str] = None
    fallback: Optional[str] = None
    for name, start, end in _units_in(text):
        if any(start < one.end and one.start < end for one in [measure, *measures]):
            continue
        unit = find_unit(name)
        if unit is None:
            continue
        pointed = bool(_POINTED.search(text[:start].rstrip()))
        if measure.kind == "volume" and unit[1] == "oz":
            unit = ("volume", "floz")
        if unit[0] == measure.kind and unit[1] != measure.symbol:
            if pointed:
                return unit[1], True
            if name.lower() not in AMBIGUOUS and fallback is None:
                fallback = unit[1]
        elif unit[0] != measure.kind and pointed and name.lower() not in AMBIGUOUS - {"g", "l", "m", "c", "f", "k"}:
            other = unit[1]
    return (fallback, True) if fallback else (other, False)


def _second_target(question: Question, measure: Measure, measures: List[Measure], first: str) -> Optional[str]:
    """The other unit of "in feet and inches", 换成厘米和英寸."""
    places = [(unit[1], start, end) for name, start, end in _units_in(question.text) for unit in [find_unit(name)]
              if unit and unit[0] == measure.kind and unit[1] != measure.symbol and not any(start < one.end and one.start < end for one in [measure, *measures])]
    for (one, _, end), (other, start, _) in zip(places, places[1:]):
        if first in (one, other) and one != other and re.fullmatch(r"\s*(?:,|and|or|&|\+|、|和|跟|及|以及|又是多少)\s*(?:in(?:to)?\s+)?", question.text[end:start].lower()):
            return other if one == first else one
    return None


def _shown(symbol: str, language: str) -> str:
    return _ZH_DISPLAY.get(symbol, _DISPLAY.get(symbol, symbol)) if language == "zh" else _DISPLAY.get(symbol, symbol)


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Write the equation with both units, or the list of units."""
    if function == "list_units":
        head = "可以换算的单位：" if language == "zh" else "I can convert between these units:"
        return head + "".join("\n- %s" % ", ".join(_shown(unit, language) for unit in units) for units in result["kinds"].values())
    if function == "compare_measures":
        first = "%s %s" % (show(result["value"]), _shown(result["unit"], language))
        second = "%s %s" % (show(result["other_value"]), _shown(result["other_unit"], language))
        same = "%s %s" % (rounded(result["other_in_unit"]), _shown(result["unit"], language))
        words = {-1: ("is less than", "小于"), 0: ("is the same as", "等于"), 1: ("is more than", "大于")}[result["order"]]
        return "%s%s%s（%s = %s）。" % (first, words[1], second, second, same) if language == "zh" else "%s %s %s (%s = %s)." % (first, words[0], second, second, same)
    value = show(result["value"])
    left = "%s %s" % (value if len(value.partition(".")[2]) <= 4 else rounded(result["value"]), _shown(result["from"], language))
    also = " = %s %s" % (rounded(result["also"]["result"]), _shown(result["also"]["to"], language)) if result.get("also") else ""
    return "%s = %s %s%s" % (left, rounded(result["result"]), _shown(result["to"], language), also)
