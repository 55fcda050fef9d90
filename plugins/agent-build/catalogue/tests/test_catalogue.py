"""Tests of the catalogue as a whole: every tool is complete, and every example reaches its tool.

All tools are loaded at once here, which is harder than in any one agent: no tool
may take another's questions. Run: `python3 -m unittest discover -s catalogue/tests`.
"""
import importlib
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import describe  # noqa: E402
from agent_folder import CATALOGUE, TEMPLATE, TOOLS  # noqa: E402
from runtime import knowledge  # noqa: E402
from runtime.question import Call  # noqa: E402
from runtime.registry import Tool  # noqa: E402
from runtime.router import routes  # noqa: E402

DESCRIPTIONS = [json.loads((CATALOGUE / tool / "tool.json").read_text(encoding="utf-8")) for tool in TOOLS]
LOADED = [Tool(dict(description)) for description in DESCRIPTIONS]
KNOWLEDGE = [
    {"kind": "prices", "id": "prices", "title": "Prices", "items": [
        {"name": "apple", "amount": "3", "currency": "EUR", "per": ""},
        {"name": "pear", "amount": "4", "currency": "EUR", "per": ""},
        {"name": "plum", "amount": "2.50", "currency": "EUR", "per": ""},
        {"name": "香蕉", "amount": "5.5", "currency": "元", "per": "斤"},
        {"name": "苹果", "amount": "3", "currency": "元", "per": ""}]},
    {"kind": "table", "id": "staff", "title": "Employees", "columns": [
        {"name": "name", "type": "text"}, {"name": "department", "type": "text"}, {"name": "salary", "type": "number"}, {"name": "phone", "type": "text"}],
     "rows": [["Alice", "Sales", 5000, "555-0101"], ["Bob", "Engineering", 7000, "555-0102"], ["Carol", "Sales", 6000, "555-0103"]]},
    {"kind": "faq", "id": "faq", "title": "FAQ", "pairs": [
        {"question": "What are your opening hours?", "answer": "Nine to six."},
        {"question": "How do I return a product?", "answer": "Within 30 days."},
        {"question": "你们支持退货吗？", "answer": "支持七天无理由退货。"}]},
    {"kind": "notes", "id": "notes", "title": "Notes", "passages": ["The museum is closed on Mondays.", "Dogs are not allowed inside the building."]},
    {"kind": "categories", "id": "categories", "title": "Tickets", "categories": [
        {"name": "billing", "words": ["invoice", "refund"]}, {"name": "technical", "words": ["crash", "error"]}]},
    {"kind": "rates", "id": "rates", "title": "Rates", "rates": [{"from": "EUR", "to": "USD", "rate": "1.08"}]},
]


def ask(question, calls=None):
    """Route a question, call the tools: [(tool id, function, answer)]."""
    answers = []
    for route in routes(question, list(calls or []), LOADED):
        function, arguments = route.proposal.function, route.proposal.arguments
        result = route.tool.call(function, arguments)
        if calls is not None:
            calls.append(Call(route.tool.id, function, arguments, result))
        language = "zh" if any("\u4e00" <= char <= "\u9fff" for char in question) else "en"
        answers.append((route.tool.id, function, route.tool.intent.say(function, arguments, result, language)))
    return answers


class DescriptionTest(unittest.TestCase):
    def test_complete_and_in_step_with_its_tool(self):
        for tool, description in zip(TOOLS, DESCRIPTIONS):
            with self.subTest(tool):
                self.assertEqual(description["id"], tool)
                self.assertEqual(description["functions"], describe.functions_of(tool), "run catalogue/describe.py")
                for texts in (description["name"], description["summary"]):
                    self.assertTrue(texts["en"] and texts["zh"])
                self.assertTrue(description["does"] and all(group["objects"] for group in description["does"]))
                self.assertTrue(description.get("needs") or description["examples"] or description.get("permissions"))

    def test_every_folder_is_a_whole_tool(self):
        whole = {"tool.py", "intent.py", "test.py", "tool.json"}
        for folder in CATALOGUE.iterdir():
            if folder.is_dir() and folder.name not in ("tests", "__pycache__"):
                self.assertEqual({path.name for path in folder.iterdir() if path.is_file()}, whole, folder.name)

    def test_tools_are_typed_and_documented(self):
        for tool in TOOLS:
            module = importlib.import_module("tools." + tool)
            for name in module.__all__:
                function = getattr(module, name)
                self.assertTrue(function.__doc__ and "Returns:" in function.__doc__, name)
                self.assertIn("return", function.__annotations__, name)


class RuntimeTest(unittest.TestCase):
    def test_every_module_can_be_imported(self):
        for path in sorted((TEMPLATE / "runtime").glob("[a-z]*.py")):
            importlib.import_module("runtime." + path.stem)


