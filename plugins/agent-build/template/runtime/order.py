"""Reads an order out of a sentence: which items of a list, how many of each, in which unit, and what is not on the list."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Dict, List, Sequence, Tuple

from runtime.figures import Figure
from runtime.measures import Measure, read_measures
from runtime.order_lines import Line, find_lines
from runtime.order_words import CLASSIFIERS, JOINTS, name_in
from runtime.question import Question
from runtime.text import has_cjk, stem

_PHYSICAL = ("mass", "volume", "length", "area", "time")


@dataclass
class Order:
    """An order: its lines, and the names of what was asked for but is not on the list."""

    lines: List[Line]
    unknown: List[str] = field(default_factory=list)
    named: List[Figure] = field(default_factory=list)  # the figures in names: iPhone 15, 半年卡
    told: List[Figure] = field(default_factory=list)  # the figures that count what is not on the list

    @property
    def used(self) -> List[Figure]:
        """The figures that are quantities."""
        return [figure for line in self.lines for figure in line.used] + self.named

    @property
    def counted(self) -> bool:
        """True when a figure says how many; the "one" of "which one" does not."""
        return any(not figure.soft for line in self.lines for figure in line.used)


# "A 6 year old" counts nobody.
_AGE = re.compile(r"[\s-]*(?:years?|yrs?|y/o|yo)[\s-]*olds?\b|\s*(?:周)?岁|[\s-]*yo\b", re.IGNORECASE)


def read_order(question: Question, items: Sequence[Dict[str, Any]]) -> Order:
    """The items with their quantities."""
    text = question.text
    lines = find_lines(text, items)
    figures = [f for f in question.figures_outside(lines) if f.kind == "number" and not f.currency and not _AGE.match(text, f.end)]
    # The day of "3 day passes" is part of a name, no unit.
    whole = [measure for measure in read_measures(text, figures) if not any(measure.start < line.end and line.start < measure.end for line in lines)]
    measures = {id(figure): measure for measure in whole for figure in measure.figures}
    by_name = {item["name"]: item for item in items}
    taken: List[Figure] = []
    behind = _counts_stand_behind(lines, figures, text)
    for index, line in enumerate(lines):
        start = lines[index - 1].end if index else 0
        end = lines[index + 1].start if index + 1 < len(lines) else len(text)
        before = [f for f in figures if start <= f.start and f.end <= line.start and f not in taken and not _SEPARATOR.search(text[f.end : line.start])]
        after = [f for f in figures if line.end <= f.start and f.end <= end]
        if behind:
            before = []
        behind_next = not behind and index + 1 < len(lines) and _belongs_ahead(text, after, lines[index + 1])
        _give(line, by_name[line.name], before[-1:], [] if behind_next and before else after if not behind_next else after[:-1], text, measures)
        taken.extend(line.used)
    for line in lines:
        # "for a year" of what is priced by the month is twelve of them.
        if line.quantity is None and str(by_name[line.name].get("per") or "").lower() in ("month", "月", "个月") and re.search(r"\b(?:a|per|one|whole|full|each) year\b|\byearly\b|\bannually\b|一年|每年|全年", text.lower()):
            line.quantity, line.unit = Decimal(1), "yr"
            line.used += [figure for figure in figures if figure.soft and figure not in taken]
    _share_spans(lines, by_name, figures, taken, text, measures)
    lines = [line for line in _once(lines, text) if not _LEFT_OUT.search(text[: line.start].lower())]
    for line in lines:
        if line.quantity is None and re.search(r"\b(?:both|a pair of|a couple of)\s+(?:my |the |your |our )?(?:\w+ )?$", text[: line.end].lower().rsplit(text[line.start : line.end].lower(), 1)[0][-40:]) or (
                line.quantity is None and re.search(r"\bboth\b", text[line.start : line.end].lower())):
            line.quantity = Decimal(2)
    unknown, told = _unknown(text, lines, question)
    named = [figure for figure in question.figures if any(figure.start < line.end and line.start < figure.end for line in lines)]
    return Order(lines, unknown, named, told)


def _once(lines: List[Line], text: str) -> List[Line]:
    """Two words of one item are one line, unless both are counted: "truing both wheels" for wheel truing."""
    kept: List[Line] = []
    for line in lines:
        same = next((other for other in kept if other.choices == line.choices and len(line.choices) == 1), None)
        if same and same.quantity is None and line.quantity is not None and line.end - line.start < same.end - same.start and _COUNTS_USERS.search(text[same.end : line.start].lower()):
            continue  # "a kids party for 10 kids" is one party: the 10 stay unused, and are asked about
        if same and (same.quantity is None or line.quantity is None):
            same.quantity, same.unit = (same.quantity, same.unit) if line.quantity is None else (line.quantity, line.unit)
            same.used, same.end = same.used + line.used, max(same.end, line.end)
        else:
            kept.append(line)
    return kept


_COUNTS_USERS = re.compile(r"^\s*(?:for|with|of|给|供)\b")
# Between a figure and the item that it counts stands none of these.
_SEPARATOR = re.compile(r"[,，;；、。\n]|\band\b|\bwith\b|\bplus\b|和|跟|加|与|还有|再|\+")


def _counts_stand_behind(lines: List[Line], figures: List[Figure], text: str) -> bool:
    """True for "apples 3, pears 2" and 香蕉3斤榴莲2斤: every item has one figure, and it stands behind."""
    if not lines or len(figures) != len(lines):
        return False
    ends = [line.start for line in lines[1:]] + [10**9]
    return all(line.end <= figure.start and figure.end <= end and not _SEPARATOR.search(text[line.end : figure.start]) for line, figure, end in zip(lines, figures, ends))


def _belongs_ahead(text: str, after: List[Figure], following: Line) -> bool:
    """True when the last figure between two items counts the second one ("latte, 2 teas", "apples 2 kg, pears 3 kg" does not)."""
    return bool(after) and _SEPARATOR.search(text[after[-1].end : following.start]) is None


def _give(line: Line, item: Dict[str, Any], before: List[Figure], after: List[Figure], text: str, measures: Dict[int, Measure]) -> None:
    """Take the figures beside an item as its quantity; a figure counted in the item's own unit multiplies ("2 rooms for 3 nights")."""
    for figure in before:
        _multiply(line, item, figure, text, measures)
    for figure in after:
        in_unit = _counts_per(item, figure, text)
        bare = not in_unit and id(figure) not in measures and not re.match(r"\s?[%s]" % "".join(CLASSIFIERS), text[figure.end :])
        if bare and figure.value == Decimal(str(item["amount"])):
            line.used.append(figure)  # the price itself: 染发198太贵了
            continue
        if bare and (figure.value != int(figure.value) or not re.match(r"\s*(?:$|[,，;；、。.!！?？)+&]|and\b|x\b|pieces?\b|times\b|please\b|pls\b|和|跟|加)", text[figure.end :].lower())):
            continue
        if not before or in_unit:
            gap = text[line.end : figure.start]
            if in_unit or re.fullmatch(r"\s*(?:[x×*:：,(（-]|各|just|only|about|[\u4e00-\u9fff]{0,2}(?<![和跟加与]))*\s*", gap) or (id(figure) in measures and len(gap) < 12):
                _multiply(line, item, figure, text, measures)
                if not in_unit:
                    break


