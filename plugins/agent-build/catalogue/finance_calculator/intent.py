"""When a question is about interest, a loan, savings, a percentage, VAT, a discount, a margin or a shared bill."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Dict, List, Optional

from runtime import knowledge
from runtime.figures import Figure
from runtime.question import Proposal, Question
from runtime.writing import json_number, show

DOES = True
_TERM = re.compile(r"\s*(?:-\s*)?(?P<years>years?|yrs?|y\b|年(?!利|化|息|率))|\s*(?:-\s*)?(?P<months>months?|mos?\b|个月|月(?!供|利|薪|息)|期)", re.IGNORECASE)
_PEOPLE = re.compile(r"\s*(?:(?:of us|people|persons|friends|guests|ways|diners|colleagues|roommates|flatmates|kids|adults|participants|of them)\b|个?人|位|个朋友)", re.IGNORECASE)
_LOAN = re.compile(r"\b(?:loan|mortgage|repay\w*|borrow\w*|monthly payments?|instal?lments?|pay(?:ing)? back|financ\w+|amorti\w+|total interest(?!.{0,40}\b(?:earn\w*|sav\w+|invest\w*|deposit\w*))|interest (?:would |do |will |does )?(?:i|we|you|he|she|they) (?:would |will |have to )?(?:pay|owe))\b|贷款|房贷|车贷|借款?|月供|还款|按揭|分期|每月还|等额")
_INTEREST = re.compile(r"\b(?:interest|invest\w*|compound\w*|grows?|growth|deposit\w*|savings?|saved?|principal|capital|return|yield|put|worth)\b|复利|单利|利息|存款?|定存|投资|本金|理财|收益|本息")
_MONTHLY_DEPOSIT = re.compile(r"(?:\b(?:per|a|each|every)\s+month\b|\bmonthly\b(?!\s+(?:compound|payment|interest|rate))|每个?月(?:存|投|定投|放))")
_SPLIT = re.compile(r"\b(?:split\w*|share[ds]?|shared|divide[ds]? (?:the|a|between|among|equally)|per person|each (?:person )?pays?|each of us|how much (?:does|do|should|will) (?:each|everyone|everybody)|per head|go dutch)\b|平摊|分摊|均摊|人均|平分|aa|每人|每个人", re.IGNORECASE)
_OFF = re.compile(r"\b(?:off|discount\w*|reduced|reduction|sale|rebate|less|minus|cheaper|markdown)\b|折扣|优惠|减|降价|便宜|打折")
_PLUS = re.compile(r"\b(?:vat|tax|tip|gst|hst|increase[ds]?|raise[ds]?|plus|add(?:ed|ing)?|markup|surcharge|gratuity|service charge|on top|gross|grows? by|up by)\b|税|小费|服务费|加|涨|上调|提高")
_INCLUDED = re.compile(r"\b(?:incl\w*|inc\.?|before (?:vat|tax|gst|the)|without (?:the )?(?:vat|tax|gst)|net|excluding|excl\w*|remove|original(?:ly)?|was it before|back out|ex vat|exclusive)\b|不含税|含税价?|税前|净价|去税|除税|原价是|原价多少|打折前|折前")
_TIP = re.compile(r"\b(?:tip|gratuity)\b|小费")
_CHANGE = re.compile(
    r"\b(?:percent(?:age)? (?:change|increase|decrease|growth|difference|rise|drop|up|down)|(?:by )?(?:what|how many|how much) (?:percent|per cent|%|percentage)|growth rate|(?:in|de)crease[ds]?|change[ds]? from|"
    r"went (?:up|down|from)|rose|fell|dropped|grew|raised? from|up from|down from|gone up)\b|百分比变化|增长率?|涨幅|跌幅|涨了?|下降|降了?|变化率|增加了?|减少了?|上涨|跌了?")
_SHARE = re.compile(r"\b(?:what|which|how many|as a) (?:percent|per cent|percentage|%|fraction|share)\b|\bpercentage (?:is|of)\b|\bin percent\b|百分之几|百分之多少|占(?!地)|百分比|比例")
_MARGIN = re.compile(r"\b(?:margin|mark-?up|profit)\b|赚多少|赚几|挣多少|利润率?|毛利率?|加价率?")
_SIMPLE, _COMPOUND = re.compile(r"\bsimple\b|单利"), re.compile(r"\bcompound\w*\b|复利|利滚利")


@dataclass
class _Read:
    """The figures of a question by what they mean."""

    percents: List[Figure] = field(default_factory=list)
    offs: List[Figure] = field(default_factory=list)
    years: Optional[Decimal] = None
    term: List[Figure] = field(default_factory=list)
    people: Optional[Figure] = None
    amounts: List[Figure] = field(default_factory=list)


def _read(question: Question) -> _Read:
    found = _Read()
    text = question.text
    for figure in question.figures:
        if figure.kind == "percent":
            found.percents.append(figure)
        elif figure.kind == "off":
            found.offs.append(figure)
        elif figure.kind == "number":
            term = _TERM.match(text, figure.end) if not figure.currency else None
            if figure.measure == "年" or (term and not re.match(r"\s*(?:old|ago)", text[term.end() :])):
                value = figure.value if figure.measure == "年" or term.group("years") else figure.value / 12
                found.years, found.term = (found.years or Decimal(0)) + value, found.term + [figure]
            elif _PEOPLE.match(text, figure.end) or (re.search(r"\b(?:between|among|amongst|by|into|for)\s*$|分给?$|^aa", text[: figure.start], re.IGNORECASE) and _SPLIT.search(question.lower) and not figure.currency and found.people is None and figure.value == figure.value.to_integral_value() and figure.value < 100):
                found.people = found.people or figure
            elif not figure.soft:
                found.amounts.append(figure)
    if found.years is None and re.search(r"\b(?:a|one|per|1) year\b(?! interest)|一年(?!期|利)", question.lower) and not re.search(r"\b(?:a|per) year\b", re.sub(r"\b(?:for|after|in|over) (?:a|one) year\b", "", question.lower)):
        found.years = Decimal(1)
    return found


def propose(question: Question) -> Optional[Proposal]:
    """Read percentages, years and amounts, and which of the figures is asked."""
    if len(question.text) > 400 or question.of_kind("date"):
        return None
    read = _read(question)
    for offer in (_loan(question, read), _interest(question, read), _split(question, read), _percentages(question, read), _follow_up(question, read)):
        if offer:
            return offer
    return None


def _n(figure: Figure) -> float:
    return json_number(figure.value)


def _annual(question: Question, figure: Figure) -> float:
    """The rate a year; 月利率 and "1% per month" are twelve times as much."""
    around = question.lower[max(0, figure.start - 8) : figure.end + 14]
    monthly = re.search(r"月利率|月息|每月利率|monthly (?:interest|rate)|(?:%|percent)\s*(?:per|a|each|every) month|monthly$", around)
    return json_number(figure.value * 12) if monthly else json_number(figure.value)


def _asks_loan(question: Question, read: _Read, down: List[Figure]) -> Optional[Proposal]:
    missing = [("the sum borrowed", "贷款金额")] * (not read.amounts) + [("the interest rate a year", "年利率")] * (not read.percents) + [("the term", "贷款期限")] * (read.years is None)
    known = {"principal": _n(read.amounts[0]) if read.amounts else None, "annual_percent": _annual(question, read.percents[0]) if read.percents else None,
             "years": json_number(read.years) if read.years is not None else None}
    return Proposal("loan_payment", {name: value for name, value in known.items() if value is not None}, 0.85, ask={
        "en": "Please tell me %s, too: without it I cannot work out the payment." % " and ".join(en for en, _ in missing), "zh": "请告诉我%s，否则无法计算。" % "和".join(zh for _, zh in missing)})


def _loan(question: Question, read: _Read) -> Optional[Proposal]:
    pending = question.pending("loan_payment")
    if pending and pending.asked and (read.percents or read.amounts or read.years is not None):
        return _completed(question, read, pending.arguments)
    # "What would I pay per month for 250k at 4.2% over 25 years?" is a loan without the word.
    whole = len(read.percents) == 1 and read.years is not None and read.amounts and re.search(
        r"\b(?:pay|payments?|rate|cost|owe)\b.*\b(?:per|a|each|every) month\b|\bmonthly (?:payment|rate|cost)|\bper month\b.*\bpay\b|[\dkm]\s*@\s*\d|每个?月(?:要|得|需要?|应)?(?:还|付|交)", question.lower)
    # "300k at 5% 30 years monthly?" asks for what is paid, unless it speaks of saving.
    whole = whole or len(read.percents) == 1 and read.years is not None and read.amounts and not _INTEREST.search(question.lower) and re.search(r"\b(?:monthly|(?:per|a|each) month)\W*$", question.lower)
    if not _LOAN.search(question.lower) and not whole:
        return None
    down = [figure for figure in read.percents + read.amounts if re.match(r"\s*(?:as (?:a )?)?(?:down|deposit)", question.lower[figure.end :]) or re.search(r"(?:down ?payment(?: of)?|首付)\s*(?:为|是|付)?\s*$", question.lower[: figure.start])]
    percents = [figure for figure in read.percents if figure not in down]
    amounts = [figure for figure in read.amounts if figure not in down]
    if len(percents) != 1 or not amounts or read.years is None:
        if (bool(percents) + bool(amounts) + (read.years is not None)) >= 1 and len(percents) < 2:
            read.percents, read.amounts = percents, amounts
            return _asks_loan(question, read, down)
        return None
    principal = amounts[0].value
    for figure in down[:1]:
        principal -= principal * figure.value / 100 if figure.kind == "percent" else figure.value
    arguments = {"principal": json_number(principal), "annual_percent": _annual(question, percents[0]), "years": json_number(read.years)}
    if re.search(r"等额本金|equal principal|linear loan|constant principal", question.lower):
        arguments["equal_principal"] = True
    return Proposal("loan_payment", arguments, 0.95, used=[percents[0], amounts[0], *read.term, *down[:1]])


def _completed(question: Question, read: _Read, known: Dict[str, Any]) -> Optional[Proposal]:
    arguments = dict(known)
    used: List[Figure] = []
    if "annual_percent" not in arguments and read.percents:
        arguments["annual_percent"], used = _annual(question, read.percents[0]), used + read.percents[:1]
    if "years" not in arguments and read.years is not None:
        arguments["years"], used = json_number(read.years), used + read.term
    if "principal" not in arguments and read.amounts:
        arguments["principal"], used = _n(read.amounts[0]), used + read.amounts[:1]
    return Proposal("loan_payment", arguments, 0.9, used=used) if len(arguments) >= 3 else None


def _interest(question: Question, read: _Read) -> Optional[Proposal]:
    if len(read.percents) != 1 or read.years is None or not read.amounts or not _INTEREST.search(question.lower):
        return None
    principal, percent = read.amounts[0], read.percents[0]
    used = [principal, percent, *read.term]
    base = {"annual_percent": _annual(question, percent), "years": json_number(read.years)}
    monthly = [figure for figure in read.amounts if _MONTHLY_DEPOSIT.match(question.lower, figure.end) or _MONTHLY_DEPOSIT.match(question.lower, figure.end + 1) or re.search(r"每个?月(?:存|投|定投|放)?(?:入)?\s*$", question.lower[: figure.start])]
    if monthly:
        start = [figure for figure in read.amounts if figure not in monthly]
        arguments = dict(base, monthly=_n(monthly[0]), **({"start": _n(start[0])} if start else {}))
        return Proposal("savings_plan", arguments, 0.94, used=[percent, *read.term, monthly[0], *start[:1]])
    if _SIMPLE.search(question.lower):
        return Proposal("simple_interest", dict(base, principal=_n(principal)), 0.95, used=used)
    if question.has("weekly", "每周"):
        periods = 52
    elif question.has("monthly", "every month", "each month", "每月", "按月", "月复利"):
        periods = 12
    elif question.has("quarterly", "every quarter", "按季", "每季"):
        periods = 4
    elif question.has("semi-annually", "semiannually", "half-yearly", "twice a year", "每半年", "半年一次"):
        periods = 2
    else:
        periods = 365 if question.has("daily", "every day", "按日", "每天", "每日") else 1
    arguments = dict(base, principal=_n(principal))
    if periods != 1:
        arguments["periods_per_year"] = periods
    return Proposal("compound_interest", arguments, 0.94, used=used)


def _split(question: Question, read: _Read) -> Optional[Proposal]:
    shared = _SPLIT.search(question.lower) or _TIP.search(question.lower) and read.percents
    if not shared or read.people is None or not read.amounts:
        return None
    people, bill = read.people, read.amounts[0]
    percents = read.percents[:1]
    if percents and not _TIP.search(question.lower) and not re.search(r"\bservice\b|服务费|税|\btax\b", question.lower):
        return None
    arguments = {"amount": _n(bill), "people": int(people.value)}
    if percents:
        arguments["tip_percent"] = _n(percents[0])
    return Proposal("split_bill", arguments, 0.93, used=[people, bill, *percents])


def _percentages(question: Question, read: _Read) -> Optional[Proposal]:
    text, amounts, percents = question.lower, read.amounts, read.percents
    if read.term or read.people:
        return None
    if not percents and not read.offs and len(amounts) == 2:
        used = amounts
        if _MARGIN.search(text):
            cost = next((figure for figure in amounts if re.search(r"(?:cost\w*|buy(?:ing)?|bought|paid|成本|进价|进货价?|买入)\D{0,14}$", text[: figure.start])), amounts[0])
            price = next(figure for figure in amounts if figure is not cost)
            return Proposal("profit_margin", {"cost": _n(cost), "price": _n(price)}, 0.93, used=used)
        if _SHARE.search(text) and not re.search(r"\bfrom\b.*\bto\b|从.*到|涨|降|跌|增", text):
            one, other = amounts
            # "30 of 120", "30 is what percent of 120"; "what percent of 120 is 30" and 120里30 name the whole first.
            whole_first = re.search(r"(?:percent|percentage|%|per cent|fraction|share)\s+of\s+\S*$", text[: one.start]) or re.search(r"^[^占]*(?:中|里|里面|当中)", text[one.end : other.start])
            part, whole = (other, one) if whole_first else (one, other)
            return Proposal("share_in_percent", {"part": _n(part), "whole": _n(whole)}, 0.92, used=used)
        if _CHANGE.search(text):
            before, after = amounts
            if re.search(r"\bto\s+\S*$", text[: before.start]) and re.search(r"\bfrom\s+\S*$", text[: after.start]):
                before, after = after, before
            return Proposal("percentage_change", {"before": _n(before), "after": _n(after)}, 0.93, used=used)
    rate = (read.offs or percents or [None])[0]
    if rate is None and len(amounts) == 1 and _TIP.search(text):
        return Proposal("add_percentage", {"amount": _n(amounts[0])}, 0.7, ask={"en": "How many percent shall the tip be?", "zh": "小费按百分之几计算？"})
    given = _given_rate(text) if rate is None and len(amounts) == 1 and not amounts[0].measure else None
    if given is not None:
        arguments = {"amount": _n(amounts[0]), "percent": given}
        if re.search(r"\bgross\b.*\bnet\b|\b(?:plus|incl\w*|with|add)\b|加税|含税", text):
            return Proposal("add_percentage", arguments, 0.88, used=amounts)
        if re.search(r"\bnet\b.*\bgross\b|\bwithout\b|\bexcl\w*|\bbefore\b|不含税|税前", text):
            return Proposal("remove_percentage", {"total": _n(amounts[0]), "percent": given}, 0.88, used=amounts)
        return Proposal("percentage_of", arguments, 0.88, used=amounts) if _RATED.search(text) else None
    if rate is None or len(amounts) != 1:
        return None
    amount, used = amounts[0], [rate, amounts[0]]
    off = rate.kind == "off" or (_OFF.search(text) and not _PLUS.search(re.sub(r"plus or minus", "", text)))
    without = re.search(r"\b(?:without|excluding|excl\.?|minus the|net of)\s+(?:the\s+)?(?:\d|vat|tax|gst)|不含\s*\d|去掉\s*\d", text)
    if (_INCLUDED.search(text) or without) and (off or _PLUS.search(text)):
        taken_out = re.search(r"\b(?:without|excluding|net of|remove|before|ex)\b|不含|去掉|扣掉|除税|去税", text) and re.search(r"\bgross\b|\bincl\w*|含税", text.replace("不含税", ""))
        added = taken_out or not re.search(r"\b(?:excl\w*|net (?:price|amount)? ?(?:is|of)|plus)\b|不含税", text) or re.search(r"\b(?:incl\w*|gross)\b|含税(?!价?(?:是)?多少|后)", text.replace("不含税", ""))
        if added:
            return Proposal("remove_percentage", {"total": _n(amount), "percent": -_n(rate) if off else _n(rate)}, 0.92, used=used)
    if off:
        return Proposal("add_percentage", {"amount": _n(amount), "percent": -_n(rate)}, 0.9, used=used)
    if _PLUS.search(text):
        return Proposal("add_percentage", {"amount": _n(amount), "percent": _n(rate)}, 0.91, used=used)
    if re.match(r"\s*(?:of|的|from)\b|\s*的", text[rate.end :]) or re.match(r"\s*的", text[amount.end :]) or re.search(r"\bpercent of\b|%\s*of", text):
        return Proposal("percentage_of", {"amount": _n(amount), "percent": _n(rate)}, 0.86, used=used)
    return None


_RATED = re.compile(r"\b(?P<en>vat|gst|hst|sales tax|tax|commission|service charge)\b|(?P<zh>增值税|税率|税点|税|佣金|提成|服务费)")
_PERCENT_OF = re.compile(r"(\d{1,2}(?:[.,]\d{1,2})?)\s?%")


def _given_rate(text: str) -> Optional[float]:
    """The rate that the requirement gives for what a question names without one: "VAT on 1,250"; gross and net mean the VAT."""
    named = _RATED.search(text)
    if not named and not (re.search(r"\bgross\b", text) and re.search(r"\bnet\b", text)):
        return None
    word = named.group(0) if named else "vat"
    found = set()
    for data in knowledge.of_kind("notes"):
        for passage in data["passages"]:
            lower = passage.lower()
            percents = _PERCENT_OF.findall(lower)
            if len(percents) == 1 and len(lower) < 60 and (word in lower or word.endswith("税") and "税" in lower):
                found.add(percents[0].replace(",", "."))
    return json_number(Decimal(found.pop())) if len(found) == 1 else None


def _follow_up(question: Question, read: _Read) -> Optional[Proposal]:
    """"and for 20 years?", "at 5%?", "and 500?", "with a 20% tip?"."""
    previous = question.previous(*("add_percentage", "remove_percentage", "compound_interest", "simple_interest", "savings_plan", "loan_payment", "split_bill", "percentage_of"))
    if previous is None or len(question.text) > 60 or not (question.is_follow_up or len(question.text) < 16):
        return None
    arguments = dict(previous.arguments)
    used: List[Figure] = []
    if previous.function == "loan_payment" and not question.figures and re.search(r"\b(?:total|interest|altogether|in all|how much)\b|利息|一共|总共|总额|合计|还多少", question.lower):
        return Proposal("loan_payment", arguments, 0.86, used=[])
    if previous.function == "loan_payment" and re.search(r"等额本[金息]|equal principal", question.lower) and not question.figures:
        return Proposal("loan_payment", dict(arguments, equal_principal="等额本息" not in question.lower), 0.85, used=[])
    rate = "tip_percent" if previous.function == "split_bill" else "annual_percent" if "annual_percent" in arguments else "percent"
    if len(read.percents + read.offs) == 1:
        figure = (read.percents + read.offs)[0]
        negative = rate == "percent" and (figure.kind == "off" or arguments.get("percent", 0) < 0)
        arguments[rate], used = (_annual(question, figure) if rate == "annual_percent" else _n(figure)) * (-1 if negative else 1), [figure]
    if read.years is not None and "years" in arguments:
        arguments["years"], used = json_number(read.years), used + read.term
    if read.people and previous.function == "split_bill":
        arguments["people"], used = int(read.people.value), used + [read.people]
    if len(read.amounts) == 1:
        name = next((name for name in ("principal", "monthly", "amount", "total") if name in arguments), None)
        if name:
            arguments[name], used = _n(read.amounts[0]), used + read.amounts
    return Proposal(previous.function, arguments, 0.85, used=used) if used else None


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give the figure and how it comes about."""
    zh = language == "zh"
    money = ("final", "interest", "monthly", "last", "total", "each", "net", "paid", "simple", "profit")
    r = {key: "%.2f" % value if key in money and isinstance(value, float) else show(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value for key, value in result.items()}
    if function == "percentage_of":
        return ("%(amount)s 的 %(percent)s%% 是 %(part)s。" if zh else "%(percent)s%% of %(amount)s is %(part)s.") % r
    if function == "share_in_percent":
        return ("%(part)s 占 %(whole)s 的 %(percent)s%%。" if zh else "%(part)s is %(percent)s%% of %(whole)s.") % r
    if function == "percentage_change":
        return ("从 %(before)s 到 %(after)s：%(percent)s%%（差 %(difference)s）" if zh else "From %(before)s to %(after)s is a change of %(percent)s%% (difference %(difference)s).") % r
    if function == "add_percentage":
        part, total = "%.2f" % abs(result["part"]), "%.2f" % result["total"]
        return "%s %s %s%% (%s) = %s" % (r["amount"], "-" if result["percent"] < 0 else "+", show(abs(result["percent"])), part, total)
    if function == "remove_percentage":
        if result["percent"] < 0:
            r["off"] = show(-result["percent"])
            return ("减 %(off)s%% 后为 %(total)s，原价是 %(net)s。" if zh else "%(total)s after %(off)s%% off was %(net)s before.") % r
        r["part"] = "%.2f" % result["part"]
        return ("%(total)s 含 %(percent)s%%（%(part)s），不含则为 %(net)s。" if zh else "%(total)s including %(percent)s%% (%(part)s) is %(net)s without it.") % r
    if function == "compound_interest":
        text = ("本金 %(principal)s，年利率 %(annual_percent)s%%，按复利 %(years)s 年后为 %(final)s（利息 %(interest)s）。" if zh
                else "%(principal)s at %(annual_percent)s%% a year, compounded, grows to %(final)s in %(years)s years (interest %(interest)s).") % r
        if result["periods_per_year"] == 1 and result["simple"] != result["final"] and "compound" not in str(arguments):
            text += (" 若按单利则为 %(simple)s。" if zh else " With simple interest it is %(simple)s.") % r
        return text
    if function == "simple_interest":
        return ("单利：本金 %(principal)s，年利率 %(annual_percent)s%%，%(years)s 年利息 %(interest)s，本息合计 %(final)s。" if zh
                else "Simple interest of %(annual_percent)s%% on %(principal)s over %(years)s years is %(interest)s; %(final)s in all.") % r
    if function == "savings_plan":
        return ("每月存 %(monthly)s，年利率 %(annual_percent)s%%，%(years)s 年后为 %(final)s（共存入 %(paid)s，利息 %(interest)s）。" if zh
                else "%(monthly)s a month at %(annual_percent)s%% a year grows to %(final)s in %(years)s years (%(paid)s paid in, %(interest)s interest).") % r
    if function == "loan_payment":
        head = ("%(principal)s，年利率 %(annual_percent)s%%，%(months)s 个月：" if zh else "%(principal)s at %(annual_percent)s%% a year over %(months)s months: ") % r
        if result["monthly"] != result["last"]:
            return head + ("首月还款 %(monthly)s，逐月递减，末月 %(last)s，共还 %(total)s（利息 %(interest)s）。" if zh
                           else "the first payment is %(monthly)s, the last %(last)s; %(total)s in all, of which %(interest)s is interest.") % r
        return head + ("每月还款 %(monthly)s，共还 %(total)s（利息 %(interest)s）。" if zh
                       else "the monthly payment is %(monthly)s; %(total)s in all, of which %(interest)s is interest.") % r
    if function == "profit_margin":
        return ("利润 %(profit)s，毛利率（占售价）%(margin_percent)s%%，加价率（占成本）%(markup_percent)s%%。" if zh
                else "The profit is %(profit)s: a margin of %(margin_percent)s%% of the price, a markup of %(markup_percent)s%% on the cost.") % r
    return ("合计 %(total)s，每人 %(each)s（%(people)s 人）。" if zh else "%(total)s in all, %(each)s for each of %(people)s people.") % r
