"""When a question gives a list of numbers and asks for a figure over them."""
from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Dict, List, Optional, Tuple

from runtime.figures import Figure
from runtime.question import Proposal, Question
from runtime.writing import json_number, rounded

DOES = True
_FIGURES: List[Tuple[str, "re.Pattern[str]"]] = [
    ("population_deviation", re.compile(r"\bpopulation (?:standard )?(?:deviation|std\w*|sd)\b|总体标准差")),
    ("standard_deviation", re.compile(r"\bstandard deviation\b|\bst(?:d|andard)\.? ?dev\w*\b|\bstd\b|\bstdev\b|\bsd\b|\bspread\b|标准差")),
    ("variance", re.compile(r"\bvariance\b|方差")),
    ("median", re.compile(r"\bmedian\b|\bmiddle (?:value|number)\b|中位数|中间数")),
    ("mean", re.compile(r"\bmean\b|\bav(?:e|a)?r(?:a|e)ge\b|\bavg\b|平均|均值")),
    ("mode", re.compile(r"\bmode\b|\bmost (?:common|frequent)\b|众数|出现最多")),
    ("range", re.compile(r"\brange\b|极差|全距")),
    ("quartiles", re.compile(r"\bquartiles?\b|\biqr\b|四分位")),
    ("maximum", re.compile(r"\bmax(?:imum)?\b|\blargest\b|\bbiggest\b|\bhighest\b|\bgreatest\b|最大|最高")),
    ("minimum", re.compile(r"\bmin(?:imum)?\b|\bsmallest\b|\blowest\b|最小|最低")),
    ("product", re.compile(r"\bproduct\b|乘积|之积")),
    ("count", re.compile(r"\bhow many (?:numbers|values|data ?points|are there)\b|\bcount\b|多少个数|几个数|个数")),
    ("sum", re.compile(r"\bsum\b|\btotal\b|\badd (?:up|these|them|those|all)\b|总和|求和|之和|合计|总计|加起来|总共|一共|的和|加到")),
    ("all", re.compile(r"\bstatistics?\b|\bdescribe\b|\bstats\b|\bsummar\w+\b|\banaly[sz]e\b|统计|分析|描述")),
]
_NAMES = {"mean": ("mean (average)", "平均值"), "median": ("median", "中位数"), "sum": ("sum", "总和"), "minimum": ("minimum", "最小值"), "maximum": ("maximum", "最大值"), "range": ("range", "极差"),
          "standard_deviation": ("standard deviation (sample)", "标准差（样本）"), "population_deviation": ("standard deviation (population)", "标准差（总体）"), "variance": ("variance (sample)", "方差（样本）"),
          "quartiles": ("quartiles", "四分位数"), "mode": ("mode", "众数"), "count": ("count", "个数"), "product": ("product", "乘积")}
_ORDER = ["mean", "median", "sum", "minimum", "maximum", "range", "standard_deviation", "population_deviation", "variance", "quartiles", "mode", "count"]
# Between the numbers of a list stand only these.
_GAP = re.compile(r"[\s,，、;；/|]*(?:and|or|和|及|以及|plus|\+|&|then)?[\s,，、;；]*", re.IGNORECASE)


