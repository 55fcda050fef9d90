"""What a question says about a table: rows, columns, conditions, and which figure over a column."""
from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from runtime.columns import asked_columns, named_columns
from runtime.figures import Figure
from runtime.matching import Mention, find_mentions, find_parts
from runtime.question import Question
from runtime.synonyms import says_age
from runtime.tables import is_time, number_in
from runtime.text import has_cjk, stem
from runtime.writing import show

_FIGURES: List[Tuple[str, "re.Pattern[str]"]] = [
    ("average", re.compile(r"\baverages?\b|\bmean\b|\bon average\b|平均")),
    ("sum", re.compile(r"\btotals?\b|\bsum\b|\baltogether\b|\bin all\b|\bcombined\b|总和|总计|合计|总共|一共|总数|加起来")),
    ("median", re.compile(r"\bmedian\b|中位数")),
    ("maximum", re.compile(
        r"\b(?:highest|largest|biggest|most|maximum|max|longest|oldest|tallest|greatest|best|heaviest|fastest|dearest|priciest|latest|furthest|farthest|deepest|richest|strongest|hottest|top|more|higher|larger|bigger|longer|older|taller|heavier|faster|newest)\b|"
        r"最高|最大|最多|最长|最贵|最重|最快|最好|最远|最老|最晚|最热|更高|更大|更多|更长|更贵|最新|最深")),
    ("minimum", re.compile(
        r"\b(?:lowest|smallest|least|minimum|min|shortest|youngest|fewest|lightest|slowest|worst|cheapest|earliest|nearest|closest|weakest|coldest|lower|smaller|less|shorter|younger|cheaper|lighter|slower|fewer)\b|"
        r"最低|最小|最少|最短|最便宜|最轻|最慢|最近|最早|最年轻|最冷|更低|更小|更少|更短|更便宜")),
]
# What an extreme is about when no column is named: the oldest by age, the cheapest by price.
_EXTREME_OF = [(r"\b(?:old|young)\w*\b|年轻|最老|最大年", "age year born founded built 年龄 年份"), (r"\b(?:expensive|cheap\w*|dearest|pric\w+)\b|贵|便宜", "price cost fee rent rate 价格 费用 单价 租金 学费 票价"),
               (r"\b(?:long|short)\w*\b|长|短", "length duration minutes time distance 长度 时长"), (r"\b(?:tall|high)\w*\b|高", "height altitude salary score price 高度 身高 海拔"),
               (r"\b(?:heav|light)\w*\b|重|轻", "weight mass 重量"), (r"\b(?:fast|slow)\w*\b|快|慢", "speed time 速度 时间"), (r"\b(?:big|large|small)\w*\b|大|小", "size area population capacity 面积 人口 大小"),
               (r"\b(?:earn|paid|salary)\w*\b|工资|挣", "salary wage pay 工资 薪水 月薪"), (r"\b(?:far|near|close)\w*\b|远|近", "distance km 距离"), (r"\b(?:new|late|early|earliest|latest)\w*\b|新|早|晚", "year date time start 年份 日期 时间")]
_COMPARE = [
    (">=", re.compile(r"at least\s*$|no less than\s*$|minimum of\s*$|from\s*$|>=\s*$|不少于$|不低于$|至少(?:有)?$"), re.compile(r"\s*(?:or more|or above|and above|or over|\+|以上|及以上|起)")),
    ("<=", re.compile(r"(?:at most|no more than|up to|maximum of|within)\s*$|<=\s*$|不超过$|不高于$|最多$|至多$"), re.compile(r"\s*(?:or less|or below|or under|or fewer|以内|以下|及以下|之内)")),
    (">", re.compile(r"(?:(?:more|greater|higher|bigger|larger|older|longer|heavier|taller|later|better|bigger) than|over|above|exceed(?:s|ing)?|after|beyond|>)\s*[^\d\s]{0,3}$|(?:超过|大于|高于|多于|长于|晚于|贵于|早?超)(?:了)?$"), re.compile(r"(?!)")),
    ("<", re.compile(r"(?:(?:less|fewer|lower|smaller|younger|shorter|lighter|cheaper|earlier) than|under|below|before|<)\s*[^\d\s]{0,3}$|(?:小于|低于|少于|不到|短于|早于|不足)$"), re.compile(r"(?!)")),
]
# Numbers that only name something are not compared unless their column is named.
_LABELS = re.compile(r"\b(?:room|phone|tel\w*|id|code|zip|extension|ext|no|number|floor|year|isbn|gate|platform)\b|教室|房间|电话|编号|学号|工号|号码|楼层|分机|座位号|年份")


