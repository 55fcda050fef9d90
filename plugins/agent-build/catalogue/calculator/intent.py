"""When a question is arithmetic: an expression in signs or in words."""
from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question
from runtime.writing import show

DOES = True
_N = r"(\d+(?:\.\d+)?)"
_OPEN, _CLOSE = r"(?<=[\d)%!])\s*", r"\s*(?=[\d(\-]|sqrt)"
# Words of arithmetic and the signs for them, in the order in which they are replaced.
_WORDS = [
    # 36加4再乘以2 multiplies the sum.
    (r"(\d(?:\d|\.|\s|加上?|减去?|乘以?|除以|[+*/×÷-])*?)[，,]?\s*(?:再|然后)(?=\s*(?:加|减|乘|除))", r"(\1)"),
    (r"%s\s+[a-z ]{2,20}?\s*(?:at|for|@)\s*[$€£]?\s?%s\s*(?:[a-z]+\s+)?(?:each|apiece|a piece)" % (_N, _N), r"\1 * \2"),
    (r"\bsqrt\s+%s" % _N, r"sqrt(\1)"),
    (r"(?:the )?square root of\s*\(?%s\)?" % _N, r"sqrt(\1)"),
    (r"(?:the )?cube root of\s*\(?%s\)?" % _N, r"cbrt(\1)"),
    (r"√\s*\(?%s\)?|(?:根号|开方)\s*%s" % (_N, _N), lambda match: "sqrt(%s)" % (match.group(1) or match.group(2))),
    (r"%s\s*的(?:算术)?平方根" % _N, r"sqrt(\1)"),
    (r"%s\s*的立方根" % _N, r"cbrt(\1)"),
    (r"%s\s*的平方(?![米公])" % _N, r"\1 ** 2"),
    (r"%s\s*的(?:立方|三次方)(?![米厘])" % _N, r"\1 ** 3"),
    (r"%s\s*的\s*%s\s*次方" % (_N, _N), r"\1 ** \2"),
    (r"%s\s+squared\b|%s\s*²" % (_N, _N), lambda match: "%s ** 2" % (match.group(1) or match.group(2))),
    (r"%s\s+cubed\b|%s\s*³" % (_N, _N), lambda match: "%s ** 3" % (match.group(1) or match.group(2))),
    (r"%s\s*(?:factorial\b|!(?=\s|$|[?？])|的?阶乘)|factorial (?:of )?%s" % (_N, _N), lambda match: "factorial(%s)" % (match.group(1) or match.group(2))),
    (r"%s\s*(?:%%|percent|per cent)\s*(?:of|的)\s*%s" % (_N, _N), r"\1 / 100 * \2"),
    (r"%s\s*的\s*%s\s*%%" % (_N, _N), r"\1 * \2 / 100"),
    (r"(?:a |one )?half of %s" % _N, r"\1 / 2"),
    (r"(\d+\s*/\s*\d+)\s+of\s+%s" % _N, r"(\1) * \2"),
    (r"(0\.\d+)\s+of\s+%s" % _N, r"\1 * \2"),
    (r"%s\s*的\s*(0\.\d+)(?!\d)" % _N, r"\1 * \2"),
    (r"%s\s*的一半" % _N, r"\1 / 2"),
    (r"(?:the )?sum of %s and %s" % (_N, _N), r"\1 + \2"),
    (r"(?:the )?product of %s and %s" % (_N, _N), r"\1 * \2"),
    (r"(?:the )?difference (?:between|of) %s and %s" % (_N, _N), r"\1 - \2"),
    (r"(?:the )?quotient of %s and %s" % (_N, _N), r"\1 / \2"),
    (r"subtract %s from %s" % (_N, _N), r"\2 - \1"),
    (r"add %s (?:and|to) %s" % (_N, _N), r"\1 + \2"),
    (r"multiply %s (?:by|and|with) %s" % (_N, _N), r"\1 * \2"),
    (r"divide %s by %s" % (_N, _N), r"\1 / \2"),
    (r"(?:double|twice) %s" % _N, r"2 * \1"),
    (r"%s\s*除\s*(?!以)%s" % (_N, _N), r"\2 / \1"),
    (_OPEN + r"(?:plus|added to|加上?|＋|和)" + _CLOSE, " + "),
    (_OPEN + r"(?:minus|less|take away|减去?|－|–)" + _CLOSE, " - "),
    (_OPEN + r"(?:times|multiplied by|multiply by|乘以?|×|x|·|✕)" + _CLOSE, " * "),
    (_OPEN + r"(?:divided by|divide by|over|除以|÷|:)" + _CLOSE, " / "),
    (_OPEN + r"(?:(?:raised )?to the power (?:of)?|to the|\^|的?次方)" + _CLOSE, " ** "),
    (_OPEN + r"(?:modulo|mod)" + _CLOSE, " % "),
]
_FUNCTION = r"(?:sqrt|cbrt|abs|round|floor|ceil|log10|log|ln|exp|sin|cos|tan|min|max|factorial)"
_EXPRESSION = re.compile(r"(?:%s\(|[\d(.\-]|\bpi\b)(?:[\d\s+\-*/%%().,]|%s(?=\()|\bpi\b)*(?:[\d)%%]|\bpi\b)" % (_FUNCTION, _FUNCTION))
_ARITHMETIC = re.compile(r"[\d)%%]\s*(?:\*\*|//|[+\-*/%%])\s*[\d(\-sp.]|%s\(" % _FUNCTION)
_ASKS = re.compile(r"\b(?:calculate|compute|what(?:'s| is| are)|how much is|work out|evaluate|solve|result)\b|计算|等于|是多少|算|得多少|几|=|多少")
# Numbers with these around them are no bare arithmetic: another tool, or a reason to refuse.
_NOT_PLAIN = re.compile(r"[$€£¥]|\b(?:interest|loan|mortgage|years?|months?|days?|kg|km|miles?|lbs?|vat|tip|people)\b|利息|贷款|税|小费")
_POINTS = re.compile(r"^\s*(?:and |then |ok |now |再|然后|那|接着)*\s*(?:that |it |the result |the answer |this |结果)?\s*(?=(?:plus|minus|times|multiplied|divided|to the power|squared|cubed|[+*/×÷^]|-\s|加|减|乘|除|的平方))")
_VERB_FIRST = re.compile(r"^\s*(?:and |then |now |ok |再|然后)*\s*(add|subtract|multiply by|divide by|加|减|乘|除以)\s*%s\s*$" % _N)


