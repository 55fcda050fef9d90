"""Numbers as people say and write them, made by the tests without the runtime: English words, Chinese numerals, digits with separators."""
from decimal import Decimal

SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen""".split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
DIGITS = "零一二三四五六七八九"


def english(number):
    """A whole number below a thousand million in English words."""
    if number < 20:
        return SMALL[number]
    if number < 100:
        return TENS[number // 10] + ("-" + SMALL[number % 10] if number % 10 else "")
    for size, name in ((10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            joint = " and " if 0 < rest < 100 and size == 100 else " "
            return english(number // size) + " " + name + (joint + english(rest) if rest else "")
    raise ValueError(number)


def _below_ten_thousand(number):
    text, gap = "", False
    for unit, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if digit:
            text += ("零" if gap and text else "") + DIGITS[digit] + sign
            gap = False
        else:
            gap = True
    return text


def chinese(number):
    """A whole number below a thousand million in Chinese numerals."""
    if number == 0:
        return "零"
    high, low = divmod(number, 10**4)
    if not high:
        text = _below_ten_thousand(number)
        return text[1:] if 10 <= number < 20 else text
    text = chinese(high) + "万"
    if low:
        text += ("零" if low < 1000 else "") + _below_ten_thousand(low)
    return text


def written(number, random):
    """A number in digits, sometimes with thousands separators."""
    text = str(number)
    whole, point, rest = text.partition(".")
    if random.random() < 0.5 and len(whole) > 3:
        whole = format(int(whole), ",")
    return whole + point + rest


def decimal(random, high, places=2):
    """A random positive decimal with at most so many places."""
    used = random.randint(0, places)
    return Decimal(random.randint(1, high * 10**used)) / Decimal(10) ** used
