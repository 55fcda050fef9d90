#!/usr/bin/env python3
"""Computes the figures of the evaluation set with decimal, datetime and hashlib, and no code of the project.

An oracle that ends in `<- expression` says where its value comes from. Run without arguments it checks that every
value is what its expression gives; `--fill` writes the values in place of `?` and of those that differ.
"""
import datetime
import hashlib
import re
import statistics
import sys
import zlib
from decimal import Decimal, getcontext
from pathlib import Path

getcontext().prec = 40
HERE = Path(__file__).resolve().parent
# The set, the kept set, and the tasks that a build asks of an agent.
FILES = [*sorted(HERE.glob("*/*.toml")), HERE.parents[1] / "plugins/agent-build/src/verify/acceptance/tasks.json"]
# "value unit <- expression | unit <- expression": alternatives share the string.
ORACLE = re.compile(r'"([^"\n]*?)<- ((?:[^"\n\\]|\\.)*)"')
# A text stays as it is, a number becomes an exact one.
NUMBER = re.compile(r"('[^']*')|(?<![\w.])(\d+\.\d+|\d+)(?![\w.])")


def loan(amount, percent, months):
    """The constant payment of a month."""
    rate = Decimal(percent) / 100 / 12
    return Decimal(amount) * rate / (1 - (1 + rate) ** -int(months))


def date(text):
    return datetime.date.fromisoformat(text)


def days(first, second):
    return Decimal((date(second) - date(first)).days)


def plus(first, count):
    return (date(first) + datetime.timedelta(days=int(count))).isoformat()


def workdays(first, count):
    """So many working days (Monday to Friday) away; the first day itself does not count."""
    day, step = date(first), 1 if count > 0 else -1
    left = abs(int(count))
    while left:
        day += datetime.timedelta(days=step)
        left -= day.weekday() < 5
    return day.isoformat()


def weekday(text):
    return date(text).strftime("%A").lower()


def numbers(text):
    return [Decimal(one) for one in text.split()]


NAMES = {
    "D": Decimal, "loan": loan, "days": days, "plus": plus, "workdays": workdays, "weekday": weekday,
    "mean": lambda text: statistics.mean(numbers(text)), "stdev": lambda text: statistics.stdev(numbers(text)),
    "sha256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "md5": lambda text: hashlib.md5(text.encode()).hexdigest(),
    "crc32": lambda text: "%08x" % zlib.crc32(text.encode()),
}


def value(expression):
    """What an expression gives, as the set writes it."""
    exact = NUMBER.sub(lambda found: found[1] or "D('%s')" % found[2], expression)
    result = eval(exact, {"__builtins__": {}}, NAMES)  # the set's own text, no foreign input
    if isinstance(result, str):
        return result
    short = Decimal(result).quantize(Decimal(1)) if result == int(result) else round(Decimal(result), 10)
    return format(short.normalize() if "." in str(short) else short, "f")


def computed(found):
    """The oracle with the values of its expressions."""
    parts = []
    for part in found[0].strip('"').split(" | "):
        head, arrow, expression = part.partition("<- ")
        if not arrow:
            parts.append(part)
            continue
        words = head.split()
        unit = [word for word in words if not re.fullmatch(r"\?|[a-z]+day|[-\d.]+|[0-9a-f]{8,}|\d{4}-\d\d-\d\d", word)]
        parts.append(" ".join([value(expression), *unit, "<-", expression]))
    return '"%s"' % " | ".join(parts)


def main():
    wrong = 0
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        lines = []
        for number, line in enumerate(text.splitlines(), 1):
            right = ORACLE.sub(computed, line)
            if right != line and "--fill" not in sys.argv:
                wrong += 1
                print("%s:%d: %s" % (path.name, number, right.strip()))
            lines.append(right)
        if "--fill" in sys.argv:
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