def propose(question: Question) -> Optional[Proposal]:
    """Find the longest arithmetic expression in the message."""
    if len(question.text) > 600 or "\n" in question.text or question.of_kind("date", "off"):
        return None
    text = question.plain.lower().strip()
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"百分之\s*(\d+(?:\.\d+)?)", r"\1%", text)
    previous = question.previous("calculate")
    follows = False
    if previous and previous.result:
        last = previous.result.get("exact") or show(previous.result["value"])
        last = "(%s)" % last if last.startswith("-") else last
        verb = _VERB_FIRST.match(text.rstrip("?？。. "))
        if verb:
            sign = {"add": "+", "加": "+", "subtract": "-", "减": "-", "multiply by": "*", "乘": "*", "divide by": "/", "除以": "/"}[verb.group(1)]
            return Proposal("calculate", {"expression": "%s %s %s" % (last, sign, verb.group(2))}, 0.9, used=question.figures)
        text, replaced = _POINTS.subn("%s " % last, text, count=1)
        follows = replaced > 0
    for pattern, replacement in _WORDS:
        text = re.sub(pattern, replacement, text)
    best = ""
    for match in _EXPRESSION.finditer(text):
        candidate = match.group(0).strip().rstrip("+-*/,. ")
        if _ARITHMETIC.search(candidate):
            best = max(best, candidate, key=len)
    if not best:
        return None
    expression = _percentages(best)
    if re.search(r"%\s*$|%\s*[)+\-*/]", expression):
        return None
    rest = text.replace(best, " ", 1)
    if re.search(r"\d", rest):  # a number stands outside the expression
        return Proposal("calculate", {"expression": expression}, 0.55, used=[])
    share = len(best) / max(1, len(text.strip(" ?？=。.")))
    sure = 0.9 if share > 0.7 or _ASKS.search(question.lower) or follows else 0.6
    if _NOT_PLAIN.search(rest):
        sure -= 0.25
    return Proposal("calculate", {"expression": expression}, sure, used=question.figures)


def _percentages(expression: str) -> str:
    """200 + 15% adds the percentage of what stands before; 15% * 80 takes it as a share."""
    expression = re.sub(r"^(.+?)\s*([+-])\s*(\d+(?:\.\d+)?)\s*%$", lambda m: "(%s) * (1 %s %s / 100)" % (m.group(1), m.group(2), m.group(3)) if "%" not in m.group(1) else m.group(0), expression)
    return re.sub(r"(\d+(?:\.\d+)?)\s*%\s*(?=[*/])", r"\1 / 100 ", expression) if not expression.endswith("%") else re.sub(r"([*/])\s*(\d+(?:\.\d+)?)\s*%$", r"\1 (\2 / 100)", expression)


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Write the equation."""
    return "%s = %s" % (result["expression"], _grouped(result["exact"]))


def _grouped(exact: str) -> str:
    """The value as people read it: at most ten significant digits behind the point."""
    if "E" in exact or "." not in exact:
        return exact
    return show(round(Decimal(exact), 10))
