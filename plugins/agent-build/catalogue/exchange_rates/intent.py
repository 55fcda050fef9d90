"""When a question converts money between currencies whose rates the agent knows, or does not."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Tuple

from runtime.currencies import NAMES
from runtime.question import Proposal, Question
from runtime.writing import json_number, show
from tools.exchange_rates import currencies

DOES = True
_FAMILY = {"CNY": ("rmb",), "USD": (), "GBP": ("pound", "pounds")}
_ASKS_LIST = re.compile(r"\b(?:(?:which|what|list|all|show|your|the) (?:\w+ )?(?:exchange )?(?:rates|currencies)|exchange rates|rates)\b|汇率(?:表|有哪些)|哪些(?:汇率|货币|币种)|什么汇率|支持.*(?:货币|币种)")
_WITH_FEE = re.compile(r"\b(?:with|minus|after|plus|including|incl\.?|less|before|without)\s+(?:your |the |our |a |any )?(?:fees?|commission|charges?)\b|(?:扣|含|加|减)(?:除|上|掉)?手续费")
_POINTED = re.compile(r"\b(?:in|to|into|as|for|how (?:many|much)|get in|worth in|buy)\s+(?:us |american |british |chinese )?$|[换兑成为合]\s*(?:多少|几)?$|多少$|是多少$|几$")


def propose(question: Question) -> Optional[Proposal]:
    """An amount, its currency and the wanted one."""
    known = currencies()
    if not known or len(question.text) > 240:
        return None
    named = _named(question)
    codes = list(dict.fromkeys(code for code, _, _ in named))
    figures = [figure for figure in question.figures if figure.kind == "number" and not (figure.soft and len(question.figures) > 1)]
    hard = [figure for figure in figures if not figure.soft] or figures
    previous = question.previous("convert_currency") or question.pending("convert_currency")
    if _ASKS_LIST.search(question.lower) and not hard and len(codes) < 2:
        return Proposal("list_rates", {}, 0.85, used=[])
    relevant = any(code in known for code in codes)
    if len(codes) == 2 and relevant:
        amount = hard[0] if hard else None
        source, target = _direction(question, named, codes, amount)
        sure = 0.96 if all(code in known for code in codes) else 0.85
        arguments = {"amount": json_number(amount.value) if amount else 1, "from_currency": source, "to_currency": target}
        if _WITH_FEE.search(question.lower):
            return Proposal("convert_currency", arguments, sure, ask={
                "en": "I convert at the given rates alone and reckon no fee. Shall I convert it without?", "zh": "我只按给定汇率换算，不计手续费。要不计手续费地换算吗？"})
        return Proposal("convert_currency", arguments, sure, used=[amount] if amount else [])
    if previous and len(codes) == 1 and (question.is_follow_up or len(question.text) < 20):
        arguments = dict(previous.arguments)
        if hard and (hard[0].currency or re.match(r"\s*[a-z]", question.lower[hard[0].end :])) and codes[0] != arguments["to_currency"]:
            return Proposal("convert_currency", dict(arguments, amount=json_number(hard[0].value), from_currency=codes[0]), 0.93, used=hard[:1])
        if hard:
            return Proposal("convert_currency", dict(arguments, amount=json_number(hard[0].value)), 0.9, used=hard[:1])
        source = arguments["from_currency"] if arguments["from_currency"] != codes[0] else arguments["to_currency"]
        return Proposal("convert_currency", dict(arguments, from_currency=source, to_currency=codes[0]), 0.93, used=[])
    if previous and not codes and len(hard) == 1 and (question.is_follow_up or len(question.text) < 8) and len(question.text) < 25 and not question.measures:
        return Proposal("convert_currency", dict(previous.arguments, amount=json_number(hard[0].value)), 0.8, used=hard)
    if len(codes) == 1 and hard and relevant and re.search(r"\b(?:convert|exchange|change)\b|换|兑", question.lower):
        others = [code for code in known if code != codes[0]]
        arguments = {"amount": json_number(hard[0].value), "from_currency": codes[0]}
        if len(others) == 1:
            return Proposal("convert_currency", dict(arguments, to_currency=others[0]), 0.8, used=hard[:1])
        return Proposal("convert_currency", dict(arguments, to_currency=""), 0.8, ask={
            "en": "Into which currency? I know %s." % ", ".join(others), "zh": "要换成哪种货币？已知的有：%s。" % "、".join(others)})
    return None


def _direction(question: Question, named: List[Tuple[str, int, int]], codes: List[str], amount: Any) -> Tuple[str, str]:
    """The currency beside the amount is given; the one behind "in", "to" or "how many" is wanted."""
    if amount is not None and amount.currency in codes:
        return amount.currency, next(code for code in codes if code != amount.currency)
    if amount is not None:
        beside = min(named, key=lambda place: abs(place[1] - amount.end) if place[1] >= amount.end else abs(amount.start - place[2]) + 3)
        return beside[0], next(code for code in codes if code != beside[0])
    first = named[0]
    if re.search(r"how (?:many|much)\s+\S*\s*$", question.lower[: first[1]]):
        return codes[1], codes[0]
    return codes[0], codes[1]


def _named(question: Question) -> List[Tuple[str, int, int]]:
    """The currencies that a text names, each with its place, in the text's order."""
    lower, found = question.lower, []
    taken: List[Tuple[int, int]] = []
    words = sorted(((name, code) for code, names in NAMES.items() for name in (*names, *_FAMILY.get(code, ()))), key=lambda pair: -len(pair[0]))
    for name, code in words:
        at = lower.find(name)
        while at >= 0:
            end = at + len(name)
            whole = not name.isascii() or not name[-1].isalpha() or not (lower[at - 1 : at].isalpha() and lower[at - 1 : at].isascii() or lower[end : end + 1].isalpha() and lower[end : end + 1].isascii())
            common = name in ("try", "won", "rand", "rs", "php", "rub") and question.text[at:end] != name.upper() and not (code in currencies() and re.search(r"\d\s?$", lower[:at]))
            if whole and not common and not any(at < last and first < end for first, last in taken):
                taken.append((at, end))
                found.append((_known_form(code, question), at, end))
            at = lower.find(name, end)
    for code in currencies():  # a code that is in the rates but not among the names
        match = re.search(r"(?<![a-z])%s(?![a-z])" % re.escape(code.lower()), lower)
        if match and not any(match.start() < last and first < match.end() for first, last in taken):
            found.append((code, match.start(), match.end()))
    return sorted(found, key=lambda place: place[1])


def _known_form(code: str, question: Question) -> str:
    """"$" and "dollars" mean the dollar that the rates know, when they know one."""
    known = currencies()
    if code not in known and code == "USD" and not re.search(r"\busd\b|\bus\b|美", question.lower):
        return next((other for other in known if other in ("CAD", "AUD", "HKD", "SGD", "NZD")), code)
    return code


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give the amount with the rate."""
    if function == "list_rates":
        return "\n".join("- 1 %s = %s %s" % (rate["from"], rate["rate"], rate["to"]) for rate in result["rates"])
    note = "（汇率 %s）" if language == "zh" else " (rate %s)"
    return "%s %s = %s %s" % (show(result["amount"]), result["from"], result["result"], result["to"]) + note % show(result["rate"])
