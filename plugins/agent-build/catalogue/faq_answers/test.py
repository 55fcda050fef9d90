"""Tests of tools/faq_answers.py on a small FAQ, and on the agent's own."""
import unittest

from runtime import knowledge
from tools.faq_answers import answer_faq, list_faq

SAMPLE = {
    "kind": "faq",
    "id": "sample",
    "title": "FAQ",
    "pairs": [
        {"question": "When do you open?", "answer": "At nine."},
        {"question": "Where can I park my car?", "answer": "Behind the house."},
        {"question": "可以退货吗？", "answer": "七天内可以。"},
    ],
}


class FaqTest(unittest.TestCase):
    def test_best_entry(self):
        with knowledge.replaced_by(SAMPLE):
            self.assertEqual(answer_faq("where is parking?")["answer"], "Behind the house.")
            self.assertEqual(answer_faq("opening hours, when do you open")["answer"], "At nine.")
            self.assertEqual(answer_faq("我想退货")["answer"], "七天内可以。")

    def test_nothing_in_common(self):
        with knowledge.replaced_by(SAMPLE), self.assertRaises(LookupError):
            answer_faq("quantum chromodynamics")

    def test_own_questions_find_their_answers(self):
        own = [pair for data in knowledge.of_kind("faq") for pair in data["pairs"]]
        for pair in own:
            # Two entries may ask the same in other words; a full match is what counts.
            found = answer_faq(pair["question"])
            self.assertTrue(found["answer"] == pair["answer"] or found["match"] >= 0.99, pair["question"])
        self.assertEqual(list_faq(10**6)["count"], len(own))


if __name__ == "__main__":
    unittest.main()
