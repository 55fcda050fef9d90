"""Measures: figures with a unit behind them, "5 feet 3 inches" and 3千克, found in a text."""
from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import List, NamedTuple, Optional, Sequence

from runtime.figures import Figure
from runtime.units import NAMES, convert, find_unit

# Words that are units on paper but rarely in a sentence: as a wanted unit they count only where a word such as "in" points at them.
AMBIGUOUS = {"in", "d", "t", "b", "c", "f", "k", "h", "s", "st", "j", "li", "mu", "min", "ms", "w", "bar", "pa", "m", "g", "l", "ha", "pt", "ct", "cal",
             "chi", "cun", "jin", "liang", "qian", "节", "码", "年", "天", "日", "周", "星期", "礼拜", "杯", "里", "钱", "两", "寸", "尺", "巴", "帕", "瓦", "焦", "卡", "平方"}


class Measure(NamedTuple):
    """A quantity with its unit: value, kind and symbol of the unit, its place, the figures in it."""

    value: Decimal
    kind: str
    symbol: str
    start: int
    end: int
    figures: List[Figure]


@lru_cache(maxsize=1)
def unit_pattern() -> "re.Pattern[str]":
    """Any unit's name."""
    latin = sorted((name for name in NAMES if name.isascii() or name[0] in "°µ"), key=len, reverse=True)
    other = sorted((name for name in NAMES if not name.isascii()), key=len, reverse=True)
    plural = "|".join(re.escape(name).replace("\\ ", r"\s+") + ("s?" if len(name) > 1 and name[-1].isalpha() and name[-1] != "s" else "") for name in latin)
    per = plural.replace(r"\ per", r"s?\s+per")
    return re.compile(r"(?:%s)(?![A-Za-z0-9²³])(?!/[a-z])|%s" % (per, "|".join(map(re.escape, other))), re.IGNORECASE)


def unit_at(text: str, place: int) -> Optional["re.Match[str]"]:
    """The unit that stands at a place of the text, behind a space, a hyphen or 个."""
    degrees = re.compile(r"\s?(?:degrees?|deg\.?|度)\s*").match(text, place)
    gap = degrees or re.compile(r"\s?(?:个|-)?").match(text, place)
    unit = unit_pattern().match(text, gap.end() if gap else place)
    if unit is None or (degrees and find_unit(unit.group(0)) and find_unit(unit.group(0))[0] != "temperature"):
        return None
    return None if is_preposition(text, unit) else unit


def is_preposition(text: str, unit: "re.Match[str]") -> bool:
    """True when "in" is the word, not inches: another unit follows, and it is not one that "12 in cm" could be."""
    if unit.group(0).lower() != "in":
        return False
    following = re.match(r"\s+(?:the |a )?", text[unit.end() :])
    named = unit_pattern().match(text, unit.end() + following.end()) if following else None
    found = find_unit(named.group(0)) if named else None
    before = text[: unit.start()].rstrip()
    return bool(found) and (found[0] != "length" or not before[-1:].isdigit()) or bool(re.match(r"\s+[A-Za-z]{3,}", text[unit.end() :]) and not found)


def read_measures(text: str, figures: Sequence[Figure]) -> List[Measure]:
    """All figures of a text that have a unit; parts of one measure ("1 hour 20 minutes") are put together."""
    found: List[Measure] = []
    for figure in figures:
        if figure.kind != "number" or (figure.currency and not _weighs(figure)):
            continue
        if figure.measure and find_unit(figure.measure):
            kind, symbol = find_unit(figure.measure)
            end = figure.end
        else:
            feet = re.match(r"\s?(''|['’′]|[\"”″])(?![A-Za-z]{2})", text[figure.end :])
            place = figure.end
            if re.search("half|quarter|third|fifth|tenth", figure.text, re.IGNORECASE):  # half a kilo, three quarters of an hour
                place += re.match(r"(?:\s+of)?\s+an?(?=\s)|", text[place:]).end()
            unit = None if feet else unit_at(text, place)
            if feet:
                kind, symbol, end = "length", "ft" if feet.group(1) in "'’′" else "in", figure.end + feet.end()
            elif unit is not None and find_unit(unit.group(0)):
                (kind, symbol), end = find_unit(unit.group(0)), unit.end()
            else:
                if found and found[-1].symbol in ("ft", "h", "m", "st") and figure.start - found[-1].end <= 1 and figure.value < 100 and figure.text.isdigit():
                    smaller = {"ft": "in", "h": "min", "m": "cm", "st": "lb"}[found[-1].symbol]  # 6 ft 2, 1h30, 1米75
                    found[-1] = _joined(found[-1], Measure(figure.value, found[-1].kind, smaller, figure.start, figure.end, [figure]))
                continue
        measure = Measure(figure.value, kind, symbol, figure.start, end, [figure])
        rest = re.match(r"([一二三四五六七八九]{1,2}|\d{1,2})(?![\d.个米厘分公])", text[end:]) if text[end - 1 : end] == "米" and symbol == "m" else None
        if rest:  # 一米八 is 1.8 m, 1米75 is 1.75 m
            digits = "".join(str("零一二三四五六七八九".find(char)) if char in "一二三四五六七八九" else char for char in rest.group(1))
            measure = measure._replace(value=figure.value + Decimal(digits).scaleb(-len(digits)), end=end + rest.end(), figures=[figure, *(f for f in figures if end <= f.start < end + rest.end())])
        last = found[-1] if found else None
        joint = text[last.end : measure.start] if last else ""
        if last and last.kind == kind != "temperature" and re.fullmatch(r"\s*(?:,|and|零|又)?\s*", joint) and _smaller(symbol, last.symbol, kind):
            found[-1] = _joined(last, measure)
        else:
            found.append(measure)
    return found


def _weighs(figure: Figure) -> bool:
    return bool(re.search("pounds?$", figure.text, re.IGNORECASE))


def _smaller(symbol: str, other: str, kind: str) -> bool:
    return convert(1, symbol, other)[3] < 1


def _joined(measure: Measure, part: Measure) -> Measure:
    value = measure.value + convert(part.value, part.symbol, measure.symbol)[3]
    return measure._replace(value=value, end=part.end, figures=measure.figures + part.figures)
