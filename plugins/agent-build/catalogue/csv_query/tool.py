"""Questions to CSV text: columns, figures, filters, sorting, grouping."""
from __future__ import annotations

import csv
import io
from typing import Any, Dict, List, Tuple

from runtime.tables import Row, column_named, figure, number_in, select

__all__ = ["describe_csv", "csv_figure", "filter_csv", "sort_csv", "group_csv"]

_MAX_ROWS = 20000
_SHOWN = 50


def parse_csv(text: str) -> Tuple[List[str], List[Row]]:
    """Read CSV with a header line; the delimiter (comma, semicolon, tab or bar) is found out. ValueError when it is none."""
    text = text.strip("\n\r ")
    head = text.splitlines()[0] if text else ""
    delimiter = max(",;\t|，", key=head.count)
    if not head.count(delimiter):
        raise ValueError("that is no CSV: the first line has no delimiter")
    if delimiter == "，":
        text, delimiter = text.replace("，", ","), ","
    lines = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True) if any(cell.strip() for cell in row)]
    columns = [cell.strip() or "column %d" % number for number, cell in enumerate(lines[0], 1)]
    if len(set(columns)) != len(columns):
        raise ValueError("two columns have the same name")
    if len(lines) > _MAX_ROWS:
        raise ValueError("more than %d rows" % _MAX_ROWS)
    return columns, [dict(zip(columns, (cell.strip() for cell in line + [""] * len(columns)))) for line in lines[1:]]


def describe_csv(text: str) -> Dict[str, Any]:
    """Describe CSV text: its columns, their kinds, the number of rows.

    Args:
        text: CSV with a header line.

    Returns:
        {"rows": count, "columns": [{"name", "kind": "number" or "text", "distinct", "empty"}]}.
    """
    columns, rows = parse_csv(text)
    described = []
    for column in columns:
        cells = [row[column] for row in rows]
        filled = [cell for cell in cells if cell != ""]
        kind = "number" if filled and all(number_in(cell) is not None for cell in filled) else "text"
        described.append({"name": column, "kind": kind, "distinct": len(set(filled)), "empty": len(cells) - len(filled)})
    return {"rows": len(rows), "columns": described}


def csv_figure(text: str, column: str, what: str) -> Dict[str, Any]:
    """Compute a figure over a column of CSV text.

    Args:
        text: CSV with a header line.
        column: the column's name; "" only for the count.
        what: "sum", "average", "minimum", "maximum", "median" or "count".

    Returns:
        {"column", "what", "value", "cells": how many cells held a number, "row": that of a minimum or maximum}.
    """
    columns, rows = parse_csv(text)
    name = column_named(columns, column) if column else ""
    result: Dict[str, Any] = {"column": name, "what": what}
    result.update(figure(rows, name, what))
    return result


def filter_csv(text: str, column: str, operator: str, value: str) -> Dict[str, Any]:
    """Keep the rows of CSV text whose cell in a column compares so with a value.

    Args:
        text: CSV with a header line.
        column: the column's name.
        operator: one of = != > >= < <= contains.
        value: what to compare with.

    Returns:
        {"columns", "rows": at most 50, "count": of all that match}.
    """
    columns, rows = parse_csv(text)
    found = select(rows, column_named(columns, column), operator, value)
    return {"columns": columns, "rows": found[:_SHOWN], "count": len(found)}


def sort_csv(text: str, column: str, descending: bool = False) -> Dict[str, Any]:
    """Sort the rows of CSV text by a column, as numbers where the cells are numbers.

    Args:
        text: CSV with a header line.
        column: the column's name.
        descending: largest first.

    Returns:
        {"columns", "rows": at most 50, "count": of all}.
    """
    columns, rows = parse_csv(text)
    name = column_named(columns, column)

    def rank(row: Row) -> Tuple[bool, float, str]:
        number = number_in(row[name])
        return (number is None, number or 0.0, str(row[name]).lower())

    ordered = sorted(rows, key=rank, reverse=descending)
    return {"columns": columns, "rows": ordered[:_SHOWN], "count": len(rows)}


def group_csv(text: str, by: str, column: str = "", what: str = "count") -> Dict[str, Any]:
    """Compute a figure for every group of rows of CSV text.

    Args:
        text: CSV with a header line.
        by: the column whose values make the groups.
        column: the column to compute over; "" only for the count.
        what: "sum", "average", "minimum", "maximum", "median" or "count".

    Returns:
        {"by", "column", "what", "groups": {value: figure}}, at most 50 groups.
    """
    columns, rows = parse_csv(text)
    key = column_named(columns, by)
    name = column_named(columns, column) if column else ""
    groups: Dict[str, List[Row]] = {}
    for row in rows:
        groups.setdefault(str(row[key]), []).append(row)
    return {
        "by": key,
        "column": name,
        "what": what,
        "groups": {value: figure(members, name, what)["value"] for value, members in list(groups.items())[:_SHOWN]},
    }
