"""When a question converts money between currencies whose rates the agent knows."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Optional

from runtime.question import Proposal, Question
from runtime.text import number_text
from tools.exchange_rates import currencies

_NAMES = {
    "EUR": ("eur", "euro", "euros", "€", "欧元"),
    "USD": ("usd", "dollar", "dollars", "$", "us dollar", "us dollars", "美元", "美金"),
    "GBP": ("gbp", "pound", "pounds", "£", "sterling", "英镑"),
    "CNY": ("cny", "rmb", "yuan", "renminbi", "¥", "人民币", "元"),
    "JPY": ("jpy", "yen", "日元", "日圆"),
    "CHF": ("chf", "franc", "francs", "瑞士法郎"),
    "INR": ("inr", "rupee", "rupees", "卢比"),
    "KRW": ("krw", "won", "韩元"),
    "HKD": ("hkd", "港币", "港元"),
    "CAD": ("cad", "加元"),
    "AUD": ("aud", "澳元"),
}


def propose(question: Question) -> Optional[Proposal]:
    """An amount, its currency and the wanted one."""
    known = currencies()
    if not known or len(question.text) > 200:
        return None
    if question.has("exchange rates", "list rates", "which rates", "what rates", "rates", "汇率", "哪些汇率") and not question.numbers():
        if len(_mentioned(question.text, known)) < 2:
            return Proposal("list_rates", {}, 0.85)
    codes = _mentioned(question.text, known)
    numbers = question.numbers()
    previous = question.previous("convert_currency")
    if len(codes) >= 2:
        pointed = re.search(r"how (?:many|much)\s+(\S+)", question.lower)
        if pointed and numbers and _mentioned(pointed.group(1), known) == codes[:1]:
            codes = [codes[1], codes[0]]
        return Proposal("convert_currency", {"amount": numbers[0] if numbers else 1.0, "from_currency": codes[0], "to_currency": codes[1]}, 0.96)
    if previous and len(codes) == 1 and question.is_follow_up:
        if numbers:
            return Proposal("convert_currency", dict(previous.arguments, amount=numbers[0], from_currency=codes[0]), 0.93)
        return Proposal("convert_currency", dict(previous.arguments, to_currency=codes[0]), 0.93)
    if previous and not codes and numbers and question.is_follow_up and len(question.text) < 25:
        return Proposal("convert_currency", dict(previous.arguments, amount=numbers[0]), 0.8)
    return None


def _mentioned(text: str, known: List[str]) -> List[str]:
    """The known currencies a text names, in its order."""
    lower, found = text.lower(), []
    for code in known:
        names = sorted({code.lower(), *_NAMES.get(code, ())}, key=len, reverse=True)
        places = []
        for name in names:
            pattern = r"(?<![a-z])%s(?![a-z])" % re.escape(name) if name.isascii() and name.isalpha() else re.escape(name)
            if name == "元":
                pattern = r"(?<![美欧日港加澳韩])元"
            places.extend(match.start() for match in re.finditer(pattern, lower))
        if places:
            found.append((min(places), code))
    return [code for _, code in sorted(found)]


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give the amount with the rate."""
    if function == "list_rates":
        return "\n".join("- 1 %s = %s %s" % (rate["from"], rate["rate"], rate["to"]) for rate in result["rates"])
    note = "（汇率 %s）" if language == "zh" else " (rate %s)"
    return "%s %s = %s %s" % (number_text(result["amount"]), result["from"], result["result"], result["to"]) + note % number_text(result["rate"])
