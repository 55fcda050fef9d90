"""Currencies: the signs, codes and words people write, and how an amount of each is written."""
from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Dict, Tuple

# Code: words for it. A sign that several currencies share ("$", "¥", "kr") is written as it stands.
NAMES: Dict[str, Tuple[str, ...]] = {
    "EUR": ("eur", "euro", "euros", "€", "欧元", "欧"),
    "USD": ("usd", "us dollar", "us dollars", "us$", "dollar", "dollars", "bucks", "buck", "$", "美元", "美金", "美刀"),
    "GBP": ("gbp", "british pounds", "pounds sterling", "sterling", "quid", "£", "英镑"),
    "CNY": ("cny", "rmb", "yuan", "renminbi", "人民币", "块钱", "元", "¥", "￥"),
    "JPY": ("jpy", "yen", "日元", "日圆"),
    "CHF": ("chf", "francs", "franc", "sfr", "瑞士法郎", "瑞郎"),
    "INR": ("inr", "rupees", "rupee", "rs", "₹", "卢比"),
    "KRW": ("krw", "won", "₩", "韩元", "韩币"),
    "HKD": ("hkd", "hk$", "港币", "港元"),
    "TWD": ("twd", "nt$", "ntd", "台币", "新台币"),
    "CAD": ("cad", "ca$", "加元", "加币"),
    "AUD": ("aud", "a$", "澳元", "澳币"),
    "NZD": ("nzd", "nz$", "新西兰元", "纽币"),
    "SGD": ("sgd", "s$", "新加坡元", "新币"),
    "SEK": ("sek", "swedish kronor", "kronor", "瑞典克朗"),
    "NOK": ("nok", "norwegian kroner", "挪威克朗"),
    "DKK": ("dkk", "danish kroner", "丹麦克朗"),
    "PLN": ("pln", "zloty", "zł", "兹罗提"),
    "CZK": ("czk", "koruna", "kč", "捷克克朗"),
    "BRL": ("brl", "reais", "r$", "雷亚尔"),
    "MXN": ("mxn", "pesos", "比索"),
    "THB": ("thb", "baht", "฿", "泰铢"),
    "RUB": ("rub", "rubles", "roubles", "₽", "卢布"),
    "TRY": ("try", "lira", "₺", "里拉"),
    "ZAR": ("zar", "rand", "兰特"),
    "AED": ("aed", "dirham", "dirhams", "迪拉姆"),
    "MYR": ("myr", "ringgit", "林吉特"),
    "IDR": ("idr", "rupiah", "印尼盾"),
    "PHP": ("php", "philippine pesos", "菲律宾比索"),
    "VND": ("vnd", "dong", "₫", "越南盾"),
    "HUF": ("huf", "forint", "福林"),
    "ILS": ("ils", "shekel", "shekels", "₪", "谢克尔"),
}
# "pound" is a weight too: it means money only where no weight is meant.
AMBIGUOUS = {"pound": "GBP", "pounds": "GBP"}
_OF = {word: code for code, words in NAMES.items() for word in words}
_OF["块"] = "CNY"
_WORDS = sorted((word for word in _OF if word != "块"), key=len, reverse=True)
_BEFORE = [re.escape(word) for word in _WORDS if not word.isalpha() and word.isascii() or word in "€£¥￥₹₩฿₽₺₫₪"] + [code for code in NAMES]
# "try", "won", "rand" and "块" (a piece) are common words: they stand for money only in capitals, or with 钱.
_AFTER = [re.escape(word) for word in _WORDS if word not in ("try", "won", "rand", "dong", "rs", "rub", "php", "quid", "pesos")] + ["TRY", "RUB", "PHP"]
CODE_BEFORE = re.compile(r"(?<![A-Za-z])((?:%s))\s?$" % "|".join(_BEFORE), re.IGNORECASE)
# 三块 is money, 三块蛋糕 are pieces.
_PIECE = "块(?=$|[\\s，,。？?！!、；;的能可够买以吧吗呢就行是左上和到起下]|[1-9一二三四五六七八九])"
CODE_AFTER = re.compile(r"\s?((?:%s)|%s)(?![A-Za-z])" % ("|".join(_AFTER), _PIECE), re.IGNORECASE)
_NO_CENTS = ("JPY", "KRW", "VND", "IDR", "HUF")


def code_of(written: str) -> str:
    """The code of a currency's sign or word; what was written when it is none."""
    text = written.strip()
    return _OF.get(text.lower()) or AMBIGUOUS.get(text.lower()) or (text.upper() if text.upper() in NAMES else text)


def amount_text(value: Decimal) -> str:
    """Write an amount of money: 12 and 12.50, never 12.5."""
    cents = value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return str(int(cents)) if cents == cents.to_integral_value() else format(cents, "f")


def money_text(value: Decimal, currency: str) -> str:
    """Write an amount with its currency as the list writes it: 12.50 EUR, $3, 18 元."""
    text = amount_text(value)
    if not currency:
        return text
    if currency in "$€£¥￥₹₩" or currency.endswith("$"):
        return "-" + currency + text[1:] if text.startswith("-") else currency + text
    return "%s %s" % (text, currency)
