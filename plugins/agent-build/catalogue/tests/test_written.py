"""Questions for tools that were written for one agent: their values are found, or asked for, and never guessed.

Run: `python3 -m unittest discover -s catalogue/tests -p test_written.py`.
"""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import agent_folder  # noqa: E402, F401  (makes the runtime importable)
from runtime.question import Question  # noqa: E402
from runtime.written import WrittenIntent  # noqa: E402


def number(name, unit="", meaning=""):
    return {"name": name, "kind": "number", "unit": unit, "meaning": meaning or name}


BMI = WrittenIntent(
    "bmi", [number("weight", "kg", "weight of the person"), number("height", "m", "height of the person")],
    {"meaning": "body mass index", "unit": ""}, ["bmi", "body mass index", "体重指数"],
    [("What is the BMI of 70 kg and 1.75 m?", {"weight": 70, "height": 1.75})])
SPEED = WrittenIntent(
    "travel_time", [number("distance"), number("speed")], {"meaning": "travel time", "unit": "h"}, ["travel time"],
    [("How long does 100 at a speed of 50 take?", {"distance": 100, "speed": 50})])
REVERSE = WrittenIntent(
    "reverse_text", [{"name": "text", "kind": "string", "unit": "", "meaning": "the text"}], {"meaning": "reversed text", "unit": ""},
    ["reverse"], [("Reverse the word hello", {"text": "hello"}), ("What is stressed backwards?", {"text": "stressed"})])
TOTAL = WrittenIntent(
    "add_up", [{"name": "values", "kind": "array of number", "unit": "", "meaning": "the numbers"}], {"meaning": "sum", "unit": ""},
    ["add up"], [("Add up 1, 2 and 3", {"values": [1, 2, 3]})])


def arguments(intent, text):
    proposal = intent.propose(Question(text))
    return None if proposal is None or proposal.ask else proposal.arguments


class WrittenIntentTest(unittest.TestCase):
    def test_values_are_found(self):
        for intent, text, wanted in [
            (BMI, "What is the BMI of 80 kg and 1.6 m?", {"weight": 80, "height": 1.6}),
            (BMI, "what is the bmi of  80 kg and 1.6 m", {"weight": 80, "height": 1.6}),
            (BMI, "1.6 m, 80 kg: my bmi please", {"weight": 80, "height": 1.6}),
            (BMI, "BMI with a height of 160 cm and 80 kg", {"weight": 80, "height": 1.6}),
            (BMI, "bmi: weight 80, height 1.6", {"weight": 80, "height": 1.6}),
            (SPEED, "How long does 300 at a speed of 60 take?", {"distance": 300, "speed": 60}),
            (SPEED, "travel time for a distance of 300 with a speed of 60", {"distance": 300, "speed": 60}),
            (REVERSE, "Reverse the word 'parrot'", {"text": "parrot"}),
            (REVERSE, "What is desserts backwards?", {"text": "desserts"}),
            (REVERSE, "Please reverse this: 12 monkeys", {"text": "12 monkeys"}),
            (TOTAL, "add up 4, 5 and 6.5", {"values": [4, 5, 6.5]}),
        ]:
            with self.subTest(text):
                self.assertEqual(arguments(intent, text), wanted)

    def test_what_cannot_be_told_apart_is_asked_for(self):
        for intent, text in [
            (BMI, "my bmi?"), (BMI, "bmi 80 and 1.6"), (BMI, "bmi of 80 kg"), (BMI, "bmi for 80 kg and 75 kg"), (BMI, "bmi 80 kg and 3 hours"),
            (SPEED, "travel time for 300 and 60"), (REVERSE, "reverse"), (TOTAL, "add up"),
        ]:
            with self.subTest(text):
                proposal = intent.propose(Question(text))
                self.assertTrue(proposal is not None and proposal.ask, proposal)

    def test_other_questions_are_not_its_own(self):
        for intent in (BMI, SPEED, REVERSE, TOTAL):
            for text in ("How much is a day pass?", "What is 12 kg in lb?", "hello", "", "x" * 5000):
                self.assertIsNone(intent.propose(Question(text)))

    def test_a_figure_that_is_not_used_is_told_to_the_router(self):
        proposal = BMI.propose(Question("bmi of 80 kg and 1.6 m for 3 friends"))
        self.assertLess(len(proposal.used), len(Question("bmi of 80 kg and 1.6 m for 3 friends").figures))

    def test_results_in_words(self):
        for result, language, said in [
            (22.857142857, "en", "Body mass index: 22.8571"), (25.0, "en", "Body mass index: 25"), (True, "en", "Body mass index: yes"),
            ([1, 2.5], "en", "Body mass index: 1, 2.5"), ([], "en", "Body mass index: (none)"), (25, "zh", "25"), (0.001234567, "en", "Body mass index: 0.00123457"),
            ({"low_value": 1}, "en", "Body mass index: low value: 1"),
        ]:
            self.assertEqual(BMI.say("bmi", {}, result, language), said)


if __name__ == "__main__":
    unittest.main()
