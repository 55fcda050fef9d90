"""Numbers in digits: their separators (1,234.50 and 1.234,50) and fractions."""
from __future__ import annotations

import re
from decimal import Decimal
from typing import List, Tuple

VULGAR = {"½": "0.5", "¼": "0.25", "¾": "0.75", "⅓": "1/3", "⅔": "2/3", "⅛": "0.125"}


def separated(number: str) -> List[Tuple[Decimal, int, str]]:
    """Read separators: 1,234.50 and 1.234,50 are one number, 3,5,8 are three; the third part is "?" when it is open."""
    number = number.replace("’", "'")
    if re.fullmatch(r"\d{1,3}(?:'\d{3})+(?:\.\d+)?", number):
        return [(Decimal(number.replace("'", "")), 0, "")]
    commas, dots = number.count(","), number.count(".")
    if commas and dots:
        if re.fullmatch(r"\d{1,3}(?:,\d{3})+\.\d+", number):
            return [(Decimal(number.replace(",", "")), 0, "")]
        if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+", number):
            return [(Decimal(number.replace(".", "").replace(",", ".")), 0, "")]
    elif commas == 1 and re.fullmatch(r"0,\d+|\d+,\d{1,2}", number):
        return [(Decimal(number.replace(",", ".")), 0, "")]
    elif commas and re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+", number):
        return [(Decimal(number.replace(",", "")), 0, "")]
    elif dots == 1 and re.fullmatch(r"\d*\.\d+", number):
        return [(Decimal(number), 0, "?" if re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", number) else "")]
    elif dots > 1 and re.fullmatch(r"[1-9]\d{0,2}(?:\.\d{3})+", number):
        return [(Decimal(number.replace(".", "")), 0, "")]
    elif number.isdigit():
        return [(Decimal(number), 0, "")]
    parts = [(Decimal(part.group(0)), part.start(), part.group(0)) for part in re.finditer(r"\d+(?:\.\d+)?", number)]
    return parts


def fraction(text: str) -> Decimal:
    upper, _, lower = text.partition("/")
    return Decimal(upper) / Decimal(lower) if lower else Decimal(upper)
