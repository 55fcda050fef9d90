"""When a question brings CSV text along, or goes on about the CSV of an earlier question."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Tuple

from runtime.question import Proposal, Question
from runtime.tables import markdown, number_in
from runtime.figures import in_digits
from runtime.text import has_cjk, stem
from runtime.writing import rounded
from tools.csv_query import parse_csv

DOES = True
READS_TEXT = True

_FIGURES = [
    ("average", ("average", "mean", "平均")),
    ("median", ("median", "中位数")),
    ("maximum", ("maximum", "max", "highest", "largest", "biggest", "most", "最大", "最高", "最多")),
    ("minimum", ("minimum", "min", "lowest", "smallest", "least", "最小", "最低", "最少")),
    ("sum", ("sum", "total", "add up", "总和", "合计", "总计", "求和", "总共", "一共")),
    ("count", ("how many rows", "count", "number of rows", "how many", "多少行", "几行", "行数", "多少条")),
]
_FUNCTIONS = ("describe_csv", "csv_figure", "filter_csv", "sort_csv", "group_csv")


def propose(question: Question) -> Optional[Proposal]:
    """Take the CSV block of the message, then read what is asked about it."""
    text, instruction = _csv_block(question)
    sure = 0.93
    if text is None:
        previous = question.previous(*_FUNCTIONS)
        if previous is None:
            return None
        text, instruction, sure = previous.arguments["text"], question.lower, 0.7
    if question.has("markdown") or "json" in instruction:
        sure -= 0.2  # a request to reshape, not to compute
    try:
        columns, rows = parse_csv(text)
    except ValueError:
        return None  # it only looked like CSV
    named = _columns(instruction, columns)
    figure = next((name for name, words in _FIGURES if any(_in(word, instruction) for word in words)), None)
    numeric = [column for column in columns if rows and any(number_in(row[column]) is not None for row in rows)]
    grouped = re.search(r"\b(?:by|per|for each|for every|grouped by)\s+(.+?)(?:\n|$)|按(.+?)(?:分组|统计|汇总|，|$)", instruction)
    if grouped and not re.search(r"\b(?:sort|order)", instruction) and "排序" not in instruction:
        by = _columns(grouped.group(1) or grouped.group(2), columns)
        if by:
            others = [column for column in named if column != by[0]] or [column for column in numeric if column != by[0]]
            what = figure or ("sum" if any(column in numeric for column in others) and any(column in named for column in others) else "count")
            return Proposal("group_csv", {"text": text, "by": by[0], "column": others[0] if others and what != "count" else "", "what": what}, sure)
    if re.search(r"\bsort|\border(?:ed)? by|排序", instruction) and named:
        descending = bool(re.search(r"desc|largest first|highest first|from high|降序|从大到小|从高到低", instruction))
        return Proposal("sort_csv", {"text": text, "column": named[-1], "descending": descending}, sure)
    condition = _condition(instruction, columns, rows, named)
    if condition and figure in (None, "count"):
        return Proposal("filter_csv", dict(condition, text=text), sure)
    if figure == "count":
        return Proposal("csv_figure", {"text": text, "column": "", "what": "count"}, sure)
    if figure:
        target = [column for column in named if column in numeric] or numeric
        if target:
            return Proposal("csv_figure", {"text": text, "column": target[0], "what": figure}, sure)
    if sure > 0.9 or any(_in(word, instruction) for word in ("columns", "describe", "rows", "列", "描述")):
        return Proposal("describe_csv", {"text": text}, sure - 0.2)
    return None


def _csv_block(question: Question) -> Tuple[Optional[str], str]:
    """The lines of the message that form CSV, and the rest of it."""
    body = question.payload()
    for candidate in (body, question.text):
        lines = [line for line in (candidate or "").splitlines() if line.strip()]
        for delimiter in ",;\t|，":
            block: List[str] = []
            for line in lines:
                cells = line.count(delimiter)
                if cells and (not block or abs(cells - block[0].count(delimiter)) == 0 or '"' in line):
                    block.append(line)
                elif len(block) >= 2:
                    break
                else:
                    block = [line] if cells else []
            if len(block) >= 2 and not (delimiter == "|" and any(re.fullmatch(r"[\s|:\-]+", line) for line in block)) and not block[0].lstrip().startswith(("{", "[")):
                rest = question.text
                for line in block:
                    rest = rest.replace(line, " ", 1)
                return "\n".join(block), rest.lower()
    return None, ""


def _in(word: str, text: str) -> bool:
    return word in text if has_cjk(word) else re.search(r"(?<![a-z])%s(?![a-z])" % re.escape(word), text) is not None


def _columns(text: str, columns: List[str]) -> List[str]:
    """The columns a text names, in the order in which it names them."""
    words = [stem(word) for word in re.findall(r"[a-z0-9_]+", text.lower())]
    found = []
    for column in columns:
        parts = [stem(part) for part in re.findall(r"[a-z0-9_]+", column.lower())]
        if has_cjk(column):
            if column in text:
                found.append((text.index(column), column))
        elif parts and all(part in words for part in parts):
            found.append((words.index(parts[0]), column))
    return [column for _, column in sorted(found, key=lambda pair: pair[0])]


def _condition(instruction: str, columns: List[str], rows: List[Dict[str, Any]], named: List[str]) -> Optional[Dict[str, Any]]:
    plain = in_digits(instruction)
    for operator, words in (
        (">=", r"(?:at least|>=|不少于|不低于)"), ("<=", r"(?:at most|<=|不超过|不高于)"),
        (">", r"(?:more than|greater than|over|above|higher than|larger than|older than|>|大于|超过|高于|多于)"),
        ("<", r"(?:less than|fewer than|under|below|lower than|smaller than|younger than|<|小于|低于|少于)"),
    ):
        match = re.search(words + r"\s*(-?\d+(?:\.\d+)?)", plain)
        if match and named:
            return {"column": named[0], "operator": operator, "value": match.group(1)}
    if re.search(r"where|with|only|filter|whose|in|from|筛选|只|等于|是|为", plain):
        for column in columns:
            for value in {str(row[column]) for row in rows}:
                if len(value) > 1 and number_in(value) is None and _in(value.lower(), plain):
                    return {"column": column, "operator": "=", "value": value}
    return None


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give the figure in a sentence, rows as a Markdown table."""
    zh = language == "zh"
    if function == "describe_csv":
        head = "共 %d 行，%d 列：" if zh else "%d rows, %d columns:"
        lines = ["- %s (%s, %d distinct)" % (c["name"], c["kind"], c["distinct"]) for c in result["columns"]]
        return "\n".join([head % (result["rows"], len(result["columns"]))] + lines)
    if function == "csv_figure":
        if result["what"] == "count":
            return "共 %d 行。" % result["value"] if zh else "There are %d rows." % result["value"]
        names = {"sum": "总和", "average": "平均值", "minimum": "最小值", "maximum": "最大值", "median": "中位数"}
        if zh:
            text = "%s的%s是 %s。" % (result["column"], names[result["what"]], rounded(result["value"]))
        else:
            text = "The %s of %s is %s." % (result["what"], result["column"], rounded(result["value"]))
        return text + ("\n\n" + markdown(list(result["row"]), [result["row"]]) if result["row"] else "")
    if function == "group_csv":
        label = result["what"] + (" " + result["column"] if result["column"] else "")
        return markdown([result["by"], label], [{result["by"]: key, label: rounded(value)} for key, value in result["groups"].items()])
    head = ("共 %d 行：" if zh else "%d rows:") % result["count"]
    return head + "\n\n" + markdown(result["columns"], result["rows"])
