"""Chinese numerals: 三千五, 百分之五, 八折, 两个半小时; a sign that is no number (the 一 of 一下) is left out."""
from __future__ import annotations

import re
from decimal import Decimal
from typing import List, Optional, Tuple

from runtime.numeral import Numeral

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
# 三杯半糖 has no half a cup.
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


def chinese_numerals(text: str) -> List[Numeral]:
    """All Chinese numerals of a text, in no order."""
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
