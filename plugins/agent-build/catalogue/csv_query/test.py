"""Tests of tools/csv_query.py."""
import unittest

from tools.csv_query import csv_figure, describe_csv, filter_csv, group_csv, sort_csv

TEXT = 'name,team,score\nAda,red,10\n"Byron, Lord",blue,30\nCurie,red,20\n'


class CsvQueryTest(unittest.TestCase):
    def test_description(self):
        described = describe_csv(TEXT)
        self.assertEqual(described["rows"], 3)
        self.assertEqual([column["kind"] for column in described["columns"]], ["text", "text", "number"])

    def test_figures(self):
        self.assertEqual(csv_figure(TEXT, "score", "sum")["value"], 60)
        self.assertEqual(csv_figure(TEXT, "Score", "maximum")["row"]["name"], "Byron, Lord")
        self.assertEqual(csv_figure(TEXT, "", "count")["value"], 3)

    def test_filter_sort_group(self):
        self.assertEqual(filter_csv(TEXT, "score", ">=", "20")["count"], 2)
        self.assertEqual([row["score"] for row in sort_csv(TEXT, "score", True)["rows"]], ["30", "20", "10"])
        self.assertEqual(group_csv(TEXT, "team", "score", "average")["groups"], {"red": 15, "blue": 30})

    def test_semicolons(self):
        self.assertEqual(csv_figure("a;b\n1;2\n3;4", "b", "sum")["value"], 6)

    def test_bad_input(self):
        for call in (lambda: describe_csv("no table at all"), lambda: describe_csv(""), lambda: csv_figure(TEXT, "nope", "sum"),
                     lambda: csv_figure(TEXT, "team", "sum"), lambda: describe_csv("a,a\n1,2")):
            with self.assertRaises(ValueError):
                call()


if __name__ == "__main__":
    unittest.main()