class Asked(NamedTuple):
    """What a question says about one table."""

    table: Dict[str, Any]
    mentions: List[Mention]
    names: List[str]  # rows that are named, whole or in part
    partly: List[str]  # rows that a word may mean when several share it
    named: List[str]  # columns that are named
    columns: List[str]  # columns that are wanted, named or by a question word
    numeric: List[str]  # all columns of numbers
    about: bool
    alone: bool  # there is no other table


def read_asked(question: Question, table: Dict[str, Any], alone: bool) -> Asked:
    names = [str(row[table["key"]]) for row in table["rows"] if str(row[table["key"]]).strip()]
    mentions = find_mentions(question.text, names)
    found = list(dict.fromkeys(mention.name for mention in mentions))
    partly: List[str] = []
    if not mentions:
        for mention, meant in find_parts(question.text, names, mentions):
            word = question.text[mention.start : mention.end].lower()
            if named_columns(word, table["columns"]) or stem(word) in {stem(part) for part in re.findall(r"[a-z]+", table["title"].lower())}:
                continue
            mentions = mentions + [mention]
            if len(meant) == 1:
                found.append(meant[0])
            else:
                partly = [name for name in (partly or meant) if name in meant] or partly
    named = [column for column in named_columns(question.text, table["columns"]) if column != table["key"]]
    others = [column for column in table["columns"] if column != table["key"]]
    asked_by = asked_columns(question.text, others)
    numeric = [column for column in others if sum(number_in(row[column]) is not None for row in table["rows"]) * 2 > len(table["rows"])]
    times = [column for column in others if all(is_time(row[column]) for row in table["rows"])]
    if re.search(r"\b(?:earliest|latest|first|last|soonest)\b|最早|最晚|最迟", question.lower):
        numeric = numeric + times
    about = bool(named) or names_table(question, table)
    return Asked(table, mentions, list(dict.fromkeys(found)), partly, named, named or asked_by, numeric, about, alone)


def names_table(question: Question, table: Dict[str, Any]) -> bool:
    words = {stem(word) for word in re.findall(r"[a-z0-9]+", question.lower)}
    texts = [table["title"], table["key"]]
    title = [stem(word) for text in texts for word in re.findall(r"[a-z0-9]+", text.lower()) if len(word) > 2 and word not in ("the", "table", "list", "data", "following", "name", "id")]
    chinese = [part for text in texts for part in re.findall(r"[\u4e00-\u9fff]{2,}", text) if part not in ("名称", "姓名", "数据", "表格", "资料")]
    return any(word in words for word in title) or any(part in question.text for part in chinese) or question.has("table", "rows", "entries", "records", "表", "表格", "记录")


def read_conditions(question: Question, asked: Asked) -> Tuple[List[Dict[str, str]], List[Figure]]:
    """The conditions on rows that a question makes, and the figures they use."""
    table = asked.table
    where: List[Dict[str, str]] = []
    used: List[Figure] = [figure for figure in question.figures if any(figure.start < mention.end and mention.start < figure.end for mention in asked.mentions)]
    # "half day" is the name of a column, not half of something.
    used += [figure for figure in question.figures if figure not in used and any(figure.text.lower() in column.lower().split() for column in asked.named)]
    for figure in question.figures:
        if figure in used or figure.kind not in ("number", "percent"):
            continue
        before, after = question.lower[: figure.start], question.lower[figure.end :]
        operator = next((sign for sign, front, behind in _COMPARE if front.search(before) or behind.match(after)), None)
        column = _column_for(question, asked, figure, operator)
        if operator and column:
            where.append({"column": column, "operator": operator, "value": show(figure.value)})
            used.append(figure)
        elif column and not figure.soft and any(number_in(row[column]) == figure.value for row in table["rows"]):
            where.append({"column": column, "operator": "=", "value": show(figure.value)})
            used.append(figure)
    where, used = _within_ranges(question, asked, where, used)
    between = re.search(r"\bbetween\b|之间|到|至", question.lower)
    loose = [figure for figure in question.figures if figure not in used and figure.kind == "number" and not figure.soft]
    if between and len(loose) == 2:
        column = _column_for(question, asked, loose[0], ">")
        if column:
            low, high = sorted(figure.value for figure in loose)
            where = [{"column": column, "operator": ">=", "value": show(low)}, {"column": column, "operator": "<=", "value": show(high)}]
            used += loose
    taken = {condition["column"] for condition in where}
    for column in table["columns"][1:]:
        if column in taken:
            continue
        value, mention = _value_in(question, asked, column)
        if value is not None:
            exact = any(str(row[column]).strip().lower() == value.lower() for row in table["rows"])
            where.append({"column": column, "operator": "=" if exact else "contains", "value": value})
            used += [figure for figure in question.figures if figure not in used and mention and figure.start < mention.end and mention.start < figure.end]
    return _of_named_columns(where, asked), used


