"""Questions to the tables that came with the requirement: look up, filter, count, rank, figures."""
from __future__ import annotations

from decimal import Decimal
from typing import Any, Dict, List, Optional, Tuple

from runtime import knowledge
from runtime.refusal import Refused, Unknown
from runtime.tables import Row, column_named, figure, number_in, select
from runtime.writing import json_number

__all__ = ["look_up", "times_cell", "find_rows", "table_figure", "rank_rows", "show_table"]

_MAX_ROWS = 50


def tables() -> List[Dict[str, Any]]:
    """All tables: {"id", "title", "columns": [names], "rows": [{column: cell}], "key": the naming column}."""
    found = []
    for data in knowledge.of_kind("table"):
        columns = [column["name"] for column in data["columns"]]
        rows = [dict(zip(columns, row)) for row in data["rows"]]
        found.append({"id": data["id"], "title": data["title"], "columns": columns, "rows": rows, "key": columns[0]})
    return found


def _table(table: str) -> Dict[str, Any]:
    for candidate in tables():
        if table in ("", candidate["id"], candidate["title"]):
            return candidate
    raise Unknown("there is no table %r" % table, "没有“%s”这张表" % table)


def _named(source: Dict[str, Any], name: str) -> List[Row]:
    return [row for row in source["rows"] if str(row[source["key"]]).strip().lower() == name.strip().lower()]


def _kept(source: Dict[str, Any], where: Optional[List[Dict[str, str]]]) -> List[Row]:
    rows: List[Row] = source["rows"]
    for condition in where or []:
        rows = select(rows, column_named(source["columns"], condition["column"]), condition["operator"], condition["value"])
    return rows


def _among(source: Dict[str, Any], rows: List[Row], names: Optional[List[str]]) -> List[Row]:
    wanted = {name.strip().lower() for name in names or []}
    return [row for row in rows if str(row[source["key"]]).strip().lower() in wanted] if wanted else rows


def look_up(name: str, column: str = "", table: str = "") -> Dict[str, Any]:
    """Look up a row by its name, and one of its columns.

    Args:
        name: what the first column says.
        column: the wanted column, or "" for the whole row.
        table: the table's id, or "" for the first one.

    Returns:
        {"name", "column", "value"} for a column (several values are joined when rows
        share the name); {"name", "row", "rows"} for a whole row.

    Raises:
        ValueError: no row has that name, or there is no such column.
    """
    source = _table(table)
    rows = _named(source, name)
    if not rows:
        known = [str(row[source["key"]]) for row in source["rows"]]
        more = len(known) - 15
        raise Unknown(
            "I know nothing about %s. I know: %s%s." % (name, ", ".join(known[:15]), " and %d more" % more if more > 0 else ""),
            "资料里没有%s。已有的是：%s%s。" % (name, "、".join(known[:15]), "等 %d 项" % len(known) if more > 0 else ""))
    if not column:
        return {"name": rows[0][source["key"]], "row": rows[0], "rows": rows}
    column = column_named(source["columns"], column)
    value = rows[0][column] if len(rows) == 1 else "; ".join(str(row[column]) for row in rows)
    return {"name": rows[0][source["key"]], "column": column, "value": value}


def times_cell(name: str, column: str, quantity: float, table: str = "") -> Dict[str, Any]:
    """Multiply a number of the table: what three days cost at the price of a day.

    Args:
        name: what the first column says.
        column: the column that holds the number.
        quantity: how many times.
        table: the table's id, or "" for the first one.

    Returns:
        {"name", "column", "cell": as it stands in the table, "quantity", "value"}.

    Raises:
        ValueError: no row has that name, there is no such column, or it holds no number.
    """
    found = look_up(name, column, table)
    number = number_in(found["value"])
    if number is None:
        raise Refused("%s, %s is no number" % (found["name"], found["column"]), "%s的%s不是数字" % (found["name"], found["column"]))
    value = number * Decimal(str(quantity))
    return {"name": found["name"], "column": found["column"], "cell": found["value"], "quantity": quantity, "value": json_number(value)}


def find_rows(
    column: str = "", operator: str = "=", value: str = "", table: str = "", where: Optional[List[Dict[str, str]]] = None, names: Optional[List[str]] = None
) -> Dict[str, Any]:
    """Find the rows that meet a condition, or several.

    Args:
        column: a column's name.
        operator: one of = != > >= < <= contains.
        value: what to compare with.
        table: the table's id, or "" for the first one.
        where: further conditions, each {"column", "operator", "value"}.
        names: only the rows with these names.

    Returns:
        {"columns", "rows": at most 50, "count": of all that match, "key": the naming column}.
    """
    source = _table(table)
    conditions = ([{"column": column, "operator": operator, "value": value}] if column else []) + list(where or [])
    rows = _among(source, _kept(source, conditions), names)
    return {"columns": source["columns"], "rows": rows[:_MAX_ROWS], "count": len(rows), "key": source["key"]}


def table_figure(column: str, what: str, table: str = "", where: Optional[List[Dict[str, str]]] = None, names: Optional[List[str]] = None) -> Dict[str, Any]:
    """Compute a figure over a column.

    Args:
        column: a column's name; not needed for the count of rows.
        what: "sum", "average", "minimum", "maximum", "median" or "count".
        table: the table's id, or "" for the first one.
        where: conditions on the rows, each {"column", "operator", "value"}.
        names: only the rows with these names.

    Returns:
        {"column", "what", "value", "cells": how many cells held a number, "row": the
        row of a minimum or maximum, "rows": all that share it, "key": the naming column}.
    """
    source = _table(table)
    name = column_named(source["columns"], column) if column else ""
    rows = _among(source, _kept(source, where), names)
    if not rows and what != "count":
        raise Refused("no entry matches", "没有符合条件的记录")
    result: Dict[str, Any] = {"column": name, "what": what, "key": source["key"]}
    result.update(figure(rows, name, what))
    return result


def rank_rows(column: str, descending: bool = True, limit: int = 10, table: str = "", where: Optional[List[Dict[str, str]]] = None) -> Dict[str, Any]:
    """Sort the rows by a column, as numbers where the cells are numbers.

    Args:
        column: a column's name.
        descending: largest first.
        limit: at most so many rows, up to 50.
        table: the table's id, or "" for the first one.
        where: conditions on the rows, each {"column", "operator", "value"}.

    Returns:
        {"columns", "rows", "count": of all rows, "key": the naming column}.
    """
    source = _table(table)
    name = column_named(source["columns"], column)

    def rank(row: Row) -> Tuple[Any, str]:
        number = number_in(row[name])
        return (number if number is not None else 0, str(row[name]).lower())

    rows = _kept(source, where)
    filled = sorted((row for row in rows if row[name] not in (None, "")), key=rank, reverse=descending)
    return {"columns": source["columns"], "rows": filled[: max(1, min(_MAX_ROWS, limit))], "count": len(rows), "key": source["key"]}


def show_table(table: str = "") -> Dict[str, Any]:
    """Show a table, at most 50 rows of it.

    Args:
        table: the table's id, or "" for the first one.

    Returns:
        {"title", "columns", "rows", "count", "key": the naming column}.
    """
    source = _table(table)
    rows: List[Row] = source["rows"]
    return {"title": source["title"], "columns": source["columns"], "rows": rows[:_MAX_ROWS], "count": len(rows), "key": source["key"]}


def names_by_table() -> List[Tuple[str, List[str]]]:
    """For every table its id and the names in its first column."""
    return [(table["id"], [str(row[table["key"]]) for row in table["rows"]]) for table in tables()]
