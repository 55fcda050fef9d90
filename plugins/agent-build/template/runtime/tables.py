"""Small tables in memory: typed cells, filters and figures over a column. Used by the table, CSV and JSON tools."""
from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Dict, List, Optional, Sequence

from runtime.digits import separated
from runtime.refusal import Refused
from runtime.writing import json_number

Row = Dict[str, Any]

OPERATORS = ("=", "!=", ">", ">=", "<", "<=", "contains")
FIGURES = ("sum", "average", "minimum", "maximum", "median", "count")
# A number with at most a sign or currency before it and a unit behind it.
_CELL = re.compile(r"\s*[^\d\s.,()-]{0,4}\s*(-?)\s?[^\d\s.,()-]{0,2}(\d[\d.,']*)\s*([kK]|万|千|亿)?\s*[^\d]{0,14}")
_SCALE = {"k": 1000, "K": 1000, "万": 10**4, "千": 1000, "亿": 10**8}


def number_in(cell: Any) -> Optional[Decimal]:
    """The number a cell holds ("1,200.50 EUR" gives 1200.5), or None when it holds none."""
    if isinstance(cell, bool) or cell is None:
        return None
    if isinstance(cell, (int, float)):
        return Decimal(repr(cell))
    match = _CELL.fullmatch(str(cell))
    if match is None or not match.group(2)[-1].isdigit():
        return None
    parts = separated(match.group(2))
    try:
        value = parts[0][0] * _SCALE.get(match.group(3) or "", 1) if len(parts) == 1 else None
    except InvalidOperation:
        return None
    return None if value is None else -value if match.group(1) else value


def _minutes_in(cell: Any) -> Optional[int]:
    """The time of day a cell holds ("06:30"), in minutes."""
    match = re.fullmatch(r"\s*(\d{1,2})[:：](\d{2})\s*", str(cell))
    return int(match.group(1)) * 60 + int(match.group(2)) if match else None


def is_time(cell: Any) -> bool:
    """True when a cell holds a time of day."""
    return _minutes_in(cell) is not None


def column_named(columns: Sequence[str], name: str) -> str:
    """The column with this name, whatever its case; refused, naming the columns, when there is none."""
    for column in columns:
        if column.strip().lower() == name.strip().lower():
            return column
    raise Refused("there is no column %r; the columns are: %s" % (name, ", ".join(columns)), "没有“%s”这一列，已有的列：%s" % (name, "、".join(columns)))


def select(rows: Sequence[Row], column: str, operator: str, value: Any) -> List[Row]:
    """The rows whose cell in this column compares so with the value; as numbers when both are."""
    if operator not in OPERATORS:
        raise Refused("unknown operator %r; known are: %s" % (operator, " ".join(OPERATORS)), "不支持的比较方式：%s" % operator)
    return [row for row in rows if _holds(row.get(column), operator, value)]


def _holds(cell: Any, operator: str, value: Any) -> bool:
    left, right = number_in(cell), number_in(value)
    if operator == "contains":
        return str(value).lower() in str(cell).lower()
    if operator in ("=", "!="):
        same = left == right if left is not None and right is not None else str(cell).strip().lower() == str(value).strip().lower()
        return same == (operator == "=")
    if left is None or right is None:
        return False
    return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[operator]


def figure(rows: Sequence[Row], column: str, what: str) -> Dict[str, Any]:
    """A figure over a column: its value, how many cells had a number, and for minimum and maximum the rows that have it."""
    if what not in FIGURES:
        raise Refused("unknown figure %r; known are: %s" % (what, ", ".join(FIGURES)), "不支持的统计：%s" % what)
    clock = [(minutes, row) for minutes, row in ((_minutes_in(row.get(column)), row) for row in rows) if minutes is not None]
    if what in ("minimum", "maximum") and len(clock) == len(rows) > 0:
        wanted = (min if what == "minimum" else max)(minutes for minutes, _ in clock)
        found = [row for minutes, row in clock if minutes == wanted]
        return {"value": found[0][column], "cells": len(clock), "row": found[0], "rows": found}
    numbers = [(number, row) for number, row in ((number_in(row.get(column)), row) for row in rows) if number is not None]
    if what == "count":
        return {"value": len(rows), "cells": len(rows), "row": None}
    if not numbers:
        raise Refused("the column %r holds no numbers" % column, "“%s”这一列没有数字" % column)
    values = sorted(number for number, _ in numbers)
    row = None
    if what in ("minimum", "maximum"):
        value = values[0] if what == "minimum" else values[-1]
        row = next(one for number, one in numbers if number == value)
    elif what == "median":
        middle = len(values) // 2
        value = values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
    else:
        value = sum(values, Decimal(0)) / (len(values) if what == "average" else 1)
    result: Dict[str, Any] = {"value": json_number(round(value, 6)), "cells": len(values), "row": row}
    if row is not None:
        result["rows"] = [one for number, one in numbers if number == value]
    return result


def markdown(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""

    def line(cells: Sequence[Any]) -> str:
        return "| " + " | ".join(str("" if cell is None else cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(columns), line(["---"] * len(columns))] + [line([row.get(column) for column in columns]) for row in rows])
