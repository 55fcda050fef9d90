"""Every tool that computes, against Python's own decimal, fractions, statistics and datetime: thousands of random questions.

The questions are put in words and go the whole way: reading of figures, intent, call. A
figure that comes out must be right. Run: `python3 -m unittest discover -s catalogue/tests -p test_figures.py`.
"""
import datetime
import json
import sys
import unittest
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from random import Random
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from agent_folder import CATALOGUE  # noqa: E402
from runtime import knowledge  # noqa: E402
from runtime.figures import read_figures  # noqa: E402
from runtime.registry import Tool  # noqa: E402
from runtime.router import routes  # noqa: E402
from spoken import chinese, decimal, english, written  # noqa: E402

CENT = Decimal("0.01")


def tool(name):
    return Tool(json.loads((CATALOGUE / name / "tool.json").read_text(encoding="utf-8")))


def cents(value):
    return value.quantize(CENT, rounding=ROUND_HALF_UP)


class FigureTest(unittest.TestCase):
    tools = ()

    def setUp(self):
        self.random = Random(20261129)
        self.loaded = [tool(name) for name in self.tools]

    def result(self, question):
        """What the tools compute for a question; a test fails when they compute nothing."""
        found = routes(question, [], self.loaded)
        self.assertEqual(len(found), 1, question)
        self.assertFalse(found[0].left_out, question)
        self.assertIsNone(found[0].proposal.ask, question)
        return found[0].tool.call(found[0].proposal.function, found[0].proposal.arguments)

    def same(self, got, expected, question, tolerance=Decimal("1e-9")):
        got = Decimal(str(got))
        self.assertLessEqual(abs(got - expected), tolerance * max(1, abs(expected)), "%s: %s, not %s" % (question, got, expected))


class NumeralTest(FigureTest):
    def reads(self, text, *values):
        found = [figure.value for figure in read_figures(text) if figure.kind in ("number", "percent", "off")]
        self.assertEqual(found, [Decimal(value) for value in values], text)

    def test_whole_numbers_in_words(self):
        numbers = list(range(2, 200)) + [self.random.randint(200, 10 ** self.random.randint(3, 8)) for _ in range(900)]
        for number in numbers:
            self.reads("add %s to it" % english(number), number)
            self.reads("一共%s元" % chinese(number), number)

    def test_digits_and_scales(self):
        for _ in range(900):
            value = decimal(self.random, 10**6)
            self.reads("it is %s here" % written(value, self.random), value)
            short = decimal(self.random, 900)
            for sign, factor in (("k", 1000), (" million", 10**6), (" thousand", 1000), ("万", 10**4), ("亿", 10**8)):
                self.reads("about %s%s" % (short, sign), short * factor)
            self.reads("plus %s%%" % short, short)
            self.reads("百分之%s" % short, short)

    def test_forms_of_speech(self):
        for text, *values in (
            ("a dozen", 12), ("half a dozen", 6), ("two dozen", 24), ("two and a half", "2.5"), ("three quarters", "0.75"), ("1 1/2 cups", "1.5"), ("2½ kg", "2.5"),
            ("1.234,50 €", "1234.50"), ("1,234.50", "1234.50"), ("1,5 kg", "1.5"), ("2, 4 and 9", 2, 4, 9), ("3,5,8", 3, 5, 8), ("5-10 people", 5, 10), ("minus 5", -5), ("零下5度", -5),
            ("三千五", 3500), ("两万五", 25000), ("一万零五", 10005), ("三斤半", "3.5"), ("两个半小时", "2.5"), ("一半", "0.5"), ("三分之一", Decimal(1) / 3), ("打八折", 20), ("九五折", 5),
            ("3千克", 3), ("3千5百元", 3500), ("3万5", 35000), ("九块九", "9.9"), ("十二块五", "12.5"), ("一亿三千万", 130000000), ("三百二", 320), ("两打鸡蛋", 24), ("2m wide", 2), ("$2m", 2000000),
        ):
            self.reads(text, *values)

    def test_what_is_no_number(self):
        for text in ("三明治", "七喜", "统一", "星期一", "一下", "A4 paper", "mp3 files", "someone", "万一", "十分好", "百香果"):
            hard = [figure for figure in read_figures(text) if not figure.soft and figure.kind != "date"]
            self.assertEqual(hard, [], text)