_RANGE_CELL = re.compile(r"\s*(\d+)\s*(?:(?:-|–|—|~|to|至|到)\s*(\d+)|(\+|以上|and over|and up))\s*[^\d]{0,12}$")


def _within_ranges(question: Question, asked: Asked, where: List[Dict[str, str]], used: List[Figure]) -> Tuple[List[Dict[str, str]], List[Figure]]:
    """"My son is 9": the row whose ages are 8-11, when one column holds such ranges."""
    loose = [figure for figure in question.figures if figure not in used and figure.kind == "number" and not figure.soft and not figure.currency]
    if len(loose) != 1 or where or asked.names or asked.partly:
        return where, used
    for column in asked.table["columns"][1:]:
        cells = [(str(row[column]), _RANGE_CELL.match(str(row[column]))) for row in asked.table["rows"]]
        if len(cells) < 2 or not all(match for _, match in cells):
            continue
        aged = says_age(question.text) and re.search(r"\bage|年龄|岁", column.lower())
        if not (aged or column in asked.named or re.match(r"\s*(?:years?|yrs?|岁|people|persons|ppl|人)", question.lower[loose[0].end :])):
            continue
        value = loose[0].value
        fitting = [cell for cell, match in cells if match and int(match.group(1)) <= value <= (int(match.group(2)) if match.group(2) else 10**9)]
        if len(fitting) == 1:
            return [{"column": column, "operator": "=", "value": fitting[0]}], used + loose
    return where, used


def _of_named_columns(where: List[Dict[str, str]], asked: Asked) -> List[Dict[str, str]]:
    """One value in several columns counts in those that are named: 王磊哪天上白班 asks for 白班 = 王磊 alone."""
    values = [condition["value"] for condition in where]
    named = {(condition["column"], condition["value"]) for condition in where if condition["column"] in asked.named}
    kept = []
    for condition in where:
        several = values.count(condition["value"]) > 1 and condition["operator"] in ("=", "contains")
        known = any(value == condition["value"] for _, value in named)
        if not several or (condition["column"], condition["value"]) in named or not known and condition["value"] not in [one["value"] for one in kept]:
            kept.append(condition)
    return kept


def _column_for(question: Question, asked: Asked, figure: Figure, operator: Optional[str]) -> Optional[str]:
    """The column of numbers that a figure is compared with: named, meant by a word such as "older", or the only one."""
    named = [column for column in asked.named if column in asked.numeric]
    if named:
        return named[0]
    meant = meant_column(question, asked.numeric)
    if meant:
        return meant
    for column in asked.numeric:  # the unit behind the figure stands in the column's name: 30 minutes, 5 km
        unit = re.match(r"\s*(?:[a-z]*\s)??(?:an?\s+|per\s+|/\s*|each\s+)?([a-z]+|[\u4e00-\u9fff]{1,2})", question.lower[figure.end :])
        if unit and unit.group(1) and stem(unit.group(1)) in {stem(word) for word in re.findall(r"[a-z]+|[\u4e00-\u9fff]+", column.lower())}:
            return column
    wanted = [column for column in asked.columns if column in asked.numeric]
    if wanted:
        return wanted[0]
    counted = [column for column in asked.numeric if not _LABELS.search(column.lower())]
    return counted[0] if operator and len(counted) == 1 and (asked.about or asked.alone) else None


def meant_column(question: Question, columns: List[str]) -> Optional[str]:
    for words, names in _EXTREME_OF:
        if re.search(words, question.lower):
            for name in names.split():
                for column in columns:
                    if name in column.lower():
                        return column
    return None


def _value_in(question: Question, asked: Asked, column: str) -> Tuple[Optional[str], Optional[Mention]]:
    """A cell's text that the question contains ("who works in Sales?"), or a part of a cell that lists several ("on Mondays")."""
    cells = [str(row[column]).strip() for row in asked.table["rows"] if number_in(row[column]) is None]
    values = {cell for cell in cells if len(cell) > 1 and cell.lower() not in ("yes", "no", "是", "否", "有", "无")}
    values |= {part.strip() for cell in cells for part in re.split(r"[,;/&、，；]|\band\b|和|\s(?=\d)", cell) if len(part.strip()) > 2 or has_cjk(part) and len(part.strip()) > 1}
    blocked = [(mention.start, mention.end) for mention in asked.mentions]
    for mention in find_mentions(question.text, sorted(values)):
        if not any(mention.start < end and start < mention.end for start, end in blocked) and mention.name.lower() not in (c.lower() for c in asked.table["columns"]):
            return mention.name, mention
    return None, None


def figure_word(question: Question) -> Optional[str]:
    return next((name for name, pattern in _FIGURES if pattern.search(question.lower)), None)
