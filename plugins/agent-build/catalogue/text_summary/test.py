"""Tests of tools/text_summary.py."""
import unittest

from tools.text_summary import key_terms, split_sentences, summarize

TEXT = (
    "Bees pollinate most fruit trees. My neighbour has a red car. Without bees, fruit trees carry little fruit. "
    "It rained on Tuesday. Farmers therefore protect bees and plant flowers for bees."
)


class SummaryTest(unittest.TestCase):
    def test_telling_sentences_are_kept_in_order(self):
        result = summarize(TEXT, 2)
        self.assertIn("bees", result["summary"].lower())
        self.assertNotIn("red car", result["summary"])
        self.assertEqual((result["sentences"], result["of"]), (2, 5))

    def test_nothing_is_invented(self):
        for sentence in split_sentences(summarize(TEXT, 3)["summary"]):
            self.assertIn(sentence, TEXT)

    def test_chinese(self):
        text = "茶树喜欢温暖的气候。昨天我丢了钥匙。茶叶的品质取决于茶树的气候和土壤。"
        self.assertNotIn("钥匙", summarize(text, 2)["summary"])

    def test_key_terms(self):
        self.assertEqual(key_terms(TEXT)["terms"][0], ["bees", 4])

    def test_empty_text(self):
        with self.assertRaises(ValueError):
            summarize("  \n ")


if __name__ == "__main__":
    unittest.main()
