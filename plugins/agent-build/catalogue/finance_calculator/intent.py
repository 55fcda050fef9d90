"""When a question is about interest, a loan, a percentage change, VAT, a discount or a shared bill."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Optional

from runtime.question import Proposal, Question
from runtime.text import number_text

_PERCENT = re.compile(r"(-?\d+(?:\.\d+)?)\s*(?:%|percent|per cent)|百分之\s*(\d+(?:\.\d+)?)")
_YEARS = re.compile(r"(\d+(?:\.\d+)?)\s*(?:-\s*)?(years?|months?|年|个月)", re.IGNORECASE)


def propose(question: Question) -> Optional[Proposal]:
    """Read percentages, years and amounts, and which of the figures is asked."""
    if len(question.text) > 300 or "\n" in question.text:
        return None
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", question.plain)
    percent = next((float(a or b) for a, b in _PERCENT.findall(text)), None)
    span = _YEARS.search(text)
    years = float(span.group(1)) / (12 if span.group(2).lower().startswith(("month", "个月")) else 1) if span else None
    rest = _YEARS.sub(" ", _PERCENT.sub(" ", text))
    amounts = [float(number) for number in re.findall(r"(?<![A-Za-z0-9_.])\d+(?:\.\d+)?", rest)]
    amounts = [amount * (10000 if re.search(re.escape(number_text(amount)) + r"\s*万", rest) else 1) for amount in amounts]
    if percent is not None and years is not None and amounts:
        if question.has("loan", "mortgage", "monthly payment", "repay", "borrow", "贷款", "月供", "还款", "按揭"):
            return Proposal("loan_payment", {"principal": amounts[0], "annual_percent": percent, "years": years}, 0.95)
        if question.has("interest", "invest", "compound", "savings", "grow", "deposit", "复利", "利息", "存款", "投资", "本金"):
            periods = 12 if question.has("monthly", "每月", "按月") else 4 if question.has("quarterly", "按季") else 365 if question.has("daily") else 1
            return Proposal("compound_interest", {"principal": amounts[0], "annual_percent": percent, "years": years, "periods_per_year": periods}, 0.94)
    if question.has("split", "share the bill", "per person", "each pay", "平摊", "分摊", "人均", "aa"):
        people = re.search(r"(\d+)\s*(?:people|persons|friends|guests|ways|人|个人)|(?:between|among|by)\s+(\d+)", rest, re.IGNORECASE)
        if people and amounts:
            count = int(people.group(1) or people.group(2))
            bills = [amount for amount in amounts if amount != count] or amounts[:1]
            return Proposal("split_bill", {"amount": bills[0], "people": count, "tip_percent": percent or 0.0}, 0.93)
    return _percentages(question, percent, amounts, text)


def _percentages(question: Question, percent: Optional[float], amounts: List[float], text: str) -> Optional[Proposal]:
    if percent is None and len(amounts) == 2 and question.has(
        "percentage change", "percent change", "percentage increase", "percentage decrease", "by what percent", "how many percent", "what percentage did", "change from",
        "growth rate", "百分比变化", "增长率", "涨幅", "跌幅", "增长了百分之", "增长了多少", "下降了多少", "变化率"):
        return Proposal("percentage_change", {"before": amounts[0], "after": amounts[1]}, 0.93)
    if percent is not None and len(amounts) == 1:
        if question.has("off", "discount", "reduced by", "折扣", "优惠", "减"):
            return Proposal("add_percentage", {"amount": amounts[0], "percent": -percent}, 0.88)
        if question.has("vat", "tax", "tip", "gst", "increase", "plus", "add", "markup", "税", "小费", "含税", "加"):
            return Proposal("add_percentage", {"amount": amounts[0], "percent": percent}, 0.91)
    previous = question.previous("add_percentage", "compound_interest", "loan_payment")
    if previous and question.is_follow_up and percent is not None and not amounts:
        name = "percent" if previous.function == "add_percentage" else "annual_percent"
        sign = -1 if name == "percent" and previous.arguments["percent"] < 0 else 1
        return Proposal(previous.function, dict(previous.arguments, **{name: sign * percent}), 0.85)
    return None


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give the figure and how it comes about."""
    r = {key: "%.2f" % value if key in ("final", "interest", "monthly", "total", "each", "part") else number_text(value) for key, value in result.items()}
    if function == "percentage_change":
        return ("从 %(before)s 到 %(after)s：%(percent)s%%（差 %(difference)s）" if language == "zh" else "From %(before)s to %(after)s is a change of %(percent)s%% (difference %(difference)s).") % r
    if function == "add_percentage":
        return "%s %s %s%% (%s) = %s" % (r["amount"], "-" if result["percent"] < 0 else "+", number_text(abs(result["percent"])), r["part"].lstrip("-"), r["total"])
    if function == "compound_interest":
        return ("本金 %(principal)s，年利率 %(annual_percent)s%%，%(years)s 年后为 %(final)s（利息 %(interest)s）。" if language == "zh"
                else "%(principal)s at %(annual_percent)s%% a year grows to %(final)s in %(years)s years (interest %(interest)s).") % r
    if function == "loan_payment":
        return ("每月还款 %(monthly)s，共还 %(total)s（利息 %(interest)s）。" if language == "zh"
                else "The monthly payment is %(monthly)s; %(total)s in all, of which %(interest)s is interest.") % r
    return ("合计 %(total)s，每人 %(each)s（%(people)s 人）。" if language == "zh" else "%(total)s in all, %(each)s for each of %(people)s people.") % r
