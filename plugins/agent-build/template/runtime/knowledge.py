"""The data that came with the requirement, read from `knowledge/*.json`.

Every file holds one data set: {"kind", "id", "title", ...}. The kinds:

- `prices`: `items` with name, amount, currency and per (unit); perhaps `to` (upper end of
  a range), `base` and `variant` ("latte", "large"), `note`; and `rules` such as discounts
  (text, percent_off, from_quantity, from_total, applies_to);
- `table`: typed columns and rows, the first column names the rows;
- `faq`: pairs of question and answer; `notes`: passages, each perhaps with `topics`,
  words that it is found by;
- `hours`: `hours` (subject, days 1 to 7 with Monday first, from, to; no days: every day)
  and `closed` (subject, days);
- `categories`: names with words; `rates`: from, to, rate.
"""
from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

KNOWLEDGE_DIR = Path(__file__).resolve().parent.parent / "knowledge"

_data_sets: Optional[List[Dict[str, Any]]] = None


def load(folder: Path = KNOWLEDGE_DIR) -> List[Dict[str, Any]]:
    """Read every data set of a folder, in the order of the file names."""
    if not folder.is_dir():
        return []
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def of_kind(kind: str) -> List[Dict[str, Any]]:
    """The data sets of one kind; read from disk once."""
    global _data_sets
    if _data_sets is None:
        _data_sets = load()
    return [data for data in _data_sets if data.get("kind") == kind]


@contextmanager
def replaced_by(*data_sets: Dict[str, Any]) -> Iterator[None]:
    """Work with other data for a while; the unit tests use it."""
    global _data_sets
    before, _data_sets = _data_sets, list(data_sets)
    try:
        yield
    finally:
        _data_sets = before