def _multiply(line: Line, item: Dict[str, Any], figure: Figure, text: str, measures: Dict[int, Measure]) -> None:
    measure = measures.get(id(figure))
    word = text[measure.figures[-1].end : measure.end].strip() if measure and not measure.figures[-1].measure else measure.figures[-1].measure if measure else ""
    value, used = figure.value, [figure]
    if _counts_per(item, figure, text):
        line.unit = str(item.get("per") or "")
    if measure and measure.kind in _PHYSICAL and not (word in CLASSIFIERS and word not in "天") and not _counts_per(item, figure, text):
        value, used, line.unit = measure.value, list(measure.figures), measure.symbol
    if str(item.get("per") or "").lower() in ("dozen", "打") and figure.kind == "number":
        value, line.unit = figure.value / 12, str(item["per"])  # three dozen are 36
    line.quantity = value if line.quantity is None else line.quantity * value
    line.used.extend(used)


# "2 adults, no card": what is not wanted is no line.
_LEFT_OUT = re.compile(r"\b(?:no|without|not|except|excluding|minus)\s+(?:a |an |the |any )?(?:\w+ )?$|(?:不要|不加|不含|去掉)$")
# "Breakfast for 5" are five; a cake for 8 is one.
_MEAL = re.compile(r"\b(?:breakfast|brunch|lunch|dinner|supper|buffet|admission|entry)\b", re.IGNORECASE)


