"""Tests of tools/text_statistics.py."""
import unittest

from tools.text_statistics import count_occurrences, text_statistics


class TextStatisticsTest(unittest.TestCase):
    def test_english(self):
        counted = text_statistics("The cat sat. The cat ran!\n\nIt's late.")
        self.assertEqual((counted["words"], counted["sentences"], counted["paragraphs"]), (8, 3, 2))
        self.assertEqual(counted["frequent_words"][0], ["cat", 2])

    def test_chinese(self):
        counted = text_statistics("今天天气很好。我们去公园！")
        self.assertEqual((counted["chinese_characters"], counted["sentences"]), (11, 2))

    def test_empty(self):
        self.assertEqual(text_statistics("")["words"], 0)

    def test_occurrences(self):
        self.assertEqual(count_occurrences("a cat, a Cat, a category", "cat")["count"], 2)
        self.assertEqual(count_occurrences("春天来了，春天真好", "春天")["count"], 2)


if __name__ == "__main__":
    unittest.main()