class RoutingTest(unittest.TestCase):
    def setUp(self):
        replaced = knowledge.replaced_by(*KNOWLEDGE)
        replaced.__enter__()
        self.addCleanup(replaced.__exit__, None, None, None)

    def test_every_example_reaches_its_tool(self):
        for description in DESCRIPTIONS:
            for example in description["examples"]:
                with self.subTest(example["question"]):
                    answers = ask(example["question"])
                    self.assertEqual([answer[0] for answer in answers], [description["id"]])
                    self.assertIn(example["contains"], answers[0][2])

    def check(self, *steps):
        calls = []
        for question, tool, contains in steps:
            with self.subTest(question):
                answers = ask(question, calls)
                self.assertEqual([answer[0] for answer in answers], tool if isinstance(tool, list) else [tool] if tool else [])
                for part in [contains] if isinstance(contains, str) else contains:
                    self.assertIn(part, "\n".join(answer[2] for answer in answers))

    def test_price_questions(self):
        self.check(
            ("how much are 3 pears?", "price_list", "12 EUR"),
            ("and 5 plums?", "price_list", "12.50 EUR"),
            ("2 apples and 3 pears", "price_list", "Total: 18 EUR"),
            ("what do two apples and a dozen plums cost?", "price_list", "36 EUR"),
            ("which is the cheapest?", "price_list", "plum"),
            ("which one is more expensive, apple or pear?", "price_list", ["pear", "1 EUR"]),
            ("list all prices", "price_list", ["apple: 3 EUR", "plum: 2.50 EUR"]),
            ("How many pears can I buy with 20 EUR?", "price_list", "5"),
            ("What do 10 apples cost with 10% off?", "price_list", "27 EUR"),
            ("price of an aple", "price_list", "3 EUR"),
            ("3斤香蕉多少钱？", "price_list", "16.50 元"),
            ("两个苹果和一斤香蕉一共多少钱", "price_list", "11.50 元"),
            ("最便宜的是什么", "price_list", "plum"),
        )

    def test_conversion_follow_ups(self):
        self.check(
            ("what is 12 kg in lb?", "unit_converter", "26.46"),
            ("and in g?", "unit_converter", "12000 g"),
            ("and 3 kg?", "unit_converter", "3000 g"),
            ("how much is 5 miles in km", "unit_converter", "8.05"),
            ("那英尺呢？", "unit_converter", "26400"),
            ("5 feet 3 inches in cm", "unit_converter", "160.02"),
            ("what is 6 * 3", "calculator", "18"),
            ("and times 2", "calculator", "18 * 2 = 36"),
        )

    def test_table_questions(self):
        self.check(
            ("What is Bob's phone?", "table_lookup", "555-0102"),
            ("And Carol's?", "table_lookup", "555-0103"),
            ("Who has the highest salary?", "table_lookup", "Bob"),
            ("average salary", "table_lookup", "6000"),
            ("who works in Sales?", "table_lookup", ["Alice", "Carol"]),
            ("which employees have a salary over 5500", "table_lookup", ["Bob", "Carol"]),
            ("how many employees are there?", "table_lookup", "3"),
            ("tell me about Alice", "table_lookup", "Sales"),
        )

    def test_knowledge_questions(self):
        self.check(
            ("when do you open, what are the opening hours?", "faq_answers", "Nine"),
            ("can I return my product", "faq_answers", "30 days"),
            ("可以退货吗", "faq_answers", "七天"),
            ("is the museum closed on Mondays?", "notes_search", "Mondays"),
            ("are dogs allowed?", "notes_search", "Dogs"),
            ("Classify: I want a refund for the invoice", "text_classifier", "billing"),
            ("100 EUR in USD", "exchange_rates", "108.00 USD"),
            ("and 50?", "exchange_rates", "54.00 USD"),
        )

    def test_context_of_texts(self):
        self.check(
            ("How many words are in: the cat and the dog", "text_statistics", "5 words"),
            ("and the sha1 of it?", "hash_text", "sha1: "),
            ("Roll 2d6", "random_generator", "="),
            ("again", "random_generator", "="),
            ("How many words are in: the cat and the dog", "text_statistics", "5 words"),
            ("sha1 of it", "hash_text", "sha1: "),
            ("in md5?", "hash_text", "md5: "),
            ("Encode hello in base64", "encode_text", "aGVsbG8="),
            ("decode it back", "encode_text", "hello"),
        )

    def test_two_questions_at_once(self):
        self.check(("How much are 3 pears and what is 12 kg in lb?", ["price_list", "unit_converter"], ["12 EUR", "26.46"]))

    def test_what_no_tool_can_do(self):
        self.check(
            ("Who won the football world cup?", "", []),
            ("Tell me a joke", "", []),
            ("写一首关于春天的诗", "", []),
            ("🙂🙂", "", []),
        )


if __name__ == "__main__":
    unittest.main()
