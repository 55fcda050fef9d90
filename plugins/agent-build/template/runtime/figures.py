"""The one reader of figures: every number, percentage, sum of money, date and time of a text, with its place.

A tool works with these figures and tells which ones it used; the router refuses an
answer that leaves a figure of the question unused (see `runtime.router`). Values are
decimals, never floats.
"""
from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Iterable, List, NamedTuple, Optional, Tuple

from runtime.clock import find_times
from runtime.currencies import CODE_AFTER, CODE_BEFORE, code_of
from runtime.dates import find_dates
from runtime.digits import VULGAR, fraction, separated
from runtime.chinese_numerals import MEASURE, leading_value
from runtime.english_numerals import SCALES
from runtime.numerals import find_numerals
from runtime.writing import show

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF10, 0xFF1A)}
_FULL_WIDTH.update({ord("％"): ord("%"), ord("．"): ord("."), ord("＋"): ord("+"), ord("－"): ord("-"), ord("−"): ord("-"), ord("\u00a0"): ord(" "), ord("\u202f"): ord(" ")})
# Digits with their separators. Not behind a letter (A4, MP3) and not inside a word (3d6), except a unit or a scale behind it.
_DIGITS = re.compile(
    r"(?:(?<![a-z0-9_.#@])|(?<=(?<![a-z])x))(?<![a-z][-])(?<!\d,)(?P<sign>(?:(?<=\s)|(?<=[(=:：,，+*/×÷])|^)[-]|(?:minus|negative)\s+|负|零下)?\s?(?P<number>\d+(?:[.,'’]\d+)*|\.\d+)"
    r"(?:\s?(?P<vulgar>[½¼¾⅓⅔⅛])|(?:(?<=\d)\s+(?:and\s+)?|(?P<slash>(?=/)))(?P<fraction>\d*/\d{1,2})(?![\d/])|(?P<zeros>(?: 000)+)(?!\d)|\s+and\s+an?\s+(?P<and>half|quarter|third)\b)?"
    r"|(?P<alone>[½¼¾⅓⅔⅛])"
)
# k, K, M, million, 万 … behind digits. The 千 of 千克 and the m of metres belong to a unit.
_SCALE = re.compile(
    r"(?P<letter>[kK](?![A-Za-z0-9])|(?-i:m|M|mn|mln|mio|bn)(?![A-Za-z0-9]))|\s?(?P<word>hundred|thousand|million|billion|trillion|dozen|grand)s?\b"
    r"|(?P<zh>(?:万亿|百万|千万|十万|百(?!分|克拉)|千(?![克米瓦卡焦帕伏赫兆字]|万?分之)|万|亿))(?P<more>\d)?", re.IGNORECASE
)
_ZH_SCALE = {"百": 100, "千": 1000, "十万": 10**5, "万": 10**4, "百万": 10**6, "千万": 10**7, "亿": 10**8, "万亿": 10**12}
_LETTER = {"k": 1000, "m": 10**6, "mn": 10**6, "mln": 10**6, "mio": 10**6, "bn": 10**9}
_PERCENT = re.compile(r"\s?(?:%|percent\b|per ?cent\b|pct\b|个百分点|(?P<mille>‰|per mille\b))(?P<off>\s*(?:off|discount|reduction|rebate|的?折扣|优惠|less|cheaper)\b)?", re.IGNORECASE)
_COINS = re.compile("([1-9一二三四五六七八九])(?:[角毛](?:([1-9一二三四五六七八九])分?)?)?(?!\\d|[.,%%]|%s)" % MEASURE.replace("角|毛|", ""))
_HOT = re.compile(r"kelvin|celsius|fahrenheit|°|摄氏|华氏|degrees|开尔文", re.IGNORECASE)


class Figure(NamedTuple):
    """A figure of a text. `kind`: number, percent, off (percent taken off), ordinal, date, time."""

    kind: str
    value: Any  # a Decimal, a DateMention, a TimeMention
    start: int
    end: int
    text: str
    soft: bool = False  # it may be no figure ("which one")
    currency: str = ""
    measure: str = ""
    ambiguous: bool = False  # 1.234 € is 1234 or 1.234


