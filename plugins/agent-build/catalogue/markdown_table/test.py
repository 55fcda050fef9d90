"""Tests of tools/markdown_table.py."""
import json
import unittest

from tools.markdown_table import table_to_csv, table_to_json, to_markdown_table


class MarkdownTableTest(unittest.TestCase):
    def test_from_csv(self):
        self.assertEqual(to_markdown_table("a,b\n1,x|y")["table"], "| a | b |\n| --- | --- |\n| 1 | x\\|y |")

    def test_from_json(self):
        self.assertEqual(to_markdown_table('[{"a": 1}, {"b": [2]}]')["table"].splitlines()[2:], ["| 1 |  |", "|  | [2] |"])

    def test_there_and_back(self):
        table = to_markdown_table("name,n\nA|B,1\nC,2")["table"]
        self.assertEqual(table_to_csv(table)["csv"], "name,n\nA|B,1\nC,2\n")
        self.assertEqual(json.loads(table_to_json(table)["json"])[0], {"name": "A|B", "n": "1"})

    def test_bad_input(self):
        for text in ("", "just words", "[1, 2]", "[{"):
            with self.subTest(text), self.assertRaises(ValueError):
                to_markdown_table(text)


if __name__ == "__main__":
    unittest.main()
