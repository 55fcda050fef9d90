"""How numbers are written: for people, and for JSON."""
from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

def show(value: "Decimal | int | float") -> str:
    """Write a number the short way: 12.0 as 12, 0.30 as 0.3, never 1E+3."""
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not number.is_finite():
        return str(value)
    if number == number.to_integral_value():
        return str(int(number)) if abs(number) < Decimal(10) ** 30 else str(number)
    text = format(number.normalize(), "f")
    return text if len(text) <= 16 else format(round(number, 10).normalize(), "f")


def rounded(value: "Decimal | int | float") -> str:
    """Write a measured value for people: two decimals, or four significant digits when small."""
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if number == 0:
        return "0"
    if abs(number) >= Decimal(10) ** 15 or abs(number) < Decimal("0.000001"):
        return "%.6g" % number
    places = 2 if abs(number) >= 1 else 4 if abs(number) >= Decimal("0.01") else 4 - number.adjusted() - 1
    return show(number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP))


def json_number(value: Decimal) -> "int | float":
    """A decimal as a number of JSON: whole where it is whole."""
    return int(value) if value == value.to_integral_value() else float(value)
