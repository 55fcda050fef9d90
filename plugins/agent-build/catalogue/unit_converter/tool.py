"""Conversion between units of the same kind: length, mass, volume, area, speed, time, data, temperature."""
from __future__ import annotations

from typing import Any, Dict

from runtime.units import UNITS, convert

__all__ = ["convert_units", "list_units"]


def convert_units(value: float, from_unit: str, to_unit: str) -> Dict[str, Any]:
    """Convert a value from one unit to another of the same kind.

    Args:
        value: the number to convert.
        from_unit: symbol or name, for example "kg", "miles", "公斤".
        to_unit: symbol or name of the wanted unit, for example "lb", "km", "磅".

    Returns:
        {"value", "from", "result", "to", "kind"} with the unit symbols.

    Raises:
        ValueError: a unit is unknown, or the two are of different kinds.
    """
    kind, source, target, result = convert(value, from_unit, to_unit)
    return {"value": value, "from": source, "result": result, "to": target, "kind": kind}


def list_units(kind: str = "") -> Dict[str, Any]:
    """List the units that can be converted.

    Args:
        kind: one kind such as "mass", or "" for all.

    Returns:
        {"kinds": {kind: [symbols]}}.
    """
    return {"kinds": {name: list(units) for name, units in UNITS.items() if kind in ("", name)}}
