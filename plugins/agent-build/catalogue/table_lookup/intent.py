"""When a question is about a table that the agent knows: a cell, a row, the highest, an average, a filter."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Optional

from runtime.columns import named_columns, without_asking
from runtime.figures import Figure
from runtime.question import Proposal, Question
from runtime.strangers import stranger
from runtime.table_reading import Asked, figure_word, meant_column, names_table, read_asked, read_conditions
from runtime.tables import markdown, number_in
from runtime.text import has_cjk
from runtime.writing import json_number, rounded, show
from tools.table_lookup import tables

_SUPERLATIVE = re.compile(r"\b\w+est\b|\bmost\b|\bleast\b|\bmax\w*\b|\bmin(?:imum)?\b|最")
_COUNT = re.compile(r"\bhow many\b|\bcount\b|\bnumber of\b|多少个?|几个|几位|几种|几门|几条|几家|几人|多少人|多少(?:位|种|条|家|门)")
_LIST = re.compile(r"\b(?:list|show|all|every|table|everything|which|what|who|whole)\b|列出|所有|全部|显示|哪些|有什么|都有")
_SORT = re.compile(r"\b(?:sort(?:ed)?|rank(?:ed|ing)?|order(?:ed)? by|from (?:highest|lowest|largest|cheapest|oldest)|top|bottom)\b|排序|排名|排行|从高到低|从低到高|前(?=[\d一二三四五六七八九十])")
_FUNCTIONS = ("look_up", "times_cell", "find_rows", "table_figure", "rank_rows", "show_table")


def propose(question: Question) -> Optional[Proposal]:
    """Match the message with every table; the best offer counts."""
    if len(question.text) > 400:
        return None
    offers = [offer for table in tables() if table["rows"] for offer in [_for_table(question, table)] if offer]
    return max(offers, key=lambda offer: offer.confidence, default=None)


def _for_table(question: Question, table: Dict[str, Any]) -> Optional[Proposal]:
    asked = read_asked(question, table, len(tables()) == 1)
    where, used = read_conditions(question, asked)
    for offer in (_ranked(question, asked, where, used), _figured(question, asked, where, used), _looked_up(question, asked, where, used),
                  _filtered(question, asked, where, used), _unknown(question, asked), _follow_up(question, asked, where, used)):
        if offer:
            if not (asked.about or asked.mentions or where and any(condition["operator"] == "=" for condition in where)):
                offer.confidence -= 0.15  # nothing says that it is about this table
            return offer
    return None


def _ranked(question: Question, asked: Asked, where: List[Dict[str, str]], used: List[Figure]) -> Optional[Proposal]:
    """"Top 3 by salary", "sorted by price"."""
    if not _SORT.search(question.lower):
        return None
    columns = [column for column in asked.named if column in asked.numeric] or ([meant_column(question, asked.numeric)] if meant_column(question, asked.numeric) else []) or asked.named
    column = columns[-1] if columns else asked.numeric[0] if len(asked.numeric) == 1 and asked.about else None
    if not column:
        return None
    numbers = [figure for figure in question.figures if figure.kind == "number" and figure not in used]
    lowest = re.search(r"\b(?:lowest|cheapest|smallest|ascending|bottom|youngest|shortest|low to high)\b|从低到高|从小到大|升序|最低|最便宜|后(?=\d)", question.lower)
    limit = int(numbers[0].value) if len(numbers) == 1 and 0 < numbers[0].value <= 50 else 50
    return Proposal("rank_rows", {"column": column, "descending": not lowest and (column in asked.numeric), "limit": limit, "table": asked.table["id"], **({"where": where} if where else {})}, 0.9, used=used + numbers[:1])


def _figured(question: Question, asked: Asked, where: List[Dict[str, str]], used: List[Figure]) -> Optional[Proposal]:
    """The average, the sum, the highest; of all rows, of those that meet a condition, or of some names."""
    figure = figure_word(question)
    table = asked.table
    if _COUNT.search(question.lower) and not asked.names and (asked.about or where) and not [column for column in asked.columns if column in asked.numeric and column in asked.named]:
        if figure not in ("maximum", "minimum", "average"):
            return Proposal("table_figure", {"column": "", "what": "count", "table": table["id"], **({"where": where} if where else {})}, 0.84 if where else 0.74, used=used)
    if re.search(r"(?:几|多少)[个门种位家条]?[\u4e00-\u9fff]{0,2}[？?]?$", question.text) and not asked.names and not where and has_cjk(table["key"]) and any(char in question.text for char in table["key"]):
        return Proposal("table_figure", {"column": "", "what": "count", "table": table["id"]}, 0.94 if re.match(r"\W*(?:一共|总共|共|现在|你们)?有?(?:多少|几)", question.text) else 0.6, used=used)
    compared = any(condition["operator"] not in ("=", "contains") for condition in where)
    if compared and figure in ("maximum", "minimum") and not _SUPERLATIVE.search(question.lower):
        figure = None  # "more than 500" asks for rows, not for the most
    if figure is None or (len(asked.names) == 1 and figure not in ("sum",)) or (asked.names and figure == "sum" and len(asked.names) == 1):
        return None
    where = [condition for condition in where if condition["operator"] in ("=", "contains", ">", ">=", "<", "<=")]
    target = [column for column in asked.named if column in asked.numeric]
    meant = meant_column(question, asked.numeric)
    if not target and meant:
        target = [meant]
    if not target:
        target = [column for column in asked.columns if column in asked.numeric]
    if not target and (asked.about or len(asked.names) > 1 or where) and len(asked.numeric) == 1:
        target = asked.numeric
    if not target:
        return None
    arguments: Dict[str, Any] = {"column": target[0], "what": figure, "table": table["id"]}
    if where:
        arguments["where"] = where
    if len(asked.names) > 1:
        arguments["names"] = asked.names
    return Proposal("table_figure", arguments, 0.9 if target[0] in asked.named or meant else 0.74, used=used)


def _looked_up(question: Question, asked: Asked, where: List[Dict[str, str]], used: List[Figure]) -> Optional[Proposal]:
    """A row by its name, or one of its columns; several rows when several are named or meant."""
    table = asked.table
    names = asked.names or asked.partly
    if not names:
        return None
    if len(asked.mentions) == 1 and has_cjk(question.text):
        mention = asked.mentions[0]
        other = stranger(question, mention.start, mention.end, mention.name, len(names) == 1)
        if other:
            return Proposal("look_up", {"name": other, "column": "", "table": table["id"]}, 0.66, used=used)
    short = len(question.text) < 40
    if len(names) > 1:
        return Proposal("find_rows", {"table": table["id"], "names": names}, 0.86 if asked.columns else 0.72, used=used)
    column = asked.columns[0] if asked.columns else ""
    multiplied = _multiplied(question, asked, names[0], used)
    if multiplied:
        return multiplied
    whole = re.search(r"\b(?:about|tell me|details?|who is|what is|info\w*|everything|describe)\b|介绍|信息|详情|怎么样|资料", question.lower)
    sure = 0.92 if column else 0.8 if whole or short else 0.6
    previous = question.previous("look_up")
    if not column and previous and question.is_follow_up:
        column, sure = previous.arguments.get("column", ""), 0.9
    return Proposal("look_up", {"name": names[0], "column": column, "table": table["id"]}, sure, used=used)


_PRICE_COLUMN = re.compile(r"\b(?:price|cost|fee|rate|rent|tariff)s?\b|价|费|租金|单价")
_PRICE_WORDS = re.compile(r"\b(?:how much|costs?|price|total|pay|charge)\b|多少钱|一共|总共|费用|价")
_UNIT_OF = re.compile(r"\b(?:per|a|/)\s*(day|night|hour|week|month|year|person|people|kg|piece|lesson|class)\b|/\s*([a-z]+)|每(天|晚|小时|周|月|年|人|节|次|个)|(?:日|天)(租)")


def _multiplied(question: Question, asked: Asked, name: str, used: List[Figure]) -> Optional[Proposal]:
    """A price of the table times a count: "the golf for 3 days", "3 small cappuccinos"."""
    counts = [figure for figure in question.figures if figure.kind == "number" and figure not in used and not figure.soft and not figure.currency]
    if len(counts) != 1 or counts[0].value <= 0:
        return None
    row = next(row for row in asked.table["rows"] if str(row[asked.table["key"]]) == name)
    numeric = [column for column in asked.table["columns"][1:] if number_in(row[column]) is not None]
    wanted = [column for column in asked.named if column in numeric] or [column for column in asked.columns if column in numeric]
    following = question.lower[counts[0].end : counts[0].end + 12]
    for column in [column for column in wanted or numeric]:
        unit = _UNIT_OF.search(column.lower())
        per = next((part for part in unit.groups() if part), "") if unit else ""
        fits_unit = per and (re.match(r"\s*(?:个)?" + re.escape(per[:-1] if len(per) > 3 else per), following) or per == "租" and re.match(r"\s*[天日]", following))
        priced = _PRICE_COLUMN.search(column.lower()) or re.search(r"[$€£¥元]|\b(?:eur|usd|gbp)\b", str(row[column]).lower())
        plain = not per and not re.match(r"\s*(?:days?|nights?|hours?|weeks?|months?|people|persons|天|晚|小时|周|月|人)", following)
        if fits_unit or (plain and (priced or column in wanted) and (priced or _PRICE_WORDS.search(question.lower) or len(wanted) == 1)):
            arguments = {"name": name, "column": column, "quantity": json_number(counts[0].value), "table": asked.table["id"]}
            return Proposal("times_cell", arguments, 0.88 if fits_unit or priced else 0.7, used=[*used, *counts])
    return None


def _filtered(question: Question, asked: Asked, where: List[Dict[str, str]], used: List[Figure]) -> Optional[Proposal]:
    table = asked.table
    if where:
        certain = any(condition["operator"] not in ("=", "contains") for condition in where) or asked.about or len(where) > 1
        sure = 0.9 if certain else 0.78
        return Proposal("find_rows", {"table": table["id"], "where": where}, sure, used=used)
    if asked.about and _LIST.search(question.lower) and not asked.columns or question.has("whole table", "full table", "整张表"):
        return Proposal("show_table", {"table": table["id"]}, 0.72, used=used)
    if asked.named and _LIST.search(question.lower) and names_table(question, table):
        return Proposal("show_table", {"table": table["id"]}, 0.7, used=used)
    return None


def _follow_up(question: Question, asked: Asked, where: List[Dict[str, str]], used: List[Figure]) -> Optional[Proposal]:
    """"And the phone?", "what about Sales?"."""
    previous = question.previous(*_FUNCTIONS)
    numbers = [figure for figure in question.figures if figure.kind == "number" and not figure.soft]
    if previous is not None and previous.function == "times_cell" and len(numbers) == 1 and len(question.text) < 40 and not asked.columns:
        return Proposal("times_cell", dict(previous.arguments, quantity=json_number(numbers[0].value)), 0.85, used=numbers)
    if previous is None or previous.arguments.get("table") != asked.table["id"] or len(question.text) > 60:
        return None
    if previous.function == "look_up" and asked.columns and not _other_name(question, asked):
        return Proposal("look_up", dict(previous.arguments, column=asked.columns[0]), 0.84, used=used)
    if previous.function == "table_figure" and (question.is_follow_up or len(question.text) < 25):
        figure = figure_word(question)
        changed = dict(previous.arguments)
        if figure:
            changed["what"] = figure
        target = [column for column in asked.columns if column in asked.numeric]
        if target:
            changed["column"] = target[0]
        return Proposal("table_figure", changed, 0.84, used=used) if changed != previous.arguments else None
    return None


_PLAIN_WORDS = re.compile(
    r"\b(?:and|or|what|when|where|who|whom|whose|which|how|much|many|is|are|was|were|the|a|an|of|for|to|in|at|on|about|do|does|did|can|could|i|you|we|he|she|it|they|his|her|its|their|him|them|that|this|one|"
    r"cost|costs|earn|earns|call|reach|also|then|please|tell|me|know|number|long|old|far|big|tall|there|have|has|be|by|with|get|s|ok|okay|so)\b|\W")
_ZH_PLAIN = re.compile("那|呢|的|是|吗|什么|多少|几|哪|里|儿|谁|在|有|时候|时间|怎么|它|他|她|还|请问|告诉我|多|长|久|大|高|远|钱|点|号|天|个|和|又|[\\s，。？?！]")


def _other_name(question: Question, asked: Asked) -> bool:
    """True when a follow-up names something else than columns: then it is not about the row of before."""
    text = without_asking(question.lower)
    for column in asked.table["columns"]:
        for word in re.findall(r"[a-z]+|[\u4e00-\u9fff]+", column.lower()):
            text = re.sub(re.escape(word) + ("s?" if word.isascii() else ""), " ", text)
    if has_cjk(text):
        return len(_ZH_PLAIN.sub("", text)) > 2
    return len([word for word in _PLAIN_WORDS.sub(" ", text).split() if len(word) > 2]) > 0


_OF = [re.compile(r"(?:\bof|\bfor|\bdoes|\bis|\babout|\bdid|\bdo)\s+(?:the |an? |mr\.? |ms\.? |mrs\.? )?([A-Za-z][\w .'-]{1,30}?)(?:\s+(?:cost|have|earn|work|weigh|live|start|last|take))*\s*[?.!]*$", re.IGNORECASE),
       re.compile(r"\b([A-Z][\w-]+(?: [A-Z][\w-]+)?)['’]s\b"), re.compile(r"^(?:请问)?([\u4e00-\u9fff]{2,6}?)的")]


def _unknown(question: Question, asked: Asked) -> Optional[Proposal]:
    """A column of somebody or something that is not in the table: say so, and who is."""
    if not asked.named or question.figures or figure_word(question):
        return None
    for pattern in _OF:
        match = pattern.search(question.text)
        if match and not named_columns(match.group(1), asked.table["columns"]) and not re.search(r"\b(?:this|that|it|all|every\w*|the table|you|your|each|them|there|they|here|he|she|her|his|him|we|us|i|me)\b|你们|所有|每|什么", match.group(1).lower()):
            return Proposal("look_up", {"name": match.group(1).strip(), "column": asked.named[0], "table": asked.table["id"]}, 0.66, used=[])
    return None


def _cell(value: Any) -> str:
    return rounded(value) if isinstance(value, float) else str(value)


_ZH_FIGURES = {"average": "平均值", "sum": "总和", "median": "中位数", "maximum": "最大值", "minimum": "最小值"}


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Put the cell, the row, the figure or the rows into words."""
    zh = language == "zh"
    if function == "look_up":
        if "row" in result:
            return "\n\n".join("\n".join("- %s: %s" % (column, _cell(value)) for column, value in row.items()) for row in result["rows"])
        return ("%s的%s：%s" if zh else "%s, %s: %s") % (result["name"], result["column"], _cell(result["value"]))
    if function == "times_cell":
        return "%s × %s（%s：%s）= %s" % (show(result["quantity"]), result["name"], result["column"], _cell(result["cell"]), rounded(result["value"])) if zh else "%s × %s (%s: %s) = %s" % (
            show(result["quantity"]), result["name"], result["column"], _cell(result["cell"]), rounded(result["value"]))
    if function == "table_figure":
        if result["what"] == "count":
            return "共 %d 条。" % result["value"] if zh else "There are %d entries." % result["value"]
        value = result["value"] if isinstance(result["value"], str) else rounded(result["value"])
        text = "%s的%s：%s" % (result["column"], _ZH_FIGURES[result["what"]], value) if zh else "%s of %s: %s" % (result["what"].capitalize(), result["column"], value)
        if result["row"]:
            names = ("、" if zh else ", ").join(str(row[result["key"]]) for row in result["rows"])
            text += "（%s）" % names if zh else " (%s)" % names
        return text
    if result["count"] == 0:
        return "没有符合条件的记录。" if zh else "No entry matches."
    if result["count"] == 1:
        return "\n".join("- %s: %s" % (column, _cell(value)) for column, value in result["rows"][0].items())
    head = ("共 %d 条：" if zh else "%d entries:") % (len(result["rows"]) if function == "rank_rows" else result["count"])
    return head + "\n\n" + markdown(result["columns"], result["rows"])
