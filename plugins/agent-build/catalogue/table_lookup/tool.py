"""Questions to the tables that came with the requirement: look up, filter, count, figures."""
from __future__ import annotations

from typing import Any, Dict, List, Tuple

from runtime import knowledge
from runtime.tables import Row, column_named, figure, select

__all__ = ["look_up", "find_rows", "table_figure", "show_table"]

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
    raise LookupError("there is no table %r" % table)


def look_up(name: str, column: str = "", table: str = "") -> Dict[str, Any]:
    """Look up a row by its name, and one of its columns.

    Args:
        name: what the first column says.
        column: the wanted column, or "" for the whole row.
        table: the table's id, or "" for the first one.

    Returns:
        {"name", "column", "value"} for a column; {"name", "row"} for a whole row.

    Raises:
        LookupError: no row has that name.
        ValueError: there is no such column.
    """
    source = _table(table)
    row = next((row for row in source["rows"] if str(row[source["key"]]).strip().lower() == name.strip().lower()), None)
    if row is None:
        raise LookupError("%s is not in the table" % name)
    if not column:
        return {"name": row[source["key"]], "row": row}
    column = column_named(source["columns"], column)
    return {"name": row[source["key"]], "column": column, "value": row[column]}


def find_rows(column: str, operator: str, value: str, table: str = "") -> Dict[str, Any]:
    """Find the rows whose cell in a column compares so with a value.

    Args:
        column: a column's name.
        operator: one of = != > >= < <= contains.
        value: what to compare with.
        table: the table's id, or "" for the first one.

    Returns:
        {"columns", "rows": at most 50, "count": of all that match}.
    """
    source = _table(table)
    rows = select(source["rows"], column_named(source["columns"], column), operator, value)
    return {"columns": source["columns"], "rows": rows[:_MAX_ROWS], "count": len(rows)}


def table_figure(column: str, what: str, table: str = "") -> Dict[str, Any]:
    """Compute a figure over a column.

    Args:
        column: a column's name; not needed for the count of rows.
        what: "sum", "average", "minimum", "maximum", "median" or "count".
        table: the table's id, or "" for the first one.

    Returns:
        {"column", "what", "value", "cells": how many cells held a number, "row": the
        row of a minimum or maximum, "key": the naming column}.
    """
    source = _table(table)
    name = column_named(source["columns"], column) if column else ""
    result: Dict[str, Any] = {"column": name, "what": what, "key": source["key"]}
    result.update(figure(source["rows"], name, what))
    return result


def show_table(table: str = "") -> Dict[str, Any]:
    """Show a table, at most 50 rows of it.

    Args:
        table: the table's id, or "" for the first one.

    Returns:
        {"title", "columns", "rows", "count"}.
    """
    source = _table(table)
    rows: List[Row] = source["rows"]
    return {"title": source["title"], "columns": source["columns"], "rows": rows[:_MAX_ROWS], "count": len(rows)}


def names_by_table() -> List[Tuple[str, List[str]]]:
    """For every table its id and the names in its first column."""
    return [(table["id"], [str(row[table["key"]]) for row in table["rows"]]) for table in tables()]
