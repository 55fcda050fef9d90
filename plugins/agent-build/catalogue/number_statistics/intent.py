"""When a question gives a list of numbers and asks for a figure over them."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question
from runtime.text import rounded

_FIGURES = [
    ("standard_deviation", ("standard deviation", "std dev", "stdev", "spread", "标准差")),
    ("median", ("median", "中位数")),
    ("mean", ("mean", "average", "平均", "平均值", "平均数", "均值")),
    ("mode", ("mode", "众数")),
    ("range", ("range", "极差")),
    ("maximum", ("maximum", "max", "largest", "biggest", "highest", "最大")),
    ("minimum", ("minimum", "min", "smallest", "lowest", "最小")),
    ("sum", ("sum", "total", "add up", "总和", "求和", "之和", "合计")),
    ("all", ("statistics", "describe", "stats", "统计", "分析")),
]
_ZH = {"standard_deviation": "标准差", "median": "中位数", "mean": "平均值", "mode": "众数", "range": "极差", "maximum": "最大值",
       "minimum": "最小值", "sum": "总和", "count": "个数", "quartiles": "四分位数"}


def propose(question: Question) -> Optional[Proposal]:
    """A figure's name and at least two numbers; or a further figure of the numbers of before."""
    asked = next((name for name, words in _FIGURES if question.has(*words)), None)
    if asked is None or re.search(r"\d{4}-\d{2}-\d{2}", question.text):
        return None
    previous = question.previous("describe_numbers")
    numbers = question.numbers()
    listed = re.findall(r"-?\d+(?:\.\d+)?(?:\s*[,，、;\s]\s*(?:and |和)?-?\d+(?:\.\d+)?)+", question.plain)
    if listed:
        longest = max(listed, key=len)
        numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", longest)]
        if len(re.findall(r"[^\d\s,.;，、-]{2,}", longest)) == 0 and len(numbers) >= 2:
            return Proposal("describe_numbers", {"numbers": numbers}, 0.92 if len(numbers) > 2 else 0.75)
    if previous and len(numbers) == 0 and len(question.text) < 60:
        return Proposal("describe_numbers", {"numbers": previous.arguments["numbers"]}, 0.82)
    if len(numbers) >= 2 and question.has("numbers", "of", "数字") and not re.search(r"[a-z]{3,}\s*\d+\s*[a-z]{2,}", question.lower):
        return Proposal("describe_numbers", {"numbers": numbers}, 0.6)
    return None


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """List the figures."""

    def shown(value: Any) -> str:
        if isinstance(value, list):
            return ", ".join(rounded(one) for one in value) or "-"
        return "-" if value is None else rounded(value)

    names = _ZH if language == "zh" else {name: name.replace("_", " ") for name in result}
    order = ["mean", "median", "sum", "minimum", "maximum", "range", "standard_deviation", "quartiles", "mode", "count"]
    return "\n".join("- %s: %s" % (names[name], shown(result[name])) for name in order)