# Figures are read of what is asked, not of whole documents.
_MAX_TEXT = 4000
_LOWER = {code: code + 32 for code in range(65, 91)}


def lowered(text: str) -> str:
    """The text with small letters a to z, at the same places (unlike `lower`, which may lengthen a text)."""
    return text.translate(_LOWER)


def plain(text: str) -> str:
    """The text with full-width digits and signs as ASCII, at the same places."""
    return text.translate(_FULL_WIDTH)


def read_figures(text: str, names: Iterable[Tuple[int, int]] = ()) -> List[Figure]:
    """Every figure of a text in its order; spans in `names` (of known names) hold none."""
    text = plain(text[:_MAX_TEXT])
    small = lowered(text)
    taken = list(names)
    found: List[Figure] = []

    def add(figure: Figure) -> None:
        if not any(figure.start < end and start < figure.end for start, end in taken):
            taken.append((figure.start, figure.end))
            found.append(figure)

    for day in find_dates(small):
        add(Figure("date", day, day.start, day.end, text[day.start : day.end], day.weekday is not None))
    for time in find_times(small):
        add(Figure("time", time, time.start, time.end, text[time.start : time.end]))
    for numeral in find_numerals(small):
        figure = Figure(numeral.kind, numeral.value, numeral.start, numeral.end, text[numeral.start : numeral.end], numeral.soft, "", numeral.measure)
        add(_with_surroundings(figure, text))
    for match in _DIGITS.finditer(small):
        for figure in _digits(match, text):
            add(figure)
    return sorted(found, key=lambda figure: figure.start)


def _digits(match: "re.Match[str]", text: str) -> List[Figure]:
    start, end = match.start("sign") if match.group("sign") else match.start("number") if match.group("number") else match.start(), match.end()
    if match.group("alone"):
        return [_with_surroundings(Figure("number", fraction(VULGAR[match.group("alone")]), start, end, text[start:end]), text)]
    number = match.group("number")
    values = separated(number)
    if len(values) > 1:  # "3,5,8": a list written without spaces
        return [
            Figure("number", value, match.start("number") + at, match.start("number") + at + len(part), part)
            for value, at, part in values
        ]
    value, ambiguous = values[0][0], values[0][2] == "?"
    if match.group("vulgar"):
        value += fraction(VULGAR[match.group("vulgar")])
    elif match.group("and"):
        value += {"half": Decimal("0.5"), "quarter": Decimal("0.25"), "third": Decimal(1) / 3}[match.group("and").lower()]
    elif match.group("zeros"):
        value *= Decimal(1000) ** match.group("zeros").count("000")
    elif match.group("fraction"):
        head, _, below = match.group("fraction").partition("/")
        upper, lower = (value if not head else Decimal(head)), Decimal(below)
        # 1/2 and 1 1/2 are fractions; 24/7, 10/2 and 3/0 are not.
        if not lower or upper >= lower or upper != upper.to_integral_value():
            end = match.end("number")
        else:
            value = upper / lower + (value if head else 0)
    if re.match(r"[A-Za-z_]", text[end : end + 1]) and not re.match(r"[A-Za-z°µ\"']{1,12}\d?(?![A-Za-z])", text[end:]):
        return []
    if re.match(r"(?:d|x\d|[A-Za-z]+\d)", text[end:]) and not re.match(r"(?:days?|d)\b|x\d|(?:[kcm]?m|ft|in)[23]\b|ft\d|h\d", text[end:]):
        return []  # 2d6, 4x4s
    sign = match.group("sign")
    if sign and sign.strip() == "-" and (text[match.end("sign")] == " " or re.search(r"[\d)%]\s*$", text[: match.start("sign")])):
        sign, start = None, match.start("number")  # 5 - 3 and 5-3 are two numbers
    value = -value if sign else value
    figure = Figure("number", value, start, end, text[start:end], ambiguous=ambiguous)
    return [_with_surroundings(figure, text, scaled=not match.group("vulgar"))]