# Pairs of units with the exact factor between them, as people name them.
UNITS = [
    ("kg", "lb", "1/0.45359237"), ("kilograms", "pounds", "1/0.45359237"), ("miles", "km", "1.609344"), ("feet", "meters", "0.3048"), ("inches", "cm", "2.54"), ("yards", "m", "0.9144"),
    ("ounces", "grams", "28.349523125"), ("liters", "gallons", "1/3.785411784"), ("hectares", "acres", "10000/4046.8564224"), ("km/h", "mph", "1/1.609344"), ("hours", "minutes", "60"),
    ("GB", "MB", "1000"), ("kcal", "kJ", "4.184"), ("kWh", "kJ", "3600"), ("bar", "psi", "100000/6894.757293168361"), ("hp", "kW", "0.74569987158227022"), ("stone", "kg", "6.35029318"),
    ("公斤", "磅", "1/0.45359237"), ("千克", "斤", "2"), ("英里", "公里", "1.609344"), ("英寸", "厘米", "2.54"), ("斤", "克", "500"), ("亩", "平方米", "2000/3"), ("升", "毫升", "1000"), ("两", "克", "50"),
    ("平方米", "平方英尺", "1/0.09290304"), ("吨", "公斤", "1000"), ("小时", "分钟", "60"), ("磅", "千克", "0.45359237"), ("英尺", "米", "0.3048"), ("尺", "厘米", "100/3"),
]


class UnitTest(FigureTest):
    tools = ("unit_converter",)

    def test_conversions(self):
        for source, target, factor in UNITS:
            upper, _, lower = factor.partition("/")
            exact = Fraction(upper) / Fraction(lower or 1)
            for _ in range(30):
                value = decimal(self.random, 5000, 3)
                if source.isascii():
                    forms = ["what is {} {} in {}?", "convert {} {} to {}", "how much is {} {} in {}", "{} {} in {}"]
                    text = self.random.choice(forms).format(written(value, self.random), source, target)
                else:
                    whole = self.random.randint(2, 9999)
                    value = Decimal(whole) if self.random.random() < 0.4 else value
                    said = chinese(whole) if value == whole else str(value)
                    # 三千克 is three 千克 or three thousand 克: the same weight.
                    text = self.random.choice(["{}{}是多少{}？", "{}{}等于多少{}", "把{}{}换算成{}"]).format(said, source, target)
                got = self.result(text)
                converted = Fraction(Decimal(str(got["result"])))
                expected = Fraction(value) * exact
                self.assertLessEqual(abs(converted - expected), expected / 10**9, "%s: %s" % (text, got))

    def test_temperatures(self):
        for _ in range(300):
            celsius = Decimal(self.random.randint(-400, 4000)) / 10
            fahrenheit = celsius * 9 / 5 + 32
            self.same(self.result("what is %s celsius in fahrenheit" % celsius)["result"], fahrenheit, celsius)
            self.same(self.result("%s°F in °C" % fahrenheit)["result"], celsius, fahrenheit)
            self.same(self.result("%s摄氏度是多少华氏度" % abs(celsius))["result"], abs(celsius) * 9 / 5 + 32, celsius)

    def test_kinds_are_never_mixed(self):
        for text in ("5 kg in miles", "3 hours in km", "10 liters in kg", "5公斤是多少公里"):
            found = routes(text, [], self.loaded)
            with self.assertRaises(ValueError, msg=text):
                for route in found:
                    route.tool.call(route.proposal.function, route.proposal.arguments)


