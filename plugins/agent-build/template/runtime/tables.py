"""Small tables in memory: typed cells, filters and figures over a column. Used by the table, CSV and JSON tools."""
from __future__ import annotations

import re
from statistics import median
from typing import Any, Dict, List, Optional, Sequence

Row = Dict[str, Any]

OPERATORS = ("=", "!=", ">", ">=", "<", "<=", "contains")
FIGURES = ("sum", "average", "minimum", "maximum", "median", "count")


def number_in(cell: Any) -> Optional[float]:
    """The number a cell holds ("1,200.50 EUR" gives 1200.5), or None when it holds none."""
    if isinstance(cell, bool) or cell is None:
        return None
    if isinstance(cell, (int, float)):
        return float(cell)
    match = re.fullmatch(r"\s*[^\d\s.-]{0,3}\s*(-?\d+(?:,\d{3})*(?:\.\d+)?)\s*[^\d]{0,12}", str(cell))
    return float(match.group(1).replace(",", "")) if match else None


def column_named(columns: Sequence[str], name: str) -> str:
    """The column with this name, whatever its case; ValueError naming the columns when there is none."""
    for column in columns:
        if column.strip().lower() == name.strip().lower():
            return column
    raise ValueError("there is no column %r; the columns are: %s" % (name, ", ".join(columns)))


def select(rows: Sequence[Row], column: str, operator: str, value: Any) -> List[Row]:
    """The rows whose cell in this column compares so with the value; as numbers when both are."""
    if operator not in OPERATORS:
        raise ValueError("unknown operator %r; known are: %s" % (operator, " ".join(OPERATORS)))
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
    """A figure over a column: its value, how many cells had a number, and for minimum and maximum the row."""
    if what not in FIGURES:
        raise ValueError("unknown figure %r; known are: %s" % (what, ", ".join(FIGURES)))
    numbers = [(number, row) for number, row in ((number_in(row.get(column)), row) for row in rows) if number is not None]
    if what == "count":
        return {"value": len(rows), "cells": len(rows), "row": None}
    if not numbers:
        raise ValueError("the column %r holds no numbers" % column)
    values = [number for number, _ in numbers]
    row = None
    if what == "minimum":
        value, row = min(numbers, key=lambda pair: pair[0])
    elif what == "maximum":
        value, row = max(numbers, key=lambda pair: pair[0])
    else:
        value = {"sum": sum(values), "average": sum(values) / len(values), "median": float(median(values))}[what]
    return {"value": round(value, 6), "cells": len(values), "row": row}


def markdown(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""

    def line(cells: Sequence[Any]) -> str:
        return "| " + " | ".join(str("" if cell is None else cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(columns), line(["---"] * len(columns))] + [line([row.get(column) for column in columns]) for row in rows])