def _with_surroundings(figure: Figure, text: str, scaled: bool = True) -> Figure:
    """Take in what belongs to the number: a scale (k, million, 万), a percent sign, a currency."""
    value, end = figure.value, figure.end
    while scaled and not figure.measure and figure.kind == "number":
        scale = _SCALE.match(text, end)
        if scale is None or (scale.group("letter") and _is_unit_letter(scale.group("letter"), figure, text)):
            break
        factor = _LETTER.get((scale.group("letter") or "").lower()) or SCALES.get((scale.group("word") or "").lower()) or _ZH_SCALE.get(scale.group("zh") or "") or 1
        value, end = value * factor, scale.end("zh") if scale.group("zh") else scale.end()
        value, end = _smaller(value, factor, text, end) if scale.group("zh") else (value, end)
        if not scale.group("word"):
            break
    figure = figure._replace(value=value, end=end, text=text[figure.start : end])
    percent = _PERCENT.match(text, end) if figure.kind == "number" else None
    if percent:
        value = value / 10 if percent.group("mille") else value
        kind = "off" if percent.group("off") else "percent"
        return figure._replace(kind=kind, value=value, end=percent.end(), text=text[figure.start : percent.end()], ambiguous=False)
    if figure.kind != "number":
        return figure
    before, after = CODE_BEFORE.search(text[max(0, figure.start - 12) : figure.start]), CODE_AFTER.match(text, end)
    if after:
        coins = _COINS.match(text, after.end(1)) if after.group(1) in "块元" else None
        if coins:  # 九块九 is 9.9, 五元五角 5.5, 三块二毛五 3.25
            tenths, hundredths = (leading_value(part)[0] if part and not part.isascii() else Decimal(part or 0) for part in coins.groups())
            value, end = value + tenths / 10 + hundredths / 100, coins.end()
        else:
            end = after.end(1)
        return figure._replace(value=value, currency=code_of(after.group(1)), end=end, text=text[figure.start : end])
    if before:
        start = figure.start - len(before.group(0))
        return figure._replace(currency=code_of(before.group(1)), start=start, text=text[start:end])
    return figure._replace(ambiguous=False)


def _is_unit_letter(letter: str, figure: Figure, text: str) -> bool:
    """K is kelvin where temperatures are meant; a bare M or m is a million only in money."""
    if letter in "kK":
        return letter == "K" and bool(_HOT.search(text))
    return letter in "mM" and not CODE_BEFORE.search(text[max(0, figure.start - 12) : figure.start]) and not CODE_AFTER.match(text, figure.end + 1)


def _smaller(value: Decimal, factor: int, text: str, end: int) -> Tuple[Decimal, int]:
    """What follows in smaller steps: 3万5 is 35000, 5万3千 is 53000, 1亿2000万 is 120000000, 2万五 is 25000."""
    short = re.match(r"\d(?![\d.%年月日号:：千百万])", text[end:])
    if short and factor >= 100:
        return value + int(short.group(0)) * factor // 10, end + 1
    part = re.match(r"(\d+(?:\.\d+)?)(万|千(?![克米瓦卡焦])|百)", text[end:])
    if part and _ZH_SCALE[part.group(2)] < factor:
        return _smaller(value + Decimal(part.group(1)) * _ZH_SCALE[part.group(2)], _ZH_SCALE[part.group(2)], text, end + part.end())
    words = leading_value(text[end:])
    if words and words[1] == 1 and words[0] < 10 and factor >= 100:
        return (value, end) if re.match(MEASURE, text[end + 1 :]) else (value + words[0] * factor // 10, end + 1)
    return (value + words[0], end + words[1]) if words and words[0] < factor else (value, end)


def first(figures: Iterable[Figure], *kinds: str) -> Optional[Figure]:
    """The first figure of one of these kinds."""
    return next((figure for figure in figures if figure.kind in kinds), None)


def in_digits(text: str, figures: Optional[Iterable[Figure]] = None) -> str:
    """The text with every number as plain digits: "three hundred plus 5万" is "300 plus 50000"."""
    parts, end = [], 0
    for figure in read_figures(text) if figures is None else figures:
        if figure.kind in ("number", "percent") and "/" not in figure.text:
            parts += [text[end : figure.start], show(figure.value) + ("%" if figure.kind == "percent" else "")]
            end = figure.end
    return "".join(parts) + text[end:]