def propose(question: Question) -> Optional[Proposal]:
    """A figure's name and at least two numbers; or a further figure of the numbers of before."""
    asked = [name for name, pattern in _FIGURES if pattern.search(question.lower)]
    if "population_deviation" in asked and "standard_deviation" in asked:
        asked.remove("standard_deviation")
    wanted: Dict[str, Any] = {"wanted": asked} if asked and "all" not in asked else {}
    previous = question.previous("describe_numbers")
    if question.of_kind("date"):
        return None
    listed = _listed(question)
    span = re.search(r"(-?\d+)\s*(?:to|through|until|到|至|加到)\s*(-?\d+)", question.plain)
    if span and len(question.numbers()) == 2 and "sum" in asked and 0 < int(span.group(2)) - int(span.group(1)) < 5000 and all(figure.value == int(figure.value) for figure in question.figures):
        whole = list(range(int(span.group(1)), int(span.group(2)) + 1))
        return Proposal("describe_numbers", dict(wanted, numbers=whole), 0.9, used=question.figures)
    if asked and len(listed) >= 2:
        return Proposal("describe_numbers", dict(wanted, numbers=[json_number(value) for value, _ in listed]), 0.92 if len(listed) > 2 else 0.78, used=[figure for _, figure in listed] + _size(question, listed))
    if previous and len(question.text) < 80:
        known = previous.arguments["numbers"]
        wanted = wanted or {name: value for name, value in previous.arguments.items() if name == "wanted"}
        if asked and not listed and not question.numbers():
            return Proposal("describe_numbers", dict(wanted, numbers=known), 0.86, used=[])
        numbers = [figure for figure in question.figures if figure.kind == "number"]
        if numbers and re.search(r"\b(?:add|include|append|with|also)\b|再?加|加入|添加", question.lower) and len(numbers) == len(listed or numbers):
            return Proposal("describe_numbers", dict(wanted, numbers=[*known, *(json_number(figure.value) for figure in numbers)]), 0.82, used=numbers)
        if numbers and re.search(r"\b(?:remove|without|drop|exclude|leave out)\b|去掉|删除|不算|除去", question.lower):
            rest = list(known)
            for figure in numbers:
                if json_number(figure.value) in rest:
                    rest.remove(json_number(figure.value))
            return Proposal("describe_numbers", dict(wanted, numbers=rest), 0.82, used=numbers) if rest else None
        if question.is_follow_up and len(listed) >= 2:
            return Proposal("describe_numbers", dict(wanted, numbers=[json_number(value) for value, _ in listed]), 0.8, used=[figure for _, figure in listed])
    if not asked and len(listed) > 2 and len(question.text) - (listed[-1][1].end - listed[0][1].start) < 4:
        return Proposal("describe_numbers", {"numbers": [json_number(value) for value, _ in listed]}, 0.6, used=[figure for _, figure in listed])
    return None


def _size(question: Question, listed: List[Tuple[Decimal, Figure]]) -> List[Figure]:
    """The "5" of "5 people weigh 60, 72, 81, 55 and 90 kg": it says how many numbers follow."""
    inside = [figure for _, figure in listed]
    return [figure for figure in question.figures if figure not in inside and figure.kind == "number" and figure.value == len(listed)]


def _listed(question: Question) -> List[Tuple[Decimal, Figure]]:
    """The longest run of numbers with nothing but commas, blanks and "and" between them."""
    best: List[Figure] = []
    run: List[Figure] = []
    for figure in question.figures:
        fits = figure.kind in ("number", "percent") and (not figure.soft or figure.text.isdigit() or run)
        if fits and run and _GAP.fullmatch(question.text[run[-1].end : figure.start]) and figure.start > run[-1].end:
            run.append(figure)
        else:
            run = [figure] if fits else []
        best = max(best, run, key=len)
    values: List[Tuple[Decimal, Figure]] = []
    for figure in best:
        # In a list without blanks, 100,200,300 are three numbers.
        parts = figure.text.split(",")
        if len(parts) > 2 and len(best) <= 2 and not figure.currency:
            values.extend((Decimal(part), figure) for part in parts)
        else:
            values.append((figure.value, figure))
    return values


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """List the figures."""

    def shown(value: Any) -> str:
        if isinstance(value, list):
            return ", ".join(rounded(one) for one in value) or "-"
        return "-" if value is None else rounded(value)

    wanted = [name for name in arguments.get("wanted") or [] if name in _NAMES]
    lines = []
    for name in wanted or _ORDER:
        value = result.get(name)
        if name == "mode" and not value:
            value = "没有（每个数只出现一次）" if language == "zh" else "none, no number repeats"
        label = _NAMES[name][1 if language == "zh" else 0]
        lines.append("%s: %s" % (label, value if isinstance(value, str) else shown(value)))
    return lines[0] if len(lines) == 1 else "\n".join("- " + line for line in lines)
