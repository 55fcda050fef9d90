"""When a question is about a table that the agent knows: a cell, a row, the highest, an average, a filter."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Tuple

from runtime.matching import find_mentions
from runtime.question import Proposal, Question
from runtime.tables import markdown, number_in
from runtime.text import has_cjk, rounded, stem
from tools.table_lookup import tables

_FIGURES: List[Tuple[str, Tuple[str, ...]]] = [
    ("average", ("average", "mean", "平均")),
    ("sum", ("total", "sum", "altogether", "in all", "总和", "总计", "合计", "总共", "一共", "总数")),
    ("median", ("median", "中位数")),
    ("maximum", ("highest", "largest", "biggest", "most", "maximum", "max", "longest", "oldest", "tallest", "greatest", "best", "heaviest", "fastest",
                 "最高", "最大", "最多", "最长", "最贵", "最重", "最快", "最好")),
    ("minimum", ("lowest", "smallest", "least", "minimum", "min", "shortest", "youngest", "fewest", "lightest", "slowest", "worst",
                 "最低", "最小", "最少", "最短", "最便宜", "最轻", "最慢")),
]
_COMPARE = [
    (">", r"(?:more than|over|above|greater than|higher than|bigger than|older than|longer than|at least|exceeds?|>=?|超过|大于|高于|多于|以上)"),
    ("<", r"(?:less than|under|below|fewer than|lower than|smaller than|younger than|shorter than|at most|<=?|小于|低于|少于|不到|以下)"),
]


def propose(question: Question) -> Optional[Proposal]:
    """Match the message with every table; the best offer counts."""
    if len(question.text) > 400:
        return None
    offers = [offer for table in tables() for offer in [_for_table(question, table)] if offer]
    return max(offers, key=lambda offer: offer.confidence, default=None)


def _for_table(question: Question, table: Dict[str, Any]) -> Optional[Proposal]:
    columns = _columns(question, table)
    names = [str(row[table["key"]]) for row in table["rows"]]
    mentioned = list(dict.fromkeys(mention.name for mention in find_mentions(question.text, [name for name in names if name.strip()])))
    value_columns = [column for column in columns if column != table["key"]]
    if mentioned and not (value_columns and _figure(question) and len(mentioned) < 1):
        column = value_columns[0] if value_columns else ""
        sure = 0.92 if column else (0.8 if question.has("about", "tell me", "details", "who is", "what is", "info", "介绍", "信息", "详情", "怎么样") or len(question.text) < 40 else 0.6)
        if not column and question.previous("look_up") and question.is_follow_up:
            column, sure = question.calls[-1].arguments.get("column", ""), 0.9
        return Proposal("look_up", {"name": mentioned[0], "column": column, "table": table["id"]}, sure)
    numeric = [column for column in value_columns if any(number_in(row[column]) is not None for row in table["rows"])]
    compared = _comparison(question, table, numeric)
    if compared:
        return compared
    figure = _figure(question)
    about = bool(columns) or _names_table(question, table)
    if figure:
        target = numeric or ([column for column in table["columns"][1:] if any(number_in(row[column]) is not None for row in table["rows"])] if about else [])
        if target and (numeric or len(target) == 1):
            return Proposal("table_figure", {"column": target[0], "what": figure, "table": table["id"]}, 0.88 if numeric else 0.7)
    if about and question.has("how many", "count", "number of", "多少", "几个", "几位", "几种"):
        filtered = _equal(question, table)
        return filtered or Proposal("table_figure", {"column": "", "what": "count", "table": table["id"]}, 0.72)
    filtered = _equal(question, table)
    if filtered:
        return filtered
    if about and question.has("list", "show", "all", "table", "列出", "所有", "全部", "显示", "哪些"):
        return Proposal("show_table", {"table": table["id"]}, 0.75)
    previous = question.previous("look_up")
    if previous and value_columns and previous.arguments["table"] == table["id"]:
        return Proposal("look_up", dict(previous.arguments, column=value_columns[0]), 0.8)
    return None


def _columns(question: Question, table: Dict[str, Any]) -> List[str]:
    words = {stem(word) for word in re.findall(r"[a-z0-9]+", question.lower)}
    found = []
    for column in table["columns"]:
        if has_cjk(column):
            if column in question.text:
                found.append(column)
        else:
            parts = [stem(part) for part in re.findall(r"[a-z0-9]+", re.sub(r"\(.*?\)", "", column.lower()))]
            if parts and all(part in words for part in parts):
                found.append(column)
    return found


def _names_table(question: Question, table: Dict[str, Any]) -> bool:
    words = {stem(word) for word in re.findall(r"[a-z0-9]+", question.lower)}
    title = [stem(word) for word in re.findall(r"[a-z0-9]+", table["title"].lower()) if len(word) > 2 and word not in ("the", "table", "list", "data", "following")]
    chinese = [title_part for title_part in re.findall(r"[\u4e00-\u9fff]{2,}", table["title"])]
    return any(word in words for word in title) or any(part in question.text for part in chinese) or question.has("table", "rows", "entries", "表", "表格", "记录")


def _figure(question: Question) -> Optional[str]:
    return next((figure for figure, words in _FIGURES if question.has(*words)), None)


def _comparison(question: Question, table: Dict[str, Any], numeric: List[str]) -> Optional[Proposal]:
    for operator, words in _COMPARE:
        match = re.search(words + r"\s*(-?\d+(?:\.\d+)?)", question.plain, re.IGNORECASE) or re.search(r"(-?\d+(?:\.\d+)?)[^\d，,。]{0,4}%s" % words, question.plain)
        if match and numeric:
            if re.search(r"at least|at most|>=|<=|以上|以下", match.group(0)):
                operator += "="
            return Proposal("find_rows", {"column": numeric[0], "operator": operator, "value": match.group(1), "table": table["id"]}, 0.9)
    return None


def _equal(question: Question, table: Dict[str, Any]) -> Optional[Proposal]:
    """A cell's text in the question ("who works in Sales?") asks for the rows that have it."""
    for column in table["columns"][1:]:
        values = {str(row[column]) for row in table["rows"] if number_in(row[column]) is None and len(str(row[column]).strip()) > 1}
        mentions = find_mentions(question.text, sorted(values))
        if mentions and mentions[0].name.lower() not in ("yes", "no", "是", "否"):
            value = mentions[0].name
            return Proposal("find_rows", {"column": column, "operator": "=", "value": value, "table": table["id"]}, 0.78)
    return None


