"""Conversion between units of the same kind: length, mass, volume, area, speed, time, data, temperature, energy, power, pressure."""
from __future__ import annotations

from decimal import Decimal
from typing import Any, Dict

from runtime.units import UNITS, convert
from runtime.writing import json_number

__all__ = ["convert_units", "compare_measures", "list_units"]


def convert_units(value: float, from_unit: str, to_unit: str, also_unit: str = "") -> Dict[str, Any]:
    """Convert a value from one unit to another of the same kind.

    Args:
        value: the number to convert.
        from_unit: symbol or name, for example "kg", "miles", "公斤".
        to_unit: symbol or name of the wanted unit, for example "lb", "km", "磅".
        also_unit: a second wanted unit, or nothing.

    Returns:
        {"value", "from", "result", "to", "kind", "also"} with the unit symbols; also is
        {"result", "to"} for the second unit, or None.

    Raises:
        ValueError: a unit is unknown, or the two are of different kinds.
    """
    kind, source, target, result = convert(value, from_unit, to_unit)
    also = None
    if also_unit:
        _, _, second, other = convert(value, from_unit, also_unit)
        also = {"result": json_number(other), "to": second}
    return {"value": value, "from": source, "result": json_number(result), "to": target, "kind": kind, "also": also}


def compare_measures(value: float, unit: str, other_value: float, other_unit: str) -> Dict[str, Any]:
    """Tell which of two measures of the same kind is more.

    Args:
        value: the number of the first measure.
        unit: its unit.
        other_value: the number of the second measure.
        other_unit: its unit.

    Returns:
        {"value", "unit", "other_value", "other_unit", "other_in_unit": the second one in
        the unit of the first, "order": -1, 0 or 1 as the first is less, equal or more}.

    Raises:
        ValueError: a unit is unknown, or the two are of different kinds.
    """
    _, source, target, result = convert(other_value, other_unit, unit)
    first = Decimal(str(value))
    return {
        "value": value, "unit": target, "other_value": other_value, "other_unit": source,
        "other_in_unit": json_number(result), "order": (first > result) - (first < result),
    }


def list_units(kind: str = "") -> Dict[str, Any]:
    """List the units that can be converted.

    Args:
        kind: one kind such as "mass", or "" for all.

    Returns:
        {"kinds": {kind: [symbols]}}.
    """
    return {"kinds": {name: list(units) for name, units in UNITS.items() if kind in ("", name)}}