def _counts_per(item: Dict[str, Any], figure: Figure, text: str) -> bool:
    """True when a figure is counted in what the item is priced by: 3 nights, 4 people, 两小时."""
    per = str(item.get("per") or "").lower() or ("person" if _MEAL.search(str(item.get("name"))) else "")
    if not per or re.search(r"\d", per):
        return False
    following = text[figure.end : figure.end + 20].lower()
    if has_cjk(per):
        return following.lstrip(" 个").startswith(per) or figure.measure == per or (per in "人位" and bool(re.match("个?人|位|个?大人", following)))
    word = re.match(r"[\s-]*(?:more\s+|full\s+|extra\s+)?([a-z]+)", following)
    people = {"person", "people", "guest", "head", "adult", "pax", "ppl", "pers", "folk"}
    if per in people and not re.match(r"\s*[a-z]", following) and re.search(r"\bfor\s+$", text[: figure.start].lower()):
        return True  # "for two" of what is priced per person
    return bool(word) and (stem(word.group(1)) == stem(per) or (per in people and word.group(1).rstrip("s") in people))


def _share_spans(lines: List[Line], items: Dict[str, Dict[str, Any]], figures: List[Figure], taken: List[Figure], text: str, measures: Dict[int, Measure]) -> None:
    """"For 3 nights" or "for 4 people" at the end or the beginning counts for every item priced so."""
    outside = [figure for figure in figures if lines and (figure.end <= lines[0].start or figure.start >= lines[-1].end)]
    spans = [figure for figure in outside if any(_counts_per(items[line.name], figure, text) for line in lines)]
    for figure in spans:
        for line in lines:
            own = any(_counts_per(items[line.name], other, text) for other in line.used)
            if not own and _counts_per(items[line.name], figure, text):
                line.quantity = figure.value if line.quantity is None else line.quantity * figure.value
                line.used.append(figure)
                line.unit = str(items[line.name].get("per") or "")


def _unknown(text: str, lines: List[Line], question: Question) -> Tuple[List[str], List[Figure]]:
    """Names between the joints of a list of items that are no item: "2 lattes and a muffin"."""
    if not lines:
        return [], []
    blank = list(text)
    for span in [*lines, *question.figures, *question.measures]:
        blank[span.start : span.end] = "\x00" * (span.end - span.start)
    rest = "".join(blank)
    pieces: List[Tuple[int, int, bool]] = []
    at = 0
    joints = [(joint.start(), joint.end()) for joint in JOINTS.finditer(rest)]
    if has_cjk(text):
        # 一份煎饺两瓶可乐: a new count begins a new thing.
        counts = [match.start() for match in re.finditer("\x00+(?=[%s])" % "".join(CLASSIFIERS), rest)]
        counts = [start for start in counts if not any(line.start <= start < line.end for line in lines)]
        joints = sorted(joints + [(start, start) for start in counts])
    for joint_start, joint_end in [*joints, (len(rest), len(rest))]:
        if joint_start > at or joint_start == len(rest):
            pieces.append((at, joint_start, at > 0))
        at = max(at, joint_end)
    unknown: List[str] = []
    told: List[Figure] = []
    for start, end, joined in pieces:
        counted = "\x00" in rest[start:end]
        if len(pieces) == 1 or any(start <= line.start < end for line in lines):
            continue  # what stands before or behind an item in its own piece is talk
        name = name_in(rest[start:end], joined or counted)
        if name:
            unknown.append(name)
            told.extend(figure for figure in question.figures if start <= figure.start < end)
    return unknown, told