class FinanceTest(FigureTest):
    tools = ("finance_calculator",)

    def test_loans(self):
        for _ in range(300):
            principal, percent, years = self.random.randint(10, 900) * 1000, Decimal(self.random.randint(1, 120)) / 8, self.random.randint(1, 40)
            with localcontext() as context:
                context.prec = 60
                rate = percent / 1200
                expected = cents(principal * rate / (1 - (1 + rate) ** (-12 * years)))
            said = self.random.choice([str(principal), format(principal, ","), "%dk" % (principal // 1000), "$%d" % principal])
            text = self.random.choice(["{0} loan at {1}% over {2} years", "what is the monthly payment of a mortgage of {0} at {1} percent for {2} years?", "I borrow {0} for {2} years at {1}%, what do I pay back a month?"])
            self.same(self.result(text.format(said, percent, years))["monthly"], expected, text.format(said, percent, years), CENT / 100)
            chinese_text = self.random.choice(["贷款{}元，年利率{}%，{}年，每月还多少？", "房贷{}，利率百分之{}，分{}年还，月供多少"])
            amount = "%s万" % (Decimal(principal) / 10000) if self.random.random() < 0.6 else chinese(principal)
            self.same(self.result(chinese_text.format(amount, percent, years))["monthly"], expected, chinese_text.format(amount, percent, years), CENT / 100)

    def test_interest(self):
        for _ in range(250):
            principal, percent, years = self.random.randint(100, 90000), Decimal(self.random.randint(1, 80)) / 8, self.random.randint(1, 30)
            periods, word = self.random.choice([(1, "annually"), (12, "monthly"), (4, "quarterly"), (365, "daily")])
            with localcontext() as context:
                context.prec = 60
                expected = cents(principal * (1 + percent / 100 / periods) ** (periods * years))
            text = "%s at %s%% compound interest for %d years, compounded %s" % (written(principal, self.random), percent, years, word)
            self.same(self.result(text)["final"], expected, text, CENT / 100)
            text = "本金%d元，年利率%s%%，复利%d年后是多少" % (principal, percent, years)
            if periods == 1:
                self.same(self.result(text)["final"], expected, text, CENT / 100)
            text = "simple interest on %d at %s%% for %d years" % (principal, percent, years)
            self.same(self.result(text)["interest"], cents(principal * percent / 100 * years), text, CENT / 100)

    def test_percentages(self):
        for _ in range(300):
            amount, percent = decimal(self.random, 5000), Decimal(self.random.randint(1, 400)) / 4
            checks = [
                ("add {p}% VAT to {a}", "total", cents(amount * (1 + percent / 100))), ("{a}加上{p}%的税是多少", "total", cents(amount * (1 + percent / 100))),
                ("{a} euros including {p}% VAT, what is the net price?", "net", cents(amount / (1 + percent / 100))),
                ("what is {p}% of {a}", "part", round(amount * percent / 100, 6)), ("{a}的{p}%是多少", "part", round(amount * percent / 100, 6)),
            ]
            if percent <= 100:
                checks += [("{a} with {p}% off", "total", cents(amount * (1 - percent / 100))), ("how much is {a} with a {p} percent discount", "total", cents(amount * (1 - percent / 100)))]
            for text, key, expected in checks:
                text = text.format(a=amount, p=percent)
                self.same(self.result(text)[key], expected, text, CENT / 1000)
            fold = self.random.randint(11, 99)
            shown = str(fold // 10) if fold % 10 == 0 else self.random.choice([str(fold), "%s%s" % ("_一二三四五六七八九"[fold // 10], "_一二三四五六七八九"[fold % 10])])
            text = "原价%s元打%s折是多少" % (amount, shown)
            self.same(self.result(text)["total"], cents(amount * fold / 100), text, CENT / 1000)
            other = decimal(self.random, 5000)
            text = self.random.choice(["what is the percentage change from {} to {}?", "it went from {} to {}, how many percent is that?", "从{}涨到{}，增长了百分之多少"]).format(amount, other)
            self.same(self.result(text)["percent"], cents((other - amount) / amount * 100), text, CENT)
            text = self.random.choice(["what percent of {1} is {0}?", "{0} is what percentage of {1}?", "{0}占{1}的百分之几"]).format(amount, other)
            self.same(self.result(text)["percent"], cents(amount / other * 100), text, CENT)

    def test_shared_bills(self):
        for _ in range(300):
            amount, people, tip = decimal(self.random, 900), self.random.randint(2, 30), self.random.choice([0, 5, 10, 12, 18, 20])
            total = amount * (100 + tip) / 100
            text = "split %s between %s people" % (amount, english(people)) + (" with a %d%% tip" % tip if tip else "")
            got = self.result(text)
            self.same(got["total"], cents(total), text, CENT / 1000)
            self.assertTrue(total <= Decimal(str(got["each"])) * people < total + CENT * people, text)
            text = "%s元，%d个人平摊，每人多少" % (amount, people)
            self.same(self.result(text)["total"], amount, text, CENT)


class DateTest(FigureTest):
    tools = ("date_calculator",)

    def day(self):
        return datetime.date(1970, 1, 1) + datetime.timedelta(days=self.random.randint(0, 40000))

    def said(self, day):
        return self.random.choice([day.isoformat(), "%d %s %d" % (day.day, day.strftime("%B"), day.year), day.strftime("%B ") + "%d, %d" % (day.day, day.year), day.strftime("%b ") + "%dth %d" % (day.day, day.year)])

    def said_zh(self, day):
        return self.random.choice([day.isoformat(), "%d年%d月%d日" % (day.year, day.month, day.day), "%d年%d月%d号" % (day.year, day.month, day.day)])

    @staticmethod
    def workday(day, count):
        step = 1 if count > 0 else -1
        while count:
            day += datetime.timedelta(days=step)
            count -= step * (day.weekday() < 5)
        return day

    def test_days_between(self):
        for _ in range(300):
            one, other = self.day(), self.day()
            text = "how many days are there between %s and %s?" % (self.said(one), self.said(other))
            got = self.result(text)
            self.assertEqual(got["days"], (other - one).days, text)
            low, high = sorted((one, other))
            if (high - low).days < 3000:
                days = (low + datetime.timedelta(days=n) for n in range((high - low).days))
                self.assertEqual(got["workdays"], sum(day.weekday() < 5 for day in days), text)
            text = "%s到%s相差多少天" % (self.said_zh(one), self.said_zh(other))
            self.assertEqual(self.result(text)["days"], (other - one).days, text)

    def test_moved_dates(self):
        for _ in range(300):
            day, count = self.day(), self.random.randint(2, 400)
            for text, sign in (("what date is {n} days after {d}?", 1), ("which date is {n} days before {d}", -1), ("{z}之后{n}天是几号", 1), ("{z}之前{n}天是哪天", -1)):
                text = text.format(n=count, d=self.said(day), z=self.said_zh(day))
                self.assertEqual(self.result(text)["date"], (day + datetime.timedelta(days=sign * count)).isoformat(), text)
            few = self.random.randint(2, 60)
            for text, sign in (("{n} business days after {d}", 1), ("what is the date {n} working days before {d}?", -1), ("{z}后{n}个工作日是哪天", 1), ("{z}往前{n}个工作日是几号", -1)):
                text = text.format(n=few, d=self.said(day), z=self.said_zh(day))
                self.assertEqual(self.result(text)["date"], self.workday(day, sign * few).isoformat(), text)

    def test_weekdays_and_ages(self):
        for _ in range(300):
            day = self.day()
            for text in ("what day of the week is %s?" % self.said(day), "%s是星期几" % self.said_zh(day)):
                self.assertEqual(self.result(text)["iso_weekday"], day.isoweekday(), text)
            later = day + datetime.timedelta(days=self.random.randint(1, 30000))
            years = later.year - day.year - ((later.month, later.day) < (day.month, day.day))
            text = "how old is someone born on %s on %s?" % (self.said(day), later.isoformat())
            self.assertEqual(self.result(text)["years"], years, text)

    def test_what_can_be_read_in_two_ways_is_asked(self):
        for _ in range(200):
            first, second = self.random.sample(range(1, 13), 2)
            found = routes("what weekday is %02d/%02d/2026?" % (first, second), [], self.loaded)
            self.assertTrue(found and found[0].proposal.ask)


class NumberToolsTest(FigureTest):
    tools = ("number_statistics", "number_bases", "calculator")

    def test_statistics(self):
        for _ in range(300):
            numbers = [decimal(self.random, 900, 1) for _ in range(self.random.randint(3, 12))]
            listed = self.random.choice([", ", " ", "; "]).join(map(str, numbers[:-1])) + self.random.choice([", ", " and "]) + str(numbers[-1])
            mean = sum(numbers) / len(numbers)
            with localcontext() as context:
                context.prec = 50
                deviation = (sum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1)).sqrt()
            for text in ("mean, median and standard deviation of %s" % listed, "求 %s 的平均数、中位数和标准差" % "、".join(map(str, numbers))):
                got = self.result(text)
                self.same(got["mean"], mean, text, Decimal("1e-6"))
                self.same(got["median"], median(numbers), text)
                self.same(got["sum"], sum(numbers), text)
                self.same(got["standard_deviation"], deviation, text, Decimal("1e-6"))
                self.assertEqual(got["count"], len(numbers), text)

    def test_bases(self):
        names = {2: ("binary", "二进制", "b"), 8: ("octal", "八进制", "o"), 16: ("hexadecimal", "十六进制", "x")}
        for _ in range(300):
            number, base = self.random.randint(2, 10**6), self.random.choice([2, 8, 16])
            english_name, chinese_name, code = names[base]
            digits = format(number, code)
            for text in ("what is %d in %s?" % (number, english_name), "convert %d to %s" % (number, english_name), "%d的%s是多少" % (number, chinese_name), "把%d转换成%s" % (number, chinese_name)):
                self.assertEqual(self.result(text)["result"], digits, text)
            for text in ("convert %s %s to decimal" % (english_name, digits), "%s%s转成十进制" % (chinese_name, digits)):
                self.assertEqual(self.result(text)["result"], str(number), text)

    def test_arithmetic(self):
        words = {"+": ("plus", "加"), "-": ("minus", "减"), "*": ("times", "乘以"), "/": ("divided by", "除以")}
        for _ in range(250):
            numbers = [decimal(self.random, 99, 1) for _ in range(self.random.randint(2, 4))]
            signs = [self.random.choice("+-*/") for _ in numbers[1:]]
            exact = " ".join([str(numbers[0])] + ["%s %s" % pair for pair in zip(signs, numbers[1:])])
            terms, value = [Fraction(numbers[0])], Fraction(0)
            for sign, number in zip(signs, numbers[1:]):
                if sign in "+-":
                    terms.append(Fraction(number) * (1 if sign == "+" else -1))
                else:
                    terms[-1] = terms[-1] * Fraction(number) if sign == "*" else terms[-1] / Fraction(number)
            value = sum(terms)
            spoken = [exact, "what is %s?" % exact, " ".join([str(numbers[0])] + ["%s %s" % (words[sign][0], number) for sign, number in zip(signs, numbers[1:])]),
                      str(numbers[0]) + "".join("%s%s" % (words[sign][1], number) for sign, number in zip(signs, numbers[1:])) + "等于多少"]
            for text in spoken:
                got = Fraction(Decimal(self.result(text)["exact"]))
                self.assertLessEqual(abs(got - value), max(abs(value), 1) / 10**12, text)


class PriceTest(FigureTest):
    tools = ("price_list",)
    NAMES = ["apple", "pear", "rye bread", "espresso", "green tea", "croissant", "拿铁", "红茶", "牛角包", "小笼包"]

    def prices(self):
        return {name: Decimal(self.random.randint(20, 9900)) / 100 for name in self.NAMES}

    def test_totals(self):
        for _ in range(250):
            prices = self.prices()
            items = [{"name": name, "amount": str(amount), "currency": "EUR", "per": ""} for name, amount in prices.items()]
            with knowledge.replaced_by({"kind": "prices", "id": "prices", "title": "Prices", "items": items}):
                for names, form, joint in ((self.NAMES[:6], "how much are {}?", " and "), (self.NAMES[6:], "{}一共多少钱？", "和")):
                    chosen = self.random.sample(names, self.random.randint(1, 3))
                    counts = [self.random.randint(2, 60) for _ in chosen]
                    if joint == " and ":
                        order = joint.join("%s %s" % (self.random.choice([str(count), english(count)]), name + "s" * (name not in ("green tea",))) for count, name in zip(counts, chosen))
                    else:
                        order = joint.join("%s%s%s" % (self.random.choice([str(count), chinese(count)]).replace("二", "两" if count == 2 else "二"), self.random.choice("个份杯"), name) for count, name in zip(counts, chosen))
                    text, exact = form.format(order), sum(prices[name] * count for name, count in zip(chosen, counts))
                    self.same(self.result(text)["totals"]["EUR"], exact, text)
                    off = self.random.choice([5, 10, 15, 20, 25])
                    text = text.rstrip("?？") + (" with %d%% off?" % off if joint == " and " else "，打%s折" % ("%g" % ((100 - off) / 10)))
                    self.same(self.result(text)["totals"]["EUR"], cents(exact * (100 - off) / 100), text, CENT)
                    single, count = chosen[0], counts[0]
                    paid = int(prices[single] * count) + self.random.randint(1, 50)
                    text = ("I pay with %d euros for %d %ss, what is my change?" % (paid, count, single)) if joint == " and " else "买%d个%s，付%d元，找多少" % (count, single, paid)
                    got = self.result(text)
                    self.same(got["change"], cents(paid - prices[single] * count), text)

    def test_counts_before_behind_and_between_the_names(self):
        items = [{"name": name, "amount": str(amount), "currency": "EUR", "per": "斤" if name in ("苹果", "香蕉", "榴莲") else ""} for name, amount in (
            ("espresso", "2.15"), ("croissant", "1.85"), ("scone", "2.40"), ("苹果", "6.35"), ("香蕉", "4.15"), ("榴莲", "28.5"))]
        amounts = {item["name"]: Decimal(item["amount"]) for item in items}
        with knowledge.replaced_by({"kind": "prices", "id": "prices", "title": "Prices", "items": items}):
            for _ in range(150):
                for names, forms in (
                    (["espresso", "croissant", "scone"], [("{n} {i}s", ", "), ("{i} x{n}", ", "), ("{i} {n}", ", "), ("{n}x {i}", " and "), ("{n} {i}s", " plus ")]),
                    (["苹果", "香蕉", "榴莲"], [("{i}{n}斤", ""), ("{n}斤{i}", ""), ("{i}{n}斤", "，"), ("{n}斤{i}", "和"), ("{i}{z}斤", "、"), ("{z}斤{i}", "再加")]),
                ):
                    chosen = self.random.sample(names, self.random.randint(2, 3))
                    counts = [self.random.randint(2, 30) for _ in chosen]
                    form, joint = self.random.choice(forms)
                    text = joint.join(form.format(n=count, i=name, z=chinese(count)) for name, count in zip(chosen, counts))
                    text = ("how much is %s?" if names[0] == "espresso" else "%s一共多少钱") % text
                    self.same(self.result(text)["totals"]["EUR"], sum(amounts[name] * count for name, count in zip(chosen, counts)), text)

    def test_weights(self):
        items = [{"name": "cheese", "amount": "18.40", "currency": "EUR", "per": "kg"}, {"name": "苹果", "amount": "6.50", "currency": "元", "per": "斤"}, {"name": "ham", "amount": "2.35", "currency": "EUR", "per": "100g"}]
        with knowledge.replaced_by({"kind": "prices", "id": "prices", "title": "Prices", "items": items}):
            for _ in range(300):
                grams = self.random.randint(50, 3000)
                self.same(self.result("how much is %d g of cheese" % grams)["totals"]["EUR"], cents(Decimal("18.40") * grams / 1000), grams)
                self.same(self.result("%d grams of ham please, what does it cost" % grams)["totals"]["EUR"], cents(Decimal("2.35") * grams / 100), grams)
                self.same(self.result("%d克苹果多少钱" % grams)["totals"]["元"], cents(Decimal("6.50") * grams / 500), grams)
                kilos = decimal(self.random, 20, 1)
                self.same(self.result("%s公斤苹果多少钱" % kilos)["totals"]["元"], cents(Decimal("6.50") * kilos * 2), kilos)

    def test_extremes_and_limits(self):
        for _ in range(200):
            prices = self.prices()
            items = [{"name": name, "amount": str(amount), "currency": "EUR", "per": ""} for name, amount in prices.items()]
            limit = self.random.randint(5, 90)
            with knowledge.replaced_by({"kind": "prices", "id": "prices", "title": "Prices", "items": items}):
                self.assertEqual(Decimal(self.result("what is the cheapest?")["items"][0]["price"]), min(prices.values()))
                self.assertEqual(Decimal(self.result("最贵的是什么")["items"][0]["price"]), max(prices.values()))
                for text in ("what can I get under %d euros?" % limit, "%d元以下的有什么" % limit):
                    self.assertEqual({item["name"] for item in self.result(text)["items"]}, {name for name, amount in prices.items() if amount <= limit}, text)
                name = self.random.choice(self.NAMES[:6])
                self.assertEqual(self.result("how many %ss can I buy with %d euros?" % (name, limit))["count"], int(limit // prices[name]))


class RateTest(FigureTest):
    tools = ("exchange_rates",)

    def test_conversions(self):
        for _ in range(300):
            rate, amount = Decimal(self.random.randint(50, 90000)) / 1000, decimal(self.random, 9000)
            rates = [{"from": "EUR", "to": "CNY", "rate": str(rate)}, {"from": "EUR", "to": "USD", "rate": "1.08"}]
            with knowledge.replaced_by({"kind": "rates", "id": "rates", "title": "Rates", "rates": rates}):
                for text, expected in (
                    ("how much is {} euros in yuan?", amount * rate), ("convert {} EUR to CNY", amount * rate), ("{} yuan in euros", amount / rate), ("{}欧元是多少人民币", amount * rate),
                    ("how many euros do I get for {} dollars?", amount / Decimal("1.08")), ("{}美元换成欧元", amount / Decimal("1.08")),
                ):
                    self.same(self.result(text.format(amount))["result"], cents(expected), text.format(amount), CENT / 100)


class LeftOutTest(FigureTest):
    """A figure that a question has and a call does not use is told, or asked back; no answer leaves it out in silence."""

    tools = ("unit_converter", "finance_calculator", "date_calculator", "price_list", "calculator")
    QUESTIONS = [
        "what is 12 kg in lb", "300k loan at 6.5% over 30 years", "add 19% VAT to 250", "how much are 3 apples", "3千克是多少磅", "三个苹果多少钱", "贷款30万，年利率4.9%，20年，月供多少", "how many days between 2026-01-01 and 2026-03-01",
    ]

    def test_an_added_figure_is_never_ignored(self):
        items = [{"name": "apple", "amount": "3", "currency": "EUR", "per": ""}, {"name": "苹果", "amount": "3", "currency": "元", "per": ""}]
        with knowledge.replaced_by({"kind": "prices", "id": "prices", "title": "Prices", "items": items}):
            for question in self.QUESTIONS:
                plain = routes(question, [], self.loaded)
                self.assertTrue(plain and not plain[0].left_out, question)
                for extra in ("for 17 widgets", "with 4711", "关于 23 号", "(at least 8.25)"):
                    found = routes("%s %s" % (question, extra), [], self.loaded)
                    for route in found:
                        told = route.left_out or route.proposal.ask or route.proposal.arguments != plain[0].proposal.arguments
                        self.assertTrue(told, "%s %s: %s" % (question, extra, route.proposal))


if __name__ == "__main__":
    unittest.main()
