"""Numbers written in words, in English and Chinese: "two and a half", "a dozen", 三千五, 百分之五.

`find_numerals` gives every numeral of a text with its place. A word that is a number
only by chance (the 一 of 一下, the "one" of "which one") is left out, or marked as soft
where it may be either.
"""
from __future__ import annotations

from typing import List

from runtime.chinese_numerals import chinese_numerals
from runtime.english_numerals import english_numerals
from runtime.numeral import Numeral
from runtime.text import has_cjk


def find_numerals(text: str) -> List[Numeral]:
    """All numerals in words of a text in small letters, in its order."""
    found = english_numerals(text) + (chinese_numerals(text) if has_cjk(text) else [])
    return sorted(found, key=lambda numeral: numeral.start)
