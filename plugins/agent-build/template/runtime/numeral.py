"""A number in words, found in a text."""
from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

class Numeral(NamedTuple):
    """A number in words: its value, its place, what it is, and whether it may be no number at all."""

    value: Decimal
    start: int
    end: int
    kind: str = "number"  # or "percent", or "off": so many percent less (打八折)
    soft: bool = False
    measure: str = ""  # the measure word inside it: the 斤 of 三斤半