def _cell(value: Any) -> str:
    return rounded(value) if isinstance(value, float) else str(value)


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Put the cell, the row, the figure or the rows into words."""
    zh = language == "zh"
    if function == "look_up":
        if "row" in result:
            return "\n".join("- %s: %s" % (column, _cell(value)) for column, value in result["row"].items())
        return ("%s的%s：%s" if zh else "%s, %s: %s") % (result["name"], result["column"], _cell(result["value"]))
    if function == "table_figure":
        if result["what"] == "count":
            return "共 %d 条。" % result["value"] if zh else "There are %d entries." % result["value"]
        label = {"average": "平均值", "sum": "总和", "median": "中位数", "maximum": "最大值", "minimum": "最小值"}[result["what"]] if zh else result["what"].capitalize()
        text = ("%s的%s：%s" if zh else "%s of %s: %s") % ((result["column"], label, rounded(result["value"])) if zh else (label, result["column"], rounded(result["value"])))
        if result["row"]:
            text += "（%s）" % result["row"][result["key"]] if zh else " (%s)" % result["row"][result["key"]]
        return text
    if result["count"] == 0:
        return "没有符合条件的记录。" if zh else "No entry matches."
    head = ("共 %d 条：" if zh else "%d entries:" if result["count"] != 1 else "%d entry:") % result["count"]
    return head + "\n\n" + markdown(result["columns"], result["rows"])
