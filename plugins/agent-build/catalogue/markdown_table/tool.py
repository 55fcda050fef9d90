"""Reshaping of data: CSV or JSON records to a Markdown table, and back to CSV or JSON."""
from __future__ import annotations

import csv
import io
import json
import re
from typing import Any, Dict, List, Tuple

from runtime.tables import Row, markdown

__all__ = ["to_markdown_table", "table_to_csv", "table_to_json"]


def _records(text: str) -> Tuple[List[str], List[Row]]:
    text = text.strip()
    if text.startswith(("[", "{")):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError("not valid JSON: %s" % error) from error
        records = value if isinstance(value, list) else [value]
        if not records or not all(isinstance(record, dict) for record in records):
            raise ValueError("the JSON must be a list of objects")
        columns = list(dict.fromkeys(key for record in records for key in record))
        cells = [{key: cell if isinstance(cell, (str, int, float)) else json.dumps(cell, ensure_ascii=False) for key, cell in record.items()} for record in records]
        return columns, cells
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and lines[0].count("|") and len(lines) > 1 and re.fullmatch(r"[\s|:\-]+", lines[1]):
        grid = [[cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in [lines[0]] + lines[2:]]
    else:
        head = lines[0] if lines else ""
        delimiter = max(",;\t|", key=head.count)
        if not head.count(delimiter):
            raise ValueError("the first line has no delimiter; give CSV, a Markdown table or JSON records")
        grid = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter, skipinitialspace=True)]
    columns = [cell or "column %d" % number for number, cell in enumerate(grid[0], 1)]
    return columns, [dict(zip(columns, row + [""] * len(columns))) for row in grid[1:]]


def to_markdown_table(text: str) -> Dict[str, Any]:
    """Turn CSV text or JSON records into a Markdown table.

    Args:
        text: CSV with a header line, or a JSON list of objects.

    Returns:
        {"table": the Markdown, "rows", "columns"}.
    """
    columns, rows = _records(text)
    return {"table": markdown(columns, rows), "rows": len(rows), "columns": len(columns)}


def table_to_csv(text: str) -> Dict[str, Any]:
    """Turn a Markdown table or JSON records into CSV.

    Args:
        text: the table.

    Returns:
        {"csv", "rows", "columns"}.
    """
    columns, rows = _records(text)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(column, "") for column in columns] for row in rows)
    return {"csv": out.getvalue(), "rows": len(rows), "columns": len(columns)}


def table_to_json(text: str) -> Dict[str, Any]:
    """Turn CSV or a Markdown table into JSON records.

    Args:
        text: the table with a header line.

    Returns:
        {"json": a list of objects as text, "rows", "columns"}.
    """
    columns, rows = _records(text)
    return {"json": json.dumps(rows, ensure_ascii=False, indent=2), "rows": len(rows), "columns": len(columns)}
