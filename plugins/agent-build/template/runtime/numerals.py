"""Numbers written in words, in English and Chinese: "two and a half", "a dozen", 三千五, 百分之五.

`find_numerals` gives every numeral of a text with its place. A word that is a number
only by chance (the 一 of 一下, the "one" of "which one") is left out, or marked as soft
where it may be either.
"""
from __future__ import annotations

import re
from decimal import Decimal
from typing import Dict, List, NamedTuple, Optional, Tuple

_SMALL: Dict[str, int] = {
    word: value
    for value, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty""".split()
    )
}
_SMALL.update(thirty=30, forty=40, fifty=50, sixty=60, seventy=70, eighty=80, ninety=90)
SCALES: Dict[str, int] = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12, "grand": 1000}
_PARTS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fifth": 5, "fifths": 5, "tenth": 10, "tenths": 10}

_WORD = "|".join(sorted([*_SMALL, *(scale for scale in SCALES if scale != "grand")], key=len, reverse=True))
# A run of number words; "and" joins them only when number words stand on both sides ("a hundred and five", "two and a half").
_ENGLISH = re.compile(
    r"(?<![\w-])(?:(?:an?\s+)?(?P<fraction>(?:%(word)s)[\s-]+(?:halves|thirds?|quarters?|fifths?|tenths?)|an?\s+(?:half|third|quarter|fifth|tenth)|half)(?:\s+an?\s+(?P<of>dozen|million|billion|hundred|thousand)\b)?(?![\w-])"
    r"|(?P<run>(?:an?\s+(?:couple(?:\s+of)?|hundred|thousand|million|billion|dozen)|(?:%(small)s)|(?<!\d\s)dozen)(?:(?:[\s-]+and[\s-]+|[\s-]+)(?:%(word)s))*(?:\s+point(?:\s+(?:zero|one|two|three|four|five|six|seven|eight|nine))+)?)(?P<rest>\s+and\s+an?\s+(?:half|quarter|third)|\s+and\s+three\s+quarters)?(?![\w-]))"
    % {"word": _WORD, "small": "|".join(sorted(_SMALL, key=len, reverse=True))},
)


class Numeral(NamedTuple):
    """A number in words: its value, its place, what it is, and whether it may be no number at all."""

    value: Decimal
    start: int
    end: int
    kind: str = "number"  # or "percent", or "off": so many percent less (打八折)
    soft: bool = False
    measure: str = ""  # the measure word inside it: the 斤 of 三斤半


def find_numerals(text: str) -> List[Numeral]:
    """All numerals in words of a text in small letters, in its order."""
    found: List[Numeral] = []
    for match in _ENGLISH.finditer(text):
        if not re.search(r"\d\s+and\s+$", text[: match.start()]):  # the rest of "2 and a half" belongs to its digits
            found.extend(_english(match))
    if any("\u3400" <= char <= "\u9fff" for char in text):
        found.extend(_chinese(text))
    return sorted(found, key=lambda numeral: numeral.start)


def _english(match: "re.Match[str]") -> List[Numeral]:
    if match.group("fraction"):
        words = re.split(r"[\s-]+", match.group("fraction"))
        value = Decimal(_SMALL.get(words[0], 1)) / _PARTS[words[-1]]
        if match.group("of"):
            value *= SCALES[match.group("of")]
        return [Numeral(value, match.start(), match.end())]
    numbers = _runs(match.group("run"), match.start("run"))
    rest = match.group("rest")
    if rest and numbers:
        extra = Decimal("0.75") if "three" in rest else Decimal(1) / _PARTS[rest.split()[-1]]
        last = numbers[-1]
        numbers[-1] = last._replace(value=last.value + extra, end=match.end("rest"), soft=False)
    return numbers


def _runs(text: str, offset: int) -> List[Numeral]:
    """Cut a run of number words into numbers: "two three" are two, "two hundred and three" is one."""
    numbers: List[Numeral] = []
    total, group, last, start, end = 0, 0, 0, -1, -1
    tail: List[str] = []
    joined = False
    for word in re.finditer(r"[a-z]+", text):
        name = word.group(0)
        if name in ("a", "an", "of"):
            start = word.start() if start < 0 else start
            continue
        if name == "couple":
            return [Numeral(Decimal(2), offset + word.start(), offset + word.end())]
        if name == "and":
            joined = True
            continue
        if name == "point":
            tail = ["."]
            continue
        if tail:
            tail.append(str(_SMALL[name]))
            end = word.end()
            continue
        value = _SMALL.get(name)
        # "and" joins only below a hundred or a thousand: "two and three" are two numbers.
        continues = last == 0 if value is None else end >= 0 and (last >= 100 or (20 <= last < 100 and 0 < value < 10 and not joined))
        if value is not None and end >= 0 and not continues:
            numbers.append(_number(total + group, offset + start, offset + end))
            total, group, last, start = 0, 0, 0, word.start()
        start = word.start() if start < 0 else start
        if value is not None:
            group, last = group + value, value
        elif name in ("hundred", "dozen"):
            group, last = (group or 1) * SCALES[name], SCALES[name]
        else:
            total, group, last = total + (group or 1) * SCALES[name], 0, SCALES[name]
        end, joined = word.end(), False
    value = Decimal(total + group)
    if len(tail) > 1:
        value += Decimal("0" + "".join(tail))
    if end >= 0:
        numbers.append(_number(value, offset + start, offset + end))
    return numbers


def _number(value: "Decimal | int", start: int, end: int) -> Numeral:
    return Numeral(Decimal(value), start, end, soft=value == 1)


_DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
_RUN = "[零〇一二两三四五六七八九十百千万亿]+(?:点[零〇一二三四五六七八九]+)?"
# What may follow a single numeral sign, so that it is a number: 三个, 五公斤; not the 三 of 三明治.
MEASURE = (
    "(?:千克|公斤|市斤|斤|克|毫克|磅|盎司|吨|厘米|毫米|公里|千米|海里|英里|英尺|英寸|英亩|英镑|公分|公顷|公升|毫升|米|里地|升|加仑|品脱|码|亩|平方|平米|立方|"
    "欧元?|美元|美金|日元|港币|元|块|角|毛|分钱|小时|分钟|秒|天|日|周|星期|礼拜|个|月|年|岁|晚|夜|次|倍|折|度|摄氏|华氏|节课|节|门课|"
    "份|瓶|盒|杯|条|台|本|张|件|套|箱|袋|包|位|人|只|支|枝|朵|束|块|片|碗|盘|串|颗|粒|根|双|对|间|辆|部|把|桶|罐|壶|笼|打|卷|匹|头|棵|栋|层|楼|页|句|字|行|"
    "大杯|中杯|小杯|号|点|刻|兆|字节|千瓦|焦|大卡|千卡|名|口|期|场|局|盏|顶|扇|幅|封|篇|首|款|种|票|大人|小孩|成人|儿童|学生|老人|的?次方|的平方)"
)
_OPERATOR_AFTER = "(?:加|减|乘|除|的?平方|到|至|和|等于|个?百分点)"
_OPERATOR_BEFORE = "(?:加上?|减去?|乘以?|除以|到|至|超过|大于|小于|低于|高于|少于|多于|不到|等于|是|买|要|来|共)"
# Words that hold a numeral sign but no number.
_IDIOMS = re.compile("(?<![零一二两三四五六七八九十百千万亿0-9])(?:万一|千万别|千万不|十分(?!钟|之)|百分百|百货|千层|万能|三明治|三文鱼|三鲜|五花|五香|八宝|七喜|九寨|四川|百香|一次性|百事|四季|五金|六神|百合|三角|四面|八角|一二[三]木头人|星期[一二三四五六]|周[一二三四五六](?!天)|礼拜[一二三四五六]|十字)")
_NO_HALF = "糖|价|熟|辣|冰|成|导|岛|决|路|身|截|袖|年卡|甜"


def chinese_value(text: str) -> Optional[Decimal]:
    """The value of a Chinese numeral (三千五, 两万零三, 三点五, 二零二六); None when it is none, or only about a number (三五)."""
    whole, point, fraction = text.partition("点")
    if not whole or (point and not fraction) or any(char not in _DIGITS for char in fraction):
        return None
    if all(char in _DIGITS for char in whole):
        if len(whole) > 1 and not (len(whole) > 2 or "零" in whole or "〇" in whole):
            return None
        value = Decimal("".join(str(_DIGITS[char]) for char in whole))
    else:
        got = _composed(whole)
        if got is None:
            return None
        value = Decimal(got)
    return value + Decimal("0." + "".join(str(_DIGITS[char]) for char in fraction)) if fraction else value


def _composed(whole: str) -> Optional[int]:
    total, section, digit, unit, zero = 0, 0, -1, 0, False
    for char in whole:
        if char in _DIGITS:
            if digit > 0:
                return None
            zero = zero or _DIGITS[char] == 0
            digit = _DIGITS[char]
            continue
        if not total and section and _UNITS[char] < 10**4 and _UNITS[char] >= unit > 0:
            return None  # 五十五千 is no number
        unit = _UNITS[char]
        if unit >= 10**4:
            part = section + max(digit, 0)
            # 一亿三千万: the 万 counts what stands behind the 亿; 一万亿: the 亿 counts all before it.
            total, section = (total + part * unit if total > unit else (total + part) * unit), 0
            if total == 0:
                return None
        else:
            section += (1 if digit < 0 or (digit == 0 and unit == 10) else digit) * unit
        digit, zero = -1, False
    if digit > 0 and unit >= 100 and not zero:  # 三千五 is 3500
        return total + section + digit * unit // 10
    return total + section + max(digit, 0)


def _chinese(text: str) -> List[Numeral]:
    found: List[Numeral] = []
    taken = [match.span() for match in _IDIOMS.finditer(text)]

    def add(start: int, end: int, value: Decimal, kind: str = "number", soft: bool = False, measure: str = "") -> None:
        if not any(start < last and first < end for first, last in taken):
            taken.append((start, end))
            found.append(Numeral(value, start, end, kind, soft, measure))

    for match in re.finditer("(百|千|万|%s|\\d+)分之(%s|\\d+(?:\\.\\d+)?)" % (_RUN, _RUN), text):
        base = {"百": Decimal(100), "千": Decimal(1000), "万": Decimal(10000)}.get(match.group(1)) or _either(match.group(1))
        part = _either(match.group(2))
        if base and part is not None:
            percent = match.group(1) in ("百", "千", "万")
            add(match.start(), match.end(), part * 100 / base if percent else part / base, "percent" if percent else "number")
    for match in re.finditer("(\\d+(?:\\.\\d+)?|[一二三四五六七八九]+)折", text):
        share = _either("".join(str(_DIGITS[char]) for char in match.group(1)) if match.group(1)[0] in _DIGITS else match.group(1))
        if share is not None and share < 100:  # 八折 and 八五折 say what is left
            add(match.start(), match.end(), 100 - (share * 10 if share < 10 else share), "off")
    for match in re.finditer("([一二三四五六七八九])成(?![为功员人长年绩都本份])", text):
        add(match.start(), match.end(), Decimal(_DIGITS[match.group(1)] * 10), "percent")
    for match in re.finditer("半价", text):
        add(match.start(), match.end(), Decimal(50), "off")
    for match in re.finditer("一半", text):
        add(match.start(), match.end(), Decimal("0.5"))
    for match in re.finditer("([零〇一二两三四五六七八九十百]+|\\d+)(个|斤|公斤|年|天|米|升|里|磅|岁|倍|小时)半(?!%s)" % _NO_HALF, text):
        value = _either(match.group(1))
        if value is not None:
            add(match.start(), match.end(), value + Decimal("0.5"), measure="" if match.group(2) == "个" else match.group(2))
    for match in re.finditer("(半|一|两|[二三四五六七八九十]|\\d+)打(?![折开电算印包扫架]|[0-9一二三四五六七八九.]+折)", text):
        dozens = Decimal("0.5") if match.group(1) == "半" else _either(match.group(1))
        if dozens is not None:
            add(match.start(), match.end(), dozens * 12)
    for match in re.finditer("半(?=个|斤|公斤|小时|天|年|月|米|升|里|磅|份|盒|只|条|块|杯|箱|袋|瓶|吨|分钟|打)", text):
        add(match.start(), match.end(), Decimal("0.5"))
    for match in re.finditer("(?<![第周期拜0-9])" + _RUN, text):
        run, start = match.group(0), match.start()
        if re.search(r"\d[百千万亿]*$", text[:start]):
            continue  # 3千五, 1亿三千万: read from their digits
        if len(run) > 1 and run.endswith("千") and text[match.end() : match.end() + 1] in tuple("克米瓦卡焦帕伏"):
            run = run[:-1]  # 五千克: the 千 belongs to the unit
        if len(run) > 1 and run.endswith("两") and not re.match(MEASURE, text[match.end() :]):
            run = run[:-1]  # 三两 are three 两, a unit
        value = chinese_value(run)
        end = start + len(run)
        if value is None or not _is_number(text, start, end):
            continue
        add(start, end, value, soft=value == 1)
    for match in re.finditer("第(%s)" % _RUN, text):
        value = chinese_value(match.group(1))
        if value is not None:
            add(match.start(), match.end(), value, "ordinal", soft=True)
    return found


def _either(text: str) -> Optional[Decimal]:
    return Decimal(text) if text[0].isdigit() and text[0].isascii() else chinese_value(text)


def _is_number(text: str, start: int, end: int) -> bool:
    run = text[start:end]
    if run in ("万", "亿", "千", "百", "千万", "百万", "万亿"):
        return run in ("百万", "千万") and bool(re.match(MEASURE, text[end:]))
    if len(run) > 1:
        return True
    if run == "一" and text[max(0, start - 1) : start] in tuple("哪这那每某同任唯进统"):
        return False
    return bool(
        re.match(MEASURE + "|" + _OPERATOR_AFTER + "|两(?!个)", text[end:])
        or re.search(_OPERATOR_BEFORE + "$", text[:start])
    )


def leading_value(text: str) -> Optional[Tuple[Decimal, int]]:
    """The Chinese numeral a text begins with and its length; None when it begins otherwise."""
    match = re.match(_RUN, text)
    value = chinese_value(match.group(0)) if match else None
    return None if match is None or value is None else (value, match.end())
