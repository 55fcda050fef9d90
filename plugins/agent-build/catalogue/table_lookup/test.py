"""Tests of tools/table_lookup.py on a small table, and on the agent's own."""
import unittest

from runtime import knowledge
from tools.table_lookup import find_rows, look_up, show_table, table_figure, tables

SAMPLE = {
    "kind": "table",
    "id": "sample",
    "title": "Rivers",
    "columns": [{"name": "river", "type": "text"}, {"name": "length", "type": "number"}, {"name": "sea", "type": "text"}],
    "rows": [["Rhine", 1230, "North Sea"], ["Elbe", 1094, "North Sea"], ["Danube", 2850, "Black Sea"]],
}


class TableLookupTest(unittest.TestCase):
    def setUp(self):
        replaced = knowledge.replaced_by(SAMPLE)
        replaced.__enter__()
        self.addCleanup(replaced.__exit__, None, None, None)

    def test_cell_and_row(self):
        self.assertEqual(look_up("rhine", "length")["value"], 1230)
        self.assertEqual(look_up("Elbe")["row"]["sea"], "North Sea")

    def test_unknown_name_or_column(self):
        with self.assertRaisesRegex(LookupError, "Seine"):
            look_up("Seine")
        with self.assertRaisesRegex(ValueError, "river, length, sea"):
            look_up("Rhine", "depth")

    def test_filter(self):
        self.assertEqual(find_rows("sea", "=", "north sea")["count"], 2)
        self.assertEqual(find_rows("length", ">", "1200")["count"], 2)

    def test_figures(self):
        self.assertEqual(table_figure("length", "maximum")["row"]["river"], "Danube")
        self.assertEqual(table_figure("length", "average")["value"], 1724.666667)
        self.assertEqual(table_figure("", "count")["value"], 3)
        with self.assertRaises(ValueError):
            table_figure("sea", "sum")


class OwnTablesTest(unittest.TestCase):
    def test_every_row_is_found_by_its_name(self):
        for table in tables():
            self.assertEqual(show_table(table["id"])["count"], len(table["rows"]))
            for row in table["rows"]:
                self.assertIn("row", look_up(str(row[table["key"]]), table=table["id"]))


if __name__ == "__main__":
    unittest.main()
