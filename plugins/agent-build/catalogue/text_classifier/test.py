"""Tests of tools/text_classifier.py on small categories, and on the agent's own."""
import unittest

from runtime import knowledge
from tools.text_classifier import classify_text, list_categories

SAMPLE = {
    "kind": "categories",
    "id": "sample",
    "title": "Tickets",
    "categories": [
        {"name": "billing", "words": ["invoice", "refund", "credit card"]},
        {"name": "technical", "words": ["error", "crash", "登录"]},
    ],
}


class ClassifierTest(unittest.TestCase):
    def test_words_and_endings(self):
        with knowledge.replaced_by(SAMPLE):
            self.assertEqual(classify_text("I want two refunds on my credit card")["category"], "billing")
            self.assertEqual(classify_text("It crashes after the error")["matched"], ["error", "crash"])
            self.assertEqual(classify_text("无法登录")["category"], "technical")

    def test_none_fits(self):
        with knowledge.replaced_by(SAMPLE):
            self.assertIsNone(classify_text("lovely weather")["category"])

    def test_own_words_score_for_their_category(self):
        for category in list_categories()["categories"]:
            for word in category["words"]:
                self.assertGreater(classify_text(word)["scores"][category["name"]], 0, word)


if __name__ == "__main__":
    unittest.main()
