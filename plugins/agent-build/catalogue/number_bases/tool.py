"""Numbers written otherwise: binary, octal, hexadecimal, Roman numerals, words."""
from __future__ import annotations

from typing import Any, Dict

from runtime.refusal import Refused

__all__ = ["convert_base", "to_roman", "from_roman", "number_in_words"]

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ROMAN = [(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]
_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen""".split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()


def convert_base(number: str, from_base: int = 10, to_base: int = 2) -> Dict[str, Any]:
    """Write a whole number in another base.

    Args:
        number: the digits; a prefix 0b, 0o or 0x may stand.
        from_base: the base of the digits, 2 to 36.
        to_base: the wanted base, 2 to 36.

    Returns:
        {"number", "from_base", "to_base", "result"}.
    """
    if not (2 <= from_base <= 36 and 2 <= to_base <= 36):
        raise Refused("a base lies between 2 and 36", "进制应在 2 到 36 之间")
    if len(number) > 300:
        raise Refused("the number is too long", "数字太长")
    try:
        value = int(number.strip(), from_base)
    except ValueError as error:
        raise Refused("%r is no whole number of base %d" % (number, from_base), "“%s”不是 %d 进制的整数" % (number, from_base)) from error
    digits, rest = "", abs(value)
    while rest:
        rest, digit = divmod(rest, to_base)
        digits = _DIGITS[digit] + digits
    return {"number": number.strip(), "from_base": from_base, "to_base": to_base, "result": ("-" if value < 0 else "") + (digits or "0")}


def to_roman(number: int) -> Dict[str, Any]:
    """Write a number as a Roman numeral.

    Args:
        number: 1 to 3999.

    Returns:
        {"number", "roman"}.
    """
    if not 1 <= number <= 3999:
        raise Refused("Roman numerals go from 1 to 3999", "罗马数字只能表示 1 到 3999")
    text, rest = "", number
    for value, letters in _ROMAN:
        count, rest = divmod(rest, value)
        text += letters * count
    return {"number": number, "roman": text}


def from_roman(roman: str) -> Dict[str, Any]:
    """Read a Roman numeral.

    Args:
        roman: such as "MCMXC".

    Returns:
        {"roman", "number"}.
    """
    text, total = roman.strip().upper(), 0
    rest = text
    for value, letters in _ROMAN:
        while rest.startswith(letters):
            total, rest = total + value, rest[len(letters) :]
    if rest or not text or total > 3999 or to_roman(total)["roman"] != text:
        raise ValueError("%r is no Roman numeral" % roman)
    return {"roman": text, "number": total}


def number_in_words(number: int) -> Dict[str, Any]:
    """Write a whole number in English words.

    Args:
        number: smaller than a trillion.

    Returns:
        {"number", "words"}.
    """
    if abs(number) >= 10**12:
        raise Refused("the number is too large", "数字太大")
    return {"number": number, "words": ("minus " if number < 0 else "") + _words(abs(number))}


def _words(number: int) -> str:
    if number < 20:
        return _SMALL[number]
    if number < 100:
        return _TENS[number // 10] + ("-" + _SMALL[number % 10] if number % 10 else "")
    for size, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            joint = " and " if 0 < rest < 100 else " "
            return _words(number // size) + " " + name + (joint + _words(rest) if rest else "")
    return ""
